"""Takes receipts in: read, check, send, remember; the same for every source."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any, Protocol

from infra.receipts.checking import Refusal, check, till_and_number
from infra.receipts.masking import masked
from infra.receipts.memory import Memory
from infra.receipts.raw import Format, Piece, Unreadable, read
from infra.receipts.rules import Rules
from streams.contracts.codec import record
from streams.contracts.ids import event_id
from streams.contracts.pos import Basket, RefusedReceipt
from streams.contracts.topics import BASKET, REFUSED

#: So many receipts are sent at once and then remembered.
_AT_ONCE = 500

#: As in the contract.
_MOST_TEXT, _MOST_ID = 500, 128

#: Refusals that are told to whoever sent them; all of them are in the table.
_TOLD = 100

Record = dict[str, Any]


class Outbox(Protocol):
    """Where records go."""

    async def deliver(self, records: list[Record]) -> None:
        """Returns when all are acknowledged. Raises TakingError."""
        ...


@dataclass(slots=True)
class Taken:
    """What became of a file or a message. `told`: place, reason, detail of the first refusals."""

    accepted: int = 0
    repeated: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    told: list[tuple[str, str, str]] = field(default_factory=list)


Decision = Basket | RefusedReceipt | None


class Intake:
    """Of one store. Delivery is at least once and under fixed ids, so that a repeat is none."""

    def __init__(self, rules: Rules, memory: Memory, outbox: Outbox) -> None:
        self._rules = rules
        self._memory = memory
        self._outbox = outbox

    async def take(self, content: bytes, form: Format, source: str, now_ms: int) -> Taken:
        """All receipts of `content`, which came from `source` at `now_ms`.

        Raises TakingError where the broker does not take them; then take it again.
        """
        taken = Taken()
        # A file's name may hold a number too.
        source = masked(source, _MOST_ID) or "unnamed"
        pieces = read(content, form, self._rules)
        while await self._take_some(pieces, source, now_ms, taken):
            pass
        return taken

    async def _take_some(
        self, pieces: Iterator[Piece], source: str, now_ms: int, taken: Taken
    ) -> bool:
        """Some of them; False when there are no more."""
        records: list[Record] = []
        new: dict[str, tuple[str, str, Basket]] = {}
        some = Taken()
        count = 0
        for piece in pieces:
            count += 1
            decided = self._decide(piece, source, now_ms, new)
            if decided is None:
                some.repeated += 1
            elif isinstance(decided, Basket):
                some.accepted += 1
                records.append(record(BASKET, decided, f"smartstore/receipts/{source}"))
            else:
                some.refused[decided.reason] += 1
                some.told.append((decided.place, decided.reason, decided.detail))
                records.append(record(REFUSED, decided, f"smartstore/receipts/{source}"))
            if count == _AT_ONCE:
                break
        if records:
            await self._outbox.deliver(records)
        self._memory.remember(new.values(), now_ms)
        taken.accepted += some.accepted
        taken.repeated += some.repeated
        taken.refused += some.refused
        taken.told = (taken.told + some.told)[:_TOLD]
        return count == _AT_ONCE

    def _decide(
        self, piece: Piece, source: str, now_ms: int, new: dict[str, tuple[str, str, Basket]]
    ) -> Decision:
        """A basket to send, a refusal to send, or None for a repeat."""
        if isinstance(piece, Unreadable):
            return self.refusal(piece, Refusal(piece.reason, piece.detail), source, now_ms)

        def find(till: str, number: str) -> Basket | None:
            known = [b for t, n, b in new.values() if n == number and (not till or t == till)]
            sold = [basket for basket in known if basket.kind != "void"]
            return sold[-1] if sold else self._memory.find(till, number)

        checked = check(piece, self._rules, now_ms, find)
        if isinstance(checked, Refusal):
            return self.refusal(piece, checked, source, now_ms)
        before = new.get(checked.basket_id)
        known = before[2] if before is not None else self._memory.basket(checked.basket_id)
        if known is None:
            new[checked.basket_id] = (*till_and_number(piece), checked)
            return checked
        if known == checked:
            return None
        differs = "a receipt of that till, number and day was told before and said something else"
        return self.refusal(piece, Refusal("conflict", differs), source, now_ms)

    def refusal(self, piece: Piece, why: Refusal, source: str, now_ms: int) -> RefusedReceipt:
        """The refusal as it is told, nothing in it that may be a card's number."""
        store_id = self._rules.store_id
        digest = sha1(piece.text.encode(errors="replace"), usedforsecurity=False).hexdigest()
        return RefusedReceipt(
            refused_id=event_id(store_id, source, piece.place, digest, now_ms),
            store_id=store_id,
            source=source,
            place=masked(piece.place, _MOST_ID),
            reason=why.reason,
            detail=masked(why.detail, _MOST_TEXT),
            masked_text=masked(piece.text, _MOST_TEXT),
            refused_at_ms=now_ms,
        )
