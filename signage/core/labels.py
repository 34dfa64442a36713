"""What an AI-generated creative must carry before anybody may show it. Pure.

Reference: GB 45438-2025 as quoted publicly: 5.2 (pictures), 5.4 (videos), appendix E (metadata).
"""

import re

from streams.contracts.signage import Creative

#: 5.2 and 5.4: the text's height by the shortest side of the picture.
MIN_HEIGHT_SHARE = 0.05
#: 5.4: how long a video shows the label from its beginning, at normal speed.
MIN_SECONDS = 2.0

_WHAT = re.compile(r"人工智能|AI")
_HOW = re.compile(r"生成|合成")


def says_generated(text: str) -> bool:
    """Whether an explicit label's text says what it must.

    >>> says_generated("AI生成"), says_generated("人工智能合成"), says_generated("AI")
    (True, True, False)
    """
    return bool(_WHAT.search(text) and _HOW.search(text))


def label_fault(creative: Creative) -> str | None:
    """Why an AI-generated creative may not be shown, in a few words; None where it may."""
    if not creative.ai_generated:
        return None
    label = creative.label
    if label is None:
        return "it is AI-generated and carries no label"
    if not says_generated(label.text):
        return f"its label says {label.text!r}, not that it is AI-generated"
    if label.height_share < MIN_HEIGHT_SHARE:
        return (
            f"its label is {label.height_share:.1%} of the shortest side high, "
            f"less than {MIN_HEIGHT_SHARE:.0%}"
        )
    if label.seconds is not None and label.seconds < MIN_SECONDS:
        return f"its label is shown for {label.seconds:.1f} s, less than {MIN_SECONDS:.0f} s"
    return None
