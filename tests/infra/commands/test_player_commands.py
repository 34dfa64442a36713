"""`smartstore player` and `smartstore keys` as people type them."""

import re
import stat
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from infra.commands.tree import app
from infra.errors import UserError
from signage.core.chain import Head, link
from signage.player.pairing import Pairing
from signage.signing import Signer, Trust
from streams.contracts.signage import Play

LAYOUT = "examples/store.yaml"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SMARTSTORE_LAYOUT", LAYOUT)
    monkeypatch.setenv("SMARTSTORE_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("SMARTSTORE_STATE", str(tmp_path / "state"))


def proofs(count: int) -> list[bytes]:
    head, made = Head(), []
    for number in range(count):
        play = Play(
            play_id=f"p-{number}",
            phase="started",
            player_id="screen-1",
            store_id="s",
            area_id="a",
            screen_id="screen-1",
            decision_id="d",
            creative_id="c",
            creative_version=1,
            scheduled_at_ms=0,
            rendered_at_ms=0,
        )
        linked, head = link(play, head)
        made.append(msgspec.json.encode(linked))
    return made


def test_a_player_wants_a_screen() -> None:
    done = CliRunner().invoke(app, ["player"])
    assert isinstance(done.exception, UserError)
    done = CliRunner().invoke(app, ["player", "--screen", "nowhere"])
    assert "the layout has no screen 'nowhere'" in str(done.exception)


def test_keys_are_made_once(tmp_path: Path) -> None:
    key, trust = tmp_path / "k", tmp_path / "t"
    arguments = ["keys", "new", "--private", str(key), "--trust", str(trust), "--name", "Shop"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert Signer.load(key).key_id in done.output
    assert set(Trust.load(trust).keys) == {Signer.load(key).key_id}
    assert "PRIVATE" not in done.output
    assert CliRunner().invoke(app, arguments).exit_code != 0


def test_a_player_for_this_machine_alone_pairs_nobody() -> None:
    done = CliRunner().invoke(app, ["player", "pair", "--screen", "screen-1"])
    assert "pairs nobody" in str(done.exception)


def test_a_code_is_printed_with_the_fingerprint(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SMARTSTORE_PLAYER_HOST", "192.0.2.7")
    done = CliRunner().invoke(app, ["player", "pair", "--screen", "screen-1", "--port", "8443"])
    assert done.exit_code == 0, done.output
    assert "https://192.0.2.7:8443/pair" in done.output
    found = re.search(r"code +(\d{8})", done.output)
    assert found is not None
    assert re.search(r"fingerprint +([0-9A-F]{2}:){31}[0-9A-F]{2}", done.output)
    folder = tmp_path / "state" / "players" / "screen-1"
    assert stat.S_IMODE((folder / "pairing.json").stat().st_mode) == 0o600
    assert Pairing(folder).redeem(found[1], 0) is not None
    done = CliRunner().invoke(app, ["player", "pair", "--screen", "screen-1", "--forget"])
    assert "1 page(s) of screen-1 let go" in done.output


def test_a_chain_in_a_file_is_verified(tmp_path: Path) -> None:
    chain = proofs(5)
    file = tmp_path / "proofs.jsonl"
    file.write_bytes(b"\n".join(chain) + b"\n")
    done = CliRunner().invoke(app, ["player", "verify-chain", str(file)])
    assert done.exit_code == 0, done.output
    assert "intact" in done.output
    file.write_bytes(b"\n".join([*chain[:2], *chain[3:]]))
    done = CliRunner().invoke(app, ["player", "verify-chain", str(file)])
    assert done.exit_code == 1
    assert "1 proof(s) are missing before 4" in done.output
    for empty in ("", "nonsense\n"):
        file.write_text(empty)
        done = CliRunner().invoke(app, ["player", "verify-chain", str(file)])
        assert isinstance(done.exception, UserError)


def test_a_chain_is_looked_for_where_there_is_one(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["player", "verify-chain", str(tmp_path / "absent")])
    assert "cannot be read" in str(done.exception)
