"""The broker under a bench: the embedded one, or one that the user names and that holds nothing of
ours, since the comparison reads all that the topics hold.
"""

from infra.errors import UserError
from infra.stack.stack import EmbeddedStack, PartName
from infra.topics import create_topics
from streams.contracts.topics import CONSUMERS, TOPICS

EMBEDDED = "noida-db"


def parts(named: str | None) -> set[PartName]:
    """The servers to start."""
    return {"postgres"} if named else {"broker", "postgres"}


async def prepared(stack: EmbeddedStack, named: str | None, partitions: int) -> str:
    """The broker's address, once it has all topics, just made.

    Raises:
        StackError: no broker, or one that refuses a topic or has one with other partitions.
        UserError: the named one has some of the topics already.
    """
    bootstrap = named or stack.broker.bootstrap
    made = await create_topics(bootstrap, partitions)
    if named and len(made) < len(TOPICS) + len(CONSUMERS):
        raise UserError(
            f"the broker at {named} has topics of ours already, and all that they hold would be "
            "counted; name a broker without them, for example one that was just set up"
        )
    return bootstrap
