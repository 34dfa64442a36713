"""The broker, as the intake sends to it."""

import asyncio
from types import TracebackType

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from infra.receipts.errors import TakingError
from infra.receipts.intake import Record

_REQUEST_TIMEOUT_MS = 5_000

#: A till that waits longer would rather send again.
_DELIVER_S = 15.0
_CLOSE_S = 3.0


class KafkaOutbox:
    """A producer that is made anew after it failed: one whose broker lost records is of no use."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._producer: AIOKafkaProducer | None = None
        # Records of two senders must not come between a failure and the new producer.
        self._busy = asyncio.Lock()

    async def __aenter__(self) -> "KafkaOutbox":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._discard()

    async def deliver(self, records: list[Record]) -> None:
        """Sends and waits for all. Raises TakingError."""
        async with self._busy:
            try:
                async with asyncio.timeout(_DELIVER_S):
                    producer = await self._started()
                    sent = [await producer.send(**each) for each in records]
                    await asyncio.gather(*sent)
            except (KafkaError, OSError, TimeoutError) as error:
                await self._discard()
                raise TakingError(
                    f"the broker at {self._kafka} does not take receipts "
                    f"({type(error).__name__}); nothing is lost: send them again when it is back"
                ) from error

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._kafka,
                client_id="smartstore-receipts",
                enable_idempotence=True,
                request_timeout_ms=_REQUEST_TIMEOUT_MS,
            )
            self._producer = producer
            await producer.start()
        return self._producer

    async def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                await asyncio.wait_for(producer.stop(), _CLOSE_S)
            except (KafkaError, OSError, TimeoutError):
                return
