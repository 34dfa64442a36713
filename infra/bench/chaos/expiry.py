"""Takes a dead member out of its group, as a broker does whose members expire: the embedded broker
waits for a member with a fixed id for ever.
"""

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.group import LeaveGroupRequest


async def expire(bootstrap: str, group: str, instance: str) -> None:
    """Says for the member with this fixed id that it leaves. Raises KafkaError."""
    for member_id in await _members(bootstrap, group, instance):
        client = AIOKafkaClient(bootstrap_servers=bootstrap)
        await client.bootstrap()
        try:
            node = client.get_random_node()
            answer = await client.send(node, LeaveGroupRequest(group, member_id))
            if answer.error_code:
                raise for_code(answer.error_code)(f"{member_id} could not be taken out of {group}")
        finally:
            await client.close()


async def _members(bootstrap: str, group: str, instance: str) -> list[str]:
    """The ids of its members in the group: they begin with the fixed id."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([group])
    finally:
        await admin.close()
    members = [member[0] for described in answer.groups for member in described[5]]
    return [member_id for member_id in members if member_id.startswith(f"{instance}-")]
