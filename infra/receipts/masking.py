"""Hides what may be the number of a card before anything is stored or logged. Pure."""

import re

#: Longer runs of digits may be the number of a card or of an account.
LONGEST_RUN = 8

#: Groups of four as they stand on a card, and digits without anything between them.
_CARD = re.compile(r"\d{4}(?:[ \-\u00a0]\d{4}){2,}(?:[ \-\u00a0]\d{1,7}(?!\d))?")
_RUN = re.compile(rf"\d{{{LONGEST_RUN + 1},}}")

#: What neither a database nor a terminal takes.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def masked(text: str, most_chars: int) -> str:
    """`text` without long runs of digits, in `most_chars` characters at the most.

    >>> masked("card 4111 1111 1111 1111, bon 12345678, 123456789", 100)
    'card <16 digits>, bon 12345678, <9 digits>'
    """
    # Masked before it is cut: a cut could leave eight digits of a number.
    hidden = _RUN.sub(_named, _CARD.sub(_named, text))
    plain = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", hidden)
    return plain if len(plain) <= most_chars else plain[: most_chars - 1] + "…"


def _named(found: re.Match[str]) -> str:
    return f"<{sum(c.isdigit() for c in found[0])} digits>"
