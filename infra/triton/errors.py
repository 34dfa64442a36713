"""What can go wrong with the detector's model and its server.

DetectorModelError   root: one sentence that says what, why and how to mend it
├── ModelError       weights that cannot be used, or a repository that cannot be built
├── DownloadError    the publisher was not reached (in infra.triton.download)
└── ProbeError       the server did not answer a real inference
    └── StubDeadError   since the process that runs the model is dead
"""

from infra.stack.errors import PartDeadError


class DetectorModelError(Exception):
    """The detector's model cannot be prepared or does not work."""


class ModelError(DetectorModelError):
    """The weights cannot be used, or the model repository cannot be built."""


class ProbeError(DetectorModelError):
    """A real inference did not come back as it should."""


class StubDeadError(ProbeError, PartDeadError):
    """The process that runs the model is dead, and the server does not start another."""
