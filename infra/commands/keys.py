"""`smartstore keys`: the keys that sign playlists, and who trusts them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(help="The keys that sign playlists.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The keys that sign playlists."""


@app.command()
def new(
    private: Annotated[
        Path, typer.Option(help="The new file of the private key, which stays with the publisher.")
    ] = Path("smartstore.key"),
    trust: Annotated[
        Path, typer.Option(help="The file of trusted keys, which goes to every player.")
    ] = Path("trust.json"),
    name: Annotated[str, typer.Option(help="Whose key it is, for people.")] = "",
) -> None:
    """Makes a signing key (Ed25519): the private half into a file that its owner alone may read,
    the public half into the file of trusted keys."""
    from signage.signing import new_key

    key_id = new_key(private, trust, name)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"key {key_id}", markup=False)
    console.print(
        f"private  {private}  (SMARTSTORE_PUBLISHER_KEY, for the publisher)", markup=False
    )
    console.print(f"trusted  {trust}  (SMARTSTORE_PLAYER_TRUST, for every player)", markup=False)
