"""The plans on their topic: told, and the newest of each store read back."""

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from infra.experiment.errors import ExperimentError
from signage.partitions import partitions_of
from streams.contracts.codec import decode, record
from streams.contracts.errors import ContractError
from streams.contracts.experiment import ExperimentPlan
from streams.contracts.topics import EXPERIMENT

_SOURCE = "smartstore/experiment"
_REQUEST_TIMEOUT_MS = 10_000
_POLL_MS = 500
_IDLE_POLLS = 6


async def tell(bootstrap: str, plan: ExperimentPlan) -> None:
    """Tells a plan, or its end; safe to repeat.

    Raises:
        ExperimentError: no broker there, or one without the topics.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
    )
    try:
        await producer.start()
        await producer.send_and_wait(**record(EXPERIMENT, plan, _SOURCE))
    except KafkaError as error:
        raise _away(bootstrap, error) from error
    finally:
        await producer.stop()


async def newest(bootstrap: str) -> dict[str, ExperimentPlan]:
    """The newest plan of each store.

    Raises:
        ExperimentError: no broker there, or one without the topics.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
    )
    found: dict[str, ExperimentPlan] = {}
    try:
        await consumer.start()
        partitions = (await partitions_of(bootstrap, EXPERIMENT.name))[EXPERIMENT.name]
        if not partitions:
            raise ExperimentError(
                f"the broker {bootstrap} has no topic {EXPERIMENT.name}; make it with `smartstore "
                "topics create`"
            )
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        idle = 0
        # What compaction removed at the end would be waited for in vain.
        while idle < _IDLE_POLLS and any(
            [await consumer.position(p) < ends[p] for p in partitions]
        ):
            fetched = await consumer.getmany(timeout_ms=_POLL_MS)
            idle = 0 if fetched else idle + 1
            for records in fetched.values():
                for each in records:
                    _take(found, each.key, each.value)
    except KafkaError as error:
        raise _away(bootstrap, error) from error
    finally:
        await consumer.stop()
    return found


def _take(found: dict[str, ExperimentPlan], key: bytes | None, value: bytes | None) -> None:
    """One record; what is no plan is for the dead letters of those who live by it, not for us."""
    if not value:
        found.pop((key or b"").decode(errors="replace"), None)
        return
    try:
        plan: ExperimentPlan = decode(EXPERIMENT.name, value)
    except ContractError:
        return
    found[plan.store_id] = plan


def _away(bootstrap: str, error: KafkaError) -> ExperimentError:
    return ExperimentError(
        f"the experiments cannot be read or told on {bootstrap} ({type(error).__name__}); see that "
        "the broker runs there and has its topics (`smartstore topics create`)"
    )
