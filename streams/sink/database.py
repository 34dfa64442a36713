"""Sentences about a database that never hold its password."""

import re

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

_MEND = "start it or correct SMARTSTORE_DATABASE"

#: How a server that runs says that this address, user or password will not do. libpq gives no code
#: for it; a server that speaks another language is waited for instead.
_REFUSALS = re.compile(
    r"password authentication failed|no password supplied|no pg_hba\.conf entry"
    r"|(?:database|role) \".*\" does not exist"
)


def place(dsn: SecretStr) -> str:
    """Name and host of a database, without user and password.

    >>> place(SecretStr("postgresql://me:secret@db:5433/shop"))
    "'shop' at db:5433"
    """
    try:
        parts = conninfo_to_dict(dsn.get_secret_value())
    except psycopg.ProgrammingError:
        return "at an unreadable address"
    name = parts.get("dbname") or parts.get("user") or "postgres"
    return f"'{name}' at {parts.get('host') or 'localhost'}:{parts.get('port') or 5432}"


def refuses(error: BaseException) -> bool:
    """Whether the server answered and will refuse again: waiting is of no use.

    >>> refuses(psycopg.OperationalError('FATAL:  database "shop" does not exist'))
    True
    >>> refuses(psycopg.OperationalError("Connection refused"))
    False
    """
    return isinstance(error, psycopg.OperationalError) and bool(_REFUSALS.search(str(error)))


def cannot_connect(dsn: SecretStr, error: psycopg.Error) -> str:
    """One sentence: which database, why, and how to mend it."""
    try:
        password = conninfo_to_dict(dsn.get_secret_value()).get("password")
    except psycopg.ProgrammingError:
        # libpq quotes the pieces of an address that it cannot parse: one may be the password.
        return (
            "the database's address cannot be read; give SMARTSTORE_DATABASE as "
            "postgresql://user:password@host:port/name"
        )
    lines = str(error).strip().splitlines() or [type(error).__name__]
    # Behind several addresses or attempts, the line that tells of a refusal says most.
    why = next((line.strip() for line in lines if _REFUSALS.search(line)), lines[0]).rstrip(".")
    if password:
        why = why.replace(str(password), "***")
    return f"cannot connect to the database {place(dsn)} ({why}); {_MEND}"
