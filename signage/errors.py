"""What can go wrong in signage.

SignageError             root
├── CatalogueError       a folder of creatives is not what it should be
├── PolicyError          the policy's settings contradict each other
├── PlayerError          the player cannot start
│   └── SpoolError       the proofs of play cannot be kept on disk
└── ProofSendError       proofs could not be delivered now; they stay in the spool
"""

from pathlib import Path


class SignageError(Exception):
    """Root: the text says what is wrong, why, and how to mend it, in one sentence."""


class CatalogueError(SignageError):
    """A creative, or the folder of all of them, is broken."""

    def __init__(self, path: Path, what: str, mend: str) -> None:
        super().__init__(f"{path}: {what}; {mend}")
        self.path = path


class PolicyError(SignageError):
    """The policy's settings contradict each other."""


class PlayerError(SignageError):
    """The player cannot start."""


class SpoolError(PlayerError):
    """The file that keeps proofs of play cannot be used."""


class ProofSendError(SignageError):
    """Proofs could not be delivered now; they stay in the spool and are tried again."""
