"""Reads the proofs of play that a broker holds, as they were sent, and those of a database."""

import psycopg
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from infra.errors import UserError
from signage.partitions import partitions_of
from streams.contracts.topics import PLAY
from streams.kafka_log import Record, read_ranges, side_consumer

_CONNECT_S = 10


async def read_proofs(bootstrap: str) -> list[bytes]:
    """Every value of `signage.play.v1`, partition by partition in order.

    Raises:
        UserError: no broker, or one without the topic.
    """
    found: list[bytes] = []

    def keep(record: Record) -> None:
        if record.value is not None:
            found.append(record.value)

    try:
        async with side_consumer(bootstrap) as side:
            places = (await partitions_of(bootstrap, PLAY.name))[PLAY.name]
            begins = await side.beginning_offsets(places)
            ends = await side.end_offsets(places)
            for place in places:
                await read_ranges(side, {place: (begins[place], ends[place])}, keep)
    except (KafkaError, OSError, TimeoutError) as error:
        raise UserError(
            f"the proofs of play cannot be read from {bootstrap} ({error or type(error).__name__});"
            " see that the broker runs and has its topics"
        ) from error
    return found


_ENDED = """
SELECT player_id, seq, sha256 FROM plays
ORDER BY player_id, rendered_at + duration_ms * interval '1 millisecond', seq
"""


def read_ended(dsn: SecretStr) -> list[tuple[str, int | None, str | None]]:
    """The places of the ended plays in the database, in order of their ends.

    Raises:
        UserError: no database, or one without the table.
    """
    try:
        with psycopg.connect(dsn.get_secret_value(), connect_timeout=_CONNECT_S) as connection:
            return [(str(p), seq, sha256) for p, seq, sha256 in connection.execute(_ENDED)]
    except psycopg.Error as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"the plays cannot be read from the database ({said}); see that it runs, that "
            "SMARTSTORE_DATABASE names it and that `smartstore db migrate` was run"
        ) from error
