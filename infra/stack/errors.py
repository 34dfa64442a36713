"""What can go wrong with the servers of one machine. Standard library alone.

StackError                   root: one sentence that says what, why and how to mend it
├── StateFolderError         the state folder is in use, or cannot be used
├── PortTakenError           a port that was asked for belongs to someone else
├── ServerEnvironmentError   the model server's own environment cannot be made
├── PartFailedError          a process ended, or was not ready in time
│   ├── PartNotReadyError    it ran, but was not ready in time
│   └── PartRefusedError     one of ours ended over a mistake of the user's, in its own words
├── PartDeadError            a health check is sure that its part is dead
└── TopicError               the broker refused a topic
"""


class StackError(Exception):
    """The servers of this machine cannot do what was asked; the text says why and what to do."""


class StateFolderError(StackError):
    """The state folder is in use by another run, or cannot be written."""


class PortTakenError(StackError):
    """A port that the user asked for is taken."""

    def __init__(self, name: str, port: int) -> None:
        super().__init__(
            f"{name} cannot listen on 127.0.0.1:{port}, because another program does; "
            "stop that program, or name another port or none"
        )
        self.port = port


class ServerEnvironmentError(StackError):
    """The environment of the embedded model server is missing or cannot be made."""


class PartFailedError(StackError):
    """A process ended on its own, or did not become ready in time."""

    def __init__(self, name: str, why: str, mend: str) -> None:
        super().__init__(f"{name} {why}; {mend}")
        self.name = name


class PartNotReadyError(PartFailedError):
    """A process runs but did not become ready in time."""


class PartRefusedError(PartFailedError):
    """One of our processes ended over a mistake of the user's: its own sentence says which."""

    def __init__(self, name: str, said: str) -> None:
        StackError.__init__(self, said)
        self.name = name


class PartDeadError(StackError):
    """A health check is sure that its part is dead: it is restarted without being asked again."""


class TopicError(StackError):
    """The broker refused to create or to list topics."""
