"""What can go wrong in the streams' processes.

StreamsError             root
├── DeliveryError        the broker did not take what was sent
├── GivenUpError         a client cancelled a request of its own
├── ReadBackError        state could not be read back from the log in time
└── UnknownPlaceError    an event names a store, area or target that the layout does not have
"""


class StreamsError(Exception):
    """A process of the streams cannot do what it should; the text says why and how to mend it."""


class DeliveryError(StreamsError):
    """The broker did not take what was sent."""


class GivenUpError(StreamsError):
    """A client cancelled a request of its own, which looks like the end of whoever waits for it."""


class ReadBackError(StreamsError):
    """State could not be read back from the log in time."""


class UnknownPlaceError(StreamsError):
    """An event names a store, area or target that is not in the layout."""

    def __init__(self, what: str, name: str, store_id: str) -> None:
        super().__init__(
            f"{what} {name!r} is not in the layout of store {store_id!r}: "
            "give gateway and processor the same layout"
        )
