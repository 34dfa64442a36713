"""What can go wrong with an export.

ExportError: every error of this package.
  BudgetError: the privacy budget does not allow it.
"""


class ExportError(Exception):
    """Root of this package's errors: a sentence for people."""


class BudgetError(ExportError):
    """The privacy budget does not allow it."""
