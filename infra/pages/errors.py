"""What can go wrong with a page.

PageError: every error of this package.
  PeriodError: the days that were asked for make no period.
  PagesDatabaseError: the database does not answer, or has no such view yet.
"""


class PageError(Exception):
    """Root of this package's errors: a sentence for people."""


class PeriodError(PageError):
    """The days that were asked for make no period."""


class PagesDatabaseError(PageError):
    """The database does not answer, or has no such view yet."""
