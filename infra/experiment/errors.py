"""What can go wrong with an experiment.

ExperimentError       root, a mistake that the user can mend
├── NotApprovedError  nobody's name stands behind the start or the end
├── DraftError        a draft's file is not one, or it contradicts itself
└── RunningError      the store has a running experiment already, or has none to stop
"""

from infra.errors import UserError


class ExperimentError(UserError):
    """Root: the text says what is wrong, why, and how to mend it, in one sentence."""


class NotApprovedError(ExperimentError):
    """Nobody's name stands behind it."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"an experiment is not {what} without a person who answers for it; name them with "
            '--approved-by "First Last"'
        )


class DraftError(ExperimentError):
    """A draft is not usable."""


class RunningError(ExperimentError):
    """A store runs one experiment at a time."""
