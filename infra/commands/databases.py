"""`smartstore db`: the database's schema."""

import typer
from pydantic import SecretStr
from rich.console import Console

from infra.commands.runtime import settings_of
from infra.errors import UserError
from infra.settings import PlaceSettings

app = typer.Typer(help="The database, named by SMARTSTORE_DATABASE (a DSN).", no_args_is_help=True)


@app.command()
def migrate() -> None:
    """Brings the schema up to date; safe to repeat."""
    from infra.db.migrate import migrate as apply

    console = Console()
    done = apply(_dsn(), lambda name: console.print(f"  {name}"))
    console.print(f"{done} migrations applied." if done else "The schema is up to date.")


@app.command()
def status() -> None:
    """Says which migrations the database has."""
    from infra.db.migrate import status as read

    console = Console()
    for migration in read(_dsn()):
        console.print(f"{'applied' if migration.applied else 'missing'}  {migration.name}")


def _dsn() -> SecretStr:
    dsn = settings_of(PlaceSettings).database
    if not dsn:
        raise UserError(
            "no database was named; set SMARTSTORE_DATABASE to its DSN, such as "
            "postgresql://user@host/name (the password belongs into PGPASSFILE)"
        )
    return SecretStr(dsn)
