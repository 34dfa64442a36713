"""Migrations without a server; tests/integration/test_sink.py applies them."""

import socket

import pytest
import sqlparse
from pydantic import SecretStr

from infra.db.errors import DatabaseAwayError
from infra.db.migrate import MIGRATIONS, migrate, status


def _nobody_listens() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("call", [lambda dsn: migrate(dsn, print), status])
def test_a_database_that_is_away_is_one_sentence_without_the_password(call: object) -> None:
    port = _nobody_listens()
    dsn = SecretStr(f"postgresql://me:hunter2@127.0.0.1:{port}/shop")
    with pytest.raises(DatabaseAwayError) as caught:
        call(dsn)  # type: ignore[operator]
    text = str(caught.value)
    assert f"'shop' at 127.0.0.1:{port}" in text
    assert "hunter2" not in text
    assert "\n" not in text


def test_every_statement_may_run_twice() -> None:
    statements = [
        statement
        for path in sorted(MIGRATIONS.glob("*.sql"))
        for statement in sqlparse.split(sqlparse.format(path.read_text(), strip_comments=True))
    ]
    assert len(statements) > 20
    for statement in statements:
        assert statement.startswith("DO $$") or any(
            word in statement for word in ("IF NOT EXISTS", "OR REPLACE")
        )
