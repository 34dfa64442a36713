"""The known history that the chaos bench plays."""

from infra.bench.chaos.history.making import History, history
from infra.bench.chaos.history.sending import Message
from infra.bench.chaos.history.store import layout

__all__ = ["History", "Message", "history", "layout"]
