"""The batch computation that the tables are compared with."""

from infra.bench.chaos.reference.expected import expected
from infra.bench.chaos.reference.log import KEYS, READ_BY, Expected, Key, Logged, Row, Rules

__all__ = ["KEYS", "READ_BY", "Expected", "Key", "Logged", "Row", "Rules", "expected"]
