"""Policies for whoever runs a store: which there are, which is in force, and who answers for it.

No adaptive policy runs before somebody named approves it; of the approved ones that which was
approved last runs. An approval is a record of its own on the policies' topic: it is kept.
"""

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from infra.errors import UserError
from signage.live import in_force
from streams.contracts import codec
from streams.contracts.errors import UndecodableError
from streams.contracts.learning import PolicySnapshot
from streams.contracts.topics import POLICY
from streams.errors import ReadBackError
from streams.kafka_log import deadline, latest_by_key

__all__ = ["approved", "built_in", "in_force", "known", "revoked", "tell"]

_SOURCE = "smartstore/policy"
_DEADLINE_S = 15.0

#: Policies that need no learning, by id.
BUILT_IN = ("rule", "rotation")


async def known(bootstrap: str, store_id: str) -> dict[str, PolicySnapshot]:
    """The newest snapshot of each policy of the store, the built-in ones too, by id.

    Raises:
        UserError: no broker there, or one without the topics.
    """
    found = {policy_id: _built_in(policy_id, store_id) for policy_id in BUILT_IN}
    try:
        async with deadline(_DEADLINE_S, "the policies"):
            newest = await latest_by_key(bootstrap, POLICY.name, since_ms=0)
    except ReadBackError as error:
        raise UserError(str(error)) from error
    for record in newest.values():
        try:
            snapshot: PolicySnapshot = codec.decode(POLICY.name, record.value)
        except UndecodableError:  # deleted, or not ours
            continue
        if snapshot.store_id == store_id:
            found[snapshot.policy_id] = snapshot
    return found


def approved(snapshot: PolicySnapshot, by: str, at_ms: int) -> PolicySnapshot:
    """The same, with who answers for it.

    Raises:
        UserError: nobody is named.
    """
    name = " ".join(by.split())
    if not any(letter.isalpha() for letter in name):
        raise UserError(
            "a policy is not approved without a person who answers for it; name them with "
            '--by "First Last"'
        )
    return _told(snapshot, name, at_ms)


def revoked(snapshot: PolicySnapshot, at_ms: int) -> PolicySnapshot:
    """The same, with nobody who answers for it: it no longer runs."""
    return msgspec.structs.replace(
        _told(snapshot, "nobody", at_ms), approved_by=None, approved_at_ms=None
    )


async def tell(bootstrap: str, snapshot: PolicySnapshot) -> None:
    """Publishes a snapshot.

    Raises:
        UserError: no broker there, or one without the topics.
    """
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    try:
        await producer.start()
        await producer.send_and_wait(**codec.record(POLICY, snapshot, _SOURCE))
    except (KafkaError, OSError) as error:
        raise UserError(
            f"the policy cannot be published on {bootstrap} ({type(error).__name__}); see that the "
            "broker runs there and has its topics (`smartstore topics create`)"
        ) from error
    finally:
        await producer.stop()


def built_in(policy_id: str, store_id: str, by: str, at_ms: int) -> PolicySnapshot:
    """A built-in policy that somebody answers for."""
    return approved(_built_in(policy_id, store_id), by, at_ms)


def _built_in(policy_id: str, store_id: str) -> PolicySnapshot:
    return PolicySnapshot(
        policy_id=policy_id,
        version=1,
        algorithm="rule" if policy_id == "rule" else "rotation",
        made_at_ms=0,
        store_id=store_id,
        told_by="operator",
    )


def _told(snapshot: PolicySnapshot, by: str, at_ms: int) -> PolicySnapshot:
    """A version of its own, so that every decision names one record; a built-in's first is 1."""
    version = snapshot.version + 1 if snapshot.made_at_ms else 1
    return msgspec.structs.replace(
        snapshot,
        version=version,
        told_by="operator",
        made_at_ms=at_ms,
        approved_by=by,
        approved_at_ms=at_ms,
    )
