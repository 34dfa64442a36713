"""What can go wrong with the intake of receipts, beside receipts that are refused.

ReceiptsError        root
├── MappingError     the mapping file cannot be read or contradicts itself
├── IntakeError      a file or a folder cannot be read or moved
└── TakingError      the broker does not take what was read; nothing is lost, try again
"""


class ReceiptsError(Exception):
    """The intake cannot work; the text says what, why and how to mend it."""


class MappingError(ReceiptsError):
    """The mapping of columns cannot be used."""


class IntakeError(ReceiptsError):
    """A source of receipts cannot be used."""


class TakingError(ReceiptsError):
    """The broker did not take the receipts."""
