"""What can go wrong in the sink. A server that is away it waits for; the rest ends it.

SinkError                root
├── FencedError          another sink writes under the same name
├── RefusedError         the database refuses this user, password or name
├── NoSchemaError        the database has not been migrated, or forbids the sink to write
├── NoTopicsError        the broker lacks topics that the sink reads (waited for)
└── BrokerGoneError      the broker's process went away (waited for)
"""


class SinkError(Exception):
    """The sink cannot go on; the text says why and how to mend it."""


class FencedError(SinkError):
    """Another sink holds the right to write."""


class RefusedError(SinkError):
    """The database answers, but not to this user, password or name."""


class NoSchemaError(SinkError):
    """The database has not the sink's tables, or not the rights on them."""


class NoTopicsError(SinkError):
    """The broker has not the topics that the sink reads."""


class BrokerGoneError(SinkError):
    """The broker closed the connection that watches it: its log may have lost its end."""
