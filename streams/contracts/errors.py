# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a message.

ContractError            root: a message breaks the contract
├── UndecodableError     the bytes are not the topic's struct
└── UnknownTopicError    no such topic in the registry
"""


class ContractError(Exception):
    """A message breaks the contract; the text says what, where and how to mend it."""


class UndecodableError(ContractError):
    """The bytes are not a valid message of the topic they came from."""

    def __init__(self, topic: str, size_bytes: int, cause: str) -> None:
        super().__init__(f"{topic}: {size_bytes} bytes are not a valid message: {cause}")
        self.topic = topic
        self.size_bytes = size_bytes
        self.cause = cause


class UnknownTopicError(ContractError):
    """The topic is not in the registry of `streams.contracts.topics`."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"no topic {topic!r} in the registry; `smartstore topics list` shows all")
        self.topic = topic
