"""The command line as one whom it refuses sees it."""

import logging
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.cli import main

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _same_log_afterwards() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.getLogger("aiokafka").filters.clear()


Refused = Callable[..., str]


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Refused:
    """Runs the command line, and returns the one sentence with which it refuses."""

    def run(words: str, code: int = 2, **env: str) -> str:
        monkeypatch.chdir(ROOT)
        needs_layout = words.split()[0] in ("react", "measure", "player", "web", "gateway", "till")
        if needs_layout and "--layout" not in words:
            env.setdefault("SMARTSTORE_LAYOUT", "examples/store.yaml")
        for name, value in {"SMARTSTORE_STATE": str(tmp_path / "state"), **env}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["smartstore", *shlex.split(words)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capfd.readouterr()
        assert told.out == ""
        assert ended.value.code == code
        return _one_sentence(told.err)

    return run


@pytest.fixture(scope="session")
def one_sentence() -> Callable[[str], str]:
    """Returns the sentence that is all there is on standard error."""
    return _one_sentence


def _one_sentence(told: str) -> str:
    assert "Traceback" not in told
    assert told.count("\n") == 1, told
    assert told.startswith("smartstore: ")
    assert told.endswith(".\n")
    assert not told.endswith("..\n")
    assert "; " in told, "the cause, then the mend"
    assert "geheim" not in told
    sentence = told.removeprefix("smartstore: ").strip()
    first = sentence.split()[0].rstrip(",;:")
    assert first[0].isupper() or not first.isalpha(), "a word begins with a capital"
    return sentence
