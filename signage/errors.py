"""What can go wrong in signage.

SignageError             root
├── CatalogueError       a folder of creatives is not what it should be
├── LabelError           a file's AI label is missing, doubled or broken
├── PolicyError          the policy's settings contradict each other
├── KeyFileError         a key, or the file of trusted keys, cannot be used
├── RefusedPlaylistError a playlist is not shown: who signed it, or what for
├── MediumError          a file is not here, or not what was signed
├── PairingError         pages cannot be paired with this player
├── PlayerError          the player cannot start
│   └── SpoolError       the proofs of play cannot be kept on disk
│       └── SpoolFullError   for want of room, which may come
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


class LabelError(SignageError):
    """The label of an AI-generated file is missing, doubled or broken."""


class PolicyError(SignageError):
    """The policy's settings contradict each other."""


class KeyFileError(SignageError):
    """A signing key, or the file of trusted keys, cannot be used."""


class RefusedPlaylistError(SignageError):
    """A playlist is not shown. `why` is a word or two, for counting."""

    def __init__(self, why: str, what: str) -> None:
        super().__init__(
            f"a playlist was refused: {why} ({what}); the screen plays on with what it had, see "
            "that the publisher signs with a key that this player trusts"
        )
        self.why = why


class MediumError(SignageError):
    """A file of a creative is not here, or its bytes are not those that were signed."""


class PairingError(SignageError):
    """Pages cannot be paired with this player."""


class PlayerError(SignageError):
    """The player cannot start."""


class SpoolError(PlayerError):
    """The file that keeps proofs of play cannot be used."""


class SpoolFullError(SpoolError):
    """The disk has no room for proofs of play; the player plays on and tries again."""


class ProofSendError(SignageError):
    """Proofs could not be delivered now; they stay in the spool and are tried again."""
