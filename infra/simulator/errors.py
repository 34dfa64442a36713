"""What can be wrong in the simulated store.

SimulatorError          root: the store cannot be simulated
├── FilmError           a film of the store cannot be written or read
├── StageError          the layout gives shoppers nothing to walk along or look at
└── TruthFileError      the truth file cannot be written
"""


class SimulatorError(Exception):
    """The store cannot be simulated; the text says what, why and how to mend it."""


class FilmError(SimulatorError):
    """A film cannot be written or read."""


class StageError(SimulatorError):
    """The layout has no calibrated camera, or no zone with a face, in the area."""


class TruthFileError(SimulatorError):
    """The truth file cannot be written."""
