"""What can be wrong with an analysis.

UpliftError           root: there is no number, and the text says why
└── TooLittleError    too few slots, or none in one of the arms
"""


class UpliftError(Exception):
    """No number can be given; the text says what is missing and how to mend it."""


class TooLittleError(UpliftError):
    """Too little was measured for a number."""

    def __init__(self, what: str, have: int, need: int) -> None:
        super().__init__(f"{have} {what}, but {need} are needed; let it run on")
        self.what = what
        self.have = have
        self.need = need
