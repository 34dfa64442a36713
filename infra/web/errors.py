"""What ends the page's server. What it can wait for (broker, database) it waits for.

WebError                 root
└── PortTakenError       another program listens where the page should
"""


class WebError(Exception):
    """The page cannot be served; the text says why and how to mend it."""


class PortTakenError(WebError):
    """The address cannot be listened on."""
