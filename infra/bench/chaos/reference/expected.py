"""What the tables must hold in the end: a batch computation over the whole log, slow and plain.

It is written from the definitions alone and shares no code with the processor or the sink; it may
import the contracts and nothing else of ours. Times are epoch milliseconds, and a row is a dict of
its columns, with its times as such.
"""

from collections.abc import Iterable, Sequence

from infra.bench.chaos.reference.attention import attention_rows
from infra.bench.chaos.reference.baskets import basket_rows
from infra.bench.chaos.reference.exposures import exposure_rows
from infra.bench.chaos.reference.log import READ_BY, Decoded, Expected, Logged, Rules, by_key
from infra.bench.chaos.reference.stored import stored_as_told
from infra.bench.chaos.reference.tellings import heard_in
from streams.contracts import codec
from streams.contracts.errors import ContractError


def expected(records: Iterable[Logged], rules: Rules) -> Expected:
    """The whole truth about a log."""
    ordered = sorted(records, key=lambda r: (r.topic, r.partition, r.offset))
    decoded, dead = _decoded(ordered)
    heard = heard_in(decoded, rules.max_ahead_ms)
    tables = stored_as_told(decoded)
    attention, late_attention = attention_rows(heard, rules)
    exposures, late_exposures = exposure_rows(decoded, heard, rules)
    metrics, late_baskets = basket_rows(decoded, rules)
    tables["attention"] = by_key("attention", attention)
    tables["exposures"] = by_key("exposures", exposures)
    tables["basket_metrics"] = by_key("basket_metrics", metrics)
    late = {
        "attention": late_attention,
        "exposures": late_exposures,
        "basket_metrics": late_baskets,
    }
    return Expected(tables, dead, late)


def _decoded(records: Sequence[Logged]) -> tuple[list[Decoded], set[tuple[str, str, int, int]]]:
    decoded: list[Decoded] = []
    dead: set[tuple[str, str, int, int]] = set()
    for record in records:
        try:
            decoded.append(Decoded(record, codec.decode(record.topic, record.value)))
        except ContractError:
            for consumer, read in READ_BY.items():
                if record.topic in {topic.name for topic in read}:
                    dead.add((consumer, record.topic, record.partition, record.offset))
    return decoded, dead
