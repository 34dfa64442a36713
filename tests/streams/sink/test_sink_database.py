"""Sentences about a database never hold its password."""

import psycopg
import pytest
from pydantic import SecretStr

from streams.sink.database import cannot_connect, place


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:hunter2@db:5433/shop",
        "host=db port=5433 dbname=shop user=me password=hunter2",
        "postgresql://me:hunter2@db:54x33/shop",
        "password=hunter2 nonsense",
    ],
)
def test_no_password(dsn: str) -> None:
    error = psycopg.OperationalError("connection to db failed: hunter2 refused\nmore")
    text = place(SecretStr(dsn)) + cannot_connect(SecretStr(dsn), error)
    assert "hunter2" not in text
    assert "\n" not in text


def test_it_names_place_cause_and_mend() -> None:
    text = cannot_connect(
        SecretStr("postgresql://me@db:5433/shop"), psycopg.OperationalError("refused")
    )
    assert text == (
        "cannot connect to the database 'shop' at db:5433 (refused); "
        "start it or correct SMARTSTORE_DATABASE"
    )
