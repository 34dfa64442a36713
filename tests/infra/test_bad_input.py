"""What a user can do wrong, through the real command line: one sentence, exit code 2, no traceback.

In this process for speed, and a handful as the program itself; what needs servers is in
tests/integration/test_bad_input_stack.py.
"""

import logging
import os
import pwd
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

from infra.cli import main
from infra.errors import UserError
from infra.layouts import MAX_LAYOUT_BYTES
from infra.report import Detector, GatewayStats, write_report
from infra.stack.errors import PartRefusedError, StateFolderError
from infra.stack.part import Part
from infra.stack.process import Command
from infra.stack.state import StateFolder
from infra.stack.supervisor import Supervisor
from signage.catalogue import load_catalogue
from signage.errors import CatalogueError

ROOT = Path(__file__).parents[2]

STORE = """
store_id: s
name: A store
areas: [{area_id: a}]
zones:
  - {zone_id: left, area_id: a, name: Left, face: [0, 0, 1, 1]}
  - {zone_id: right, area_id: a, name: Right, face: [1, 0, 2, 1]}
screens: [{screen_id: screen-1, area_id: a, name: Screen}]
cameras:
  - {camera_id: c, area_id: a, pose: {position_m: [1, 0, 1.5]}}
"""
CAMERA = "  - {camera_id: c, area_id: a, pose: {position_m: [1, 0, 1.5]}}\n"
NO_CAMERAS = STORE.partition("cameras:")[0]
TWO_CAMERAS = STORE + CAMERA.replace("camera_id: c", "camera_id: d")
TWO_AREAS = STORE.replace("[{area_id: a}]", "[{area_id: a}, {area_id: b}]")

#: An address at which nobody listens, and what processes want to be told.
AWAY = "127.0.0.1:1"
SERVERS = {"SMARTSTORE_KAFKA": AWAY, "SMARTSTORE_DATABASE": f"postgresql://me:geheim@{AWAY}/shop"}


@dataclass(frozen=True)
class Case:
    """A mistake. In `words`, `env` and `says`, {tmp} is a folder that holds `files`."""

    name: str
    words: str
    cause: str
    mend: str
    files: dict[str, str | bytes] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)


def layout(name: str, text: str | bytes, cause: str, mend: str = "correct it there") -> Case:
    """A layout that is none."""
    return Case(f"layout: {name}", "demo --layout {tmp}/l.yaml", cause, mend, {"l.yaml": text})


def video(name: str, content: bytes | None, cause: str, mend: str) -> Case:
    """A file that is no video."""
    files: dict[str, str | bytes] = {} if content is None else {"v.mp4": content}
    words = "run --layout examples/aisle.yaml --camera {tmp}/v.mp4"
    return Case(f"video: {name}", words, cause, mend, files)


def setting(words: str, cause: str, mend: str, **env: str) -> Case:
    """A variable of the environment that is not valid."""
    [(name, value)] = env.items()
    named = {**SERVERS, f"SMARTSTORE_{name}": value}
    return Case(f"{name}={value} {words.split()[0]}", words, cause, mend, env=named)


def typed(words: str, cause: str) -> Case:
    """Words that the command line does not have."""
    command = " ".join(["smartstore", *[w for w in words.split()[:1] if w in ("demo", "topics")]])
    return Case(words, words, cause, f"see `{command}")


CASES = [
    video("missing", None, "no video {tmp}/v.mp4", "name a video file"),
    video("a text", b"This is no video.\n" * 200, "is not a video", "convert it with ffmpeg"),
    video("empty", b"", "is an empty file", "copy it again"),
    video("noise", bytes(range(256)) * 40, "is not a video", "convert it with ffmpeg"),
    Case(
        "video: a folder",
        "run --layout examples/aisle.yaml --camera {tmp}",
        "{tmp} is a folder",
        "name a video file in it",
    ),
    Case(
        "layout: missing",
        "demo --layout {tmp}/none.yaml",
        "no layout {tmp}/none.yaml",
        "--layout, such as examples/store.yaml",
    ),
    Case("layout: a folder", "demo --layout {tmp}", "Is a directory", "name another file"),
    layout("no YAML", "zones: [a, b\nname: }", "is no valid YAML", "mend it there"),
    layout("a tab", "areas:\n\t- area_id: a", "line 2", "mend it there"),
    layout("a date that is none", "name: 2024-13-45", "month must be in", "mend that value"),
    layout("brackets without end", "[" * 1_000, "is no valid YAML", "mend that value"),
    layout("a key twice", STORE + "zones: []\n", "'zones' is given twice", "mend it there"),
    layout("binary", b"\x89PNG\r\n\x1a\n\xff\xfe" * 9, "is no text", "name a YAML file"),
    layout("binary in UTF-8", b"a\x00\x01", "special characters", "mend it there"),
    layout("large", b"#" * (MAX_LAYOUT_BYTES + 1), "is larger than", "examples/store.yaml"),
    layout("empty", "", "holds no layout but nothing", "as examples/store.yaml does"),
    layout("a list", "[1, 2]", "holds no layout but a list", "as examples/store.yaml does"),
    layout("a key missing", "name: A store", "missing required field 'store_id'"),
    layout("unknown key", STORE + "colour: red\n", "unknown field 'colour'"),
    layout(
        "unknown key of a zone",
        STORE.replace("name: Left", "name: Left, colour: red"),
        "in zones[0] object contains unknown field 'colour'",
    ),
    layout(
        "overlapping zones",
        STORE.replace("[1, 0, 2, 1]", "[0.5, 0, 2, 1]"),
        "the faces of 'left' and 'right' overlap",
    ),
    layout("a face the wrong way", STORE.replace("[0, 0, 1, 1]", "[1, 0, 0, 1]"), "x0 < x1"),
    layout(
        "unknown area",
        STORE.replace("zone_id: left, area_id: a", "zone_id: left, area_id: b"),
        "area 'b' is used but not listed",
    ),
    layout("the same id", STORE.replace("right", "left"), "id 'left' is used more than once"),
    layout(
        "a polygon of two points",
        STORE.replace("face: [0, 0, 1, 1]", "floor: [[0, 0], [1, 1]]"),
        "in zones[0].floor expected 'array' of length >= 3",
    ),
    layout(
        "a polygon in pixels",
        STORE.replace("pose:", "views: [{target_id: left, polygon: [[0,0],[640,0],[0,9]]}], pose:"),
        "the polygon of 'left' must be normalised",
    ),
    layout(
        "a view of nothing",
        STORE.replace("pose:", "views: [{target_id: x, polygon: [[0,0],[1,0],[0,1]]}], pose:"),
        "neither a zone nor a screen",
    ),
    layout(
        "a wrong type", STORE.replace("pose:", "fps: fast, pose:"), "in cameras[0].fps expected"
    ),
    layout("a negative rate", STORE.replace("pose:", "fps: -1, pose:"), "'float' > 0.0"),
    layout("two areas", TWO_AREAS, "has 2 areas", "a layout of its own"),
    layout("no camera to draw for", NO_CAMERAS, "no camera with a pose", "give it one"),
    layout(
        "nothing to look at",
        STORE.replace(", face: [0, 0, 1, 1]", "").replace(", face: [1, 0, 2, 1]", ""),
        "no zone with a face",
        "give a zone its face",
    ),
    Case(
        "layout without cameras, run",
        "run --layout {tmp}/l.yaml --camera {tmp}/v.mp4",
        "has 0 cameras, but --camera names one",
        "use a layout with one camera",
        {"l.yaml": NO_CAMERAS},
    ),
    Case(
        "two cameras, one video",
        "run --layout {tmp}/l.yaml --camera {tmp}/v.mp4",
        "has 2 cameras, but --camera names one",
        "use a layout with one camera",
        {"l.yaml": TWO_CAMERAS},
    ),
    Case(
        "two cameras, one video, gateway",
        "gateway --layout {tmp}/l.yaml --camera {tmp}/v.mp4",
        "has 2 cameras",
        "--camera CAMERA_ID=ADDRESS",
        {"l.yaml": TWO_CAMERAS},
    ),
    Case(
        "unknown camera",
        "gateway --layout examples/aisle.yaml --camera till=v.mp4",
        "no camera 'till'",
        "name one of: aisle-1",
    ),
    Case(
        "neither video nor simulation",
        "gateway --layout examples/aisle.yaml",
        "no camera was named",
        "give one of --camera FILE",
    ),
    Case(
        "unknown area",
        "gateway --layout examples/store.yaml --simulate --area cellar",
        "no area 'cellar'",
        "name one with --area: main",
    ),
    Case(
        "two areas, gateway",
        "gateway --layout {tmp}/l.yaml --simulate",
        "has 2 areas",
        "name one with --area: a, b",
        {"l.yaml": TWO_AREAS},
    ),
    Case(
        "unknown screen",
        "player --layout examples/store.yaml --screen door",
        "no screen 'door'",
        "name one with --screen: screen-1",
        env=SERVERS,
    ),
    Case("no layout named", "react", "no layout was named", "SMARTSTORE_LAYOUT", env=SERVERS),
    Case(
        "weights: a text",
        "demo --weights README.md",
        "no ONNX model",
        "name the .onnx, .xml or .pt",
    ),
    Case("weights: missing", "demo --weights {tmp}/no.onnx", "No such file", "name a .onnx"),
    Case(
        "weights: truncated",
        "models prepare --weights {tmp}/w.onnx",
        "no ONNX model",
        "name the .onnx, .xml or .pt",
        {"w.onnx": b"\x08\x08\x12\x07pytorch\x3a\xff\xff\x7f" + bytes(100)},
    ),
    Case(
        "weights: a checkpoint that is none",
        "demo --weights {tmp}/w.pt",
        "no PyTorch checkpoint",
        "name the .pt file",
        {"w.pt": b"PK\x03\x04 and no more"},
    ),
    Case(
        "no folder of models",
        "demo",
        "{tmp}/none does not exist",
        "correct SMARTSTORE_MODELS",
        env={"SMARTSTORE_MODELS": "{tmp}/none"},
    ),
    Case(
        "no environment for Triton",
        "demo",
        "{tmp} lacks python3",
        "name another one with SMARTSTORE_TRITON_ENVIRONMENT",
        env={"SMARTSTORE_TRITON_ENVIRONMENT": "{tmp}"},
    ),
    Case(
        "state: a file",
        "demo",
        "the state folder {tmp}/file cannot be used",
        "SMARTSTORE_STATE",
        {"file": "mine"},
        {"SMARTSTORE_STATE": "{tmp}/file"},
    ),
    Case("report: a folder", "demo --report {tmp}", "it is a folder", "name a file in it"),
    Case(
        "report: below a file",
        "demo --report {tmp}/file/r.json",
        "cannot be written",
        "name another file",
        {"file": "mine"},
    ),
    typed("demo --seconds 0", "'--seconds'"),
    typed("demo --seconds -3", "'--seconds'"),
    typed("demo --seconds abc", "'--seconds'"),
    typed("demo --seconds nan", "'--seconds'"),
    typed("demo --seconds inf", "'--seconds'"),
    typed("demo --seed -1", "'--seed'"),
    typed("demo --port 70000", "'--port'"),
    typed("demo --input-size 7", "'--input-size'"),
    typed("demo --adaptive-share 2", "'--adaptive-share'"),
    typed("demo --secnds 3", "--secnds"),
    typed("demo cellar", "cellar"),
    typed("demmo", "'demmo' (did you mean 'demo'?)"),
    typed("--what", "--what"),
    Case("run: an option missing", "run", "Missing option", "see `smartstore run --help`"),
    Case(
        "topics: an option",
        "topics create --partitions 0",
        "'--partitions'",
        "see `smartstore topics create --help`",
    ),
    setting("topics create", "SMARTSTORE_KAFKA is no address", "127.0.0.1:9092", KAFKA="broker"),
    setting("react", "SMARTSTORE_KAFKA is no address", "host:port", KAFKA="kafka://b:9092"),
    setting("sink", "SMARTSTORE_KAFKA is no address", "host:port", KAFKA="b:99999"),
    setting("web", "SMARTSTORE_KAFKA is no address", "host:port", KAFKA="b:9092,"),
    setting("doctor", "SMARTSTORE_TRITON is no address", "127.0.0.1:8001", TRITON="gpu"),
    setting("sink", "SMARTSTORE_DATABASE is no address", "PGPASSFILE", DATABASE="host=a geheim"),
    setting("web", "SMARTSTORE_DATABASE is no address", "PGPASSFILE", DATABASE="host=a geheim"),
    setting("db status", "address cannot be read", "postgresql://", DATABASE="host=a geheim"),
    setting(
        "react",
        "SMARTSTORE_EXPERIMENT_ADAPTIVE_SHARE is not valid (input should be less than",
        "correct it in the environment",
        EXPERIMENT_ADAPTIVE_SHARE="2",
    ),
    setting("measure", "_SLOT_MS is not valid", "correct it", EXPERIMENT_SLOT_MS="an hour"),
    setting("demo", "SMARTSTORE_KAFKA_PORT is not valid", "correct it", KAFKA_PORT="http"),
    setting("measure", "keep_ms is 5000", "change one of them", KEEP_MS="5000"),
    setting(
        "player --screen screen-1",
        "SMARTSTORE_PLAYER_FRAMED_BY cannot be read as JSON",
        "write a list as",
        PLAYER_FRAMED_BY="http://127.0.0.1",
    ),
    Case(
        "a broker is missing",
        "react",
        "SMARTSTORE_KAFKA is not set",
        "set it in the environment",
    ),
    Case(
        "an option that a setting refuses",
        "web --player-url nowhere",
        "--player-url is not valid",
        "give another",
        env=SERVERS,
    ),
    Case(
        "topics: no broker",
        "topics create",
        f"the broker at {AWAY}",
        "see that it runs",
        env=SERVERS,
    ),
    Case("db: no database named", "db migrate", "no database was named", "SMARTSTORE_DATABASE"),
    Case("db: no database", "db migrate", f"'shop' at {AWAY}", "start it or correct", env=SERVERS),
    Case("schema: a file", "topics schema --write {tmp}/f", "{tmp}/f", "name another", {"f": ""}),
]


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
        return one_sentence(told.err)

    return run


def one_sentence(told: str) -> str:
    """The sentence that is all there is on standard error."""
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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_mistake_is_one_sentence_with_cause_and_mend(
    case: Case, tmp_path: Path, refused: Refused
) -> None:
    for name, content in case.files.items():
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    env = {name: value.format(tmp=tmp_path) for name, value in case.env.items()}
    if case.name == "no layout named":
        env["SMARTSTORE_LAYOUT"] = ""
    said = refused(case.words.format(tmp=tmp_path), **env)
    assert case.cause.format(tmp=tmp_path).lower() in said.lower()
    assert case.mend.format(tmp=tmp_path).lower() in said.lower()
    after = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert after == before, "nothing is lost, and nothing is left behind"


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


@pytest.mark.parametrize(
    ("words", "variable"),
    [
        ("demo --port {port}", None),
        ("demo", "SMARTSTORE_KAFKA_PORT"),
        ("demo", "SMARTSTORE_DATABASE_PORT"),
        ("demo", "SMARTSTORE_TRITON_GRPC_PORT"),
        ("player --screen screen-1 --port {port}", None),
        ("web --port {port}", None),
        ("web", "SMARTSTORE_WEB_PORT"),
    ],
)
def test_a_taken_port(words: str, variable: str | None, taken_port: int, refused: Refused) -> None:
    env = {} if words.startswith("demo") else dict(SERVERS)
    if variable is not None:
        env[variable] = str(taken_port)
    said = refused(words.format(port=taken_port), **env)
    assert f"127.0.0.1:{taken_port}" in said
    assert "stop" in said
    assert "name another" in said or "SMARTSTORE_WEB_PORT" in said


def test_one_port_for_two(refused: Refused) -> None:
    said = refused("demo --port 18099", SMARTSTORE_KAFKA_PORT="18099")
    assert "The live page and the broker were both given port 18099" in said


def test_a_state_folder_in_use(tmp_path: Path, refused: Refused) -> None:
    with StateFolder(tmp_path / "state"):
        said = refused("demo")
    assert f"process {os.getpid()}" in said
    assert "stop it, or name another folder with SMARTSTORE_STATE" in said


def test_a_state_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "theirs").write_text("mine")
    with StateFolder(shared) as state:
        assert state.run.stat().st_mode & 0o077 == 0
    assert shared.stat().st_mode & 0o7777 == 0o1777
    assert (shared / "theirs").read_text() == "mine"


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Permissions are not enforced for root, so root becomes another user for a while."""
    if os.geteuid() != 0:
        yield
        return
    nobody = pwd.getpwnam("nobody")
    os.setresgid(nobody.pw_gid, nobody.pw_gid, 0)
    os.setresuid(nobody.pw_uid, nobody.pw_uid, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)


@pytest.mark.parametrize(
    ("words", "env", "cause", "mend"),
    [
        ("demo --layout {tmp}/closed", {}, "cannot be read (permission denied)", "permissions"),
        (
            "run --layout examples/aisle.yaml --camera {tmp}/closed",
            {},
            "may not be read by this user",
            "mend its permissions",
        ),
        ("demo --weights {tmp}/closed", {}, "cannot be read (permission denied)", "name a .onnx"),
        ("demo --report {tmp}/no/r.json", {}, "cannot be written (permission denied)", "another"),
        ("demo", {"SMARTSTORE_STATE": "{tmp}/no/s"}, "permission denied", "SMARTSTORE_STATE"),
        ("topics schema --write {tmp}/no/s", {}, "permission denied", "mend its permissions"),
    ],
)
def test_wrong_permissions(
    words: str, env: dict[str, str], cause: str, mend: str, refused: Refused
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "closed").write_text(STORE)
        (folder / "closed").chmod(0)
        (folder / "no").mkdir(mode=0o555)
        named = {k: v.format(tmp=folder) for k, v in env.items()}
        named.setdefault("SMARTSTORE_STATE", str(folder / "state"))
        with as_ordinary_user():
            said = refused(words.format(tmp=folder), **named).lower()
    assert cause in said
    assert mend.lower() in said


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"DID NOT RUN: no full disk could be made: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_without_room_for_a_run(small_disk: Path, refused: Refused) -> None:
    said = refused("demo", SMARTSTORE_STATE=str(small_disk / "state"))
    assert "has 2 MB free, and a run needs 64" in said
    assert "free some, or name another folder with SMARTSTORE_STATE" in said
    assert list(small_disk.iterdir()) == []


def test_a_full_disk(small_disk: Path) -> None:
    with (small_disk / "filler").open("wb", buffering=0) as filler:
        assert filler.write(bytes(4_000_000)) < 4_000_000
    with pytest.raises(StateFolderError, match=r"No space left .*; free space there, or name"):
        StateFolder(small_disk / "state").open()
    with pytest.raises(UserError, match=r"No space left on device\); name another file"):
        write_report(_FIGURES, small_disk / "r.json")


_FIGURES = GatewayStats(
    cameras=[], detector=Detector(name="none", sha256=""), frames_failed=0, errors=[]
)


def test_a_report_that_finds_no_room_is_kept(tmp_path: Path) -> None:
    kept = tmp_path / "report.json"
    with pytest.raises(UserError) as refused:
        write_report(_FIGURES, Path("/dev/full"), kept)
    assert "No space left on device" in str(refused.value)
    assert str(refused.value).endswith(f"; copy it from {kept}, where it is kept")


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("creative.yaml", "creative_id: tea\ncolour: red\n", "not a description"),
        ("creative.yaml", None, "has no creative.yaml"),
        ("index.html", None, "the page is missing"),
    ],
)
def test_a_broken_creative(tmp_path: Path, file: str, content: str | None, says: str) -> None:
    home = tmp_path / "tea"
    home.mkdir()
    for name in ("creative.yaml", "index.html"):
        own = ROOT / "signage" / "creatives" / "tea" / name
        (home / name).write_bytes(own.read_bytes())
    (home / file).unlink()
    if content is not None:
        (home / file).write_text(content)
    with pytest.raises(CatalogueError, match=says) as refused:
        load_catalogue(tmp_path)
    assert str(home) in str(refused.value)
    assert "\n" not in str(refused.value)


def program(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command line as a user starts it."""
    return subprocess.run(
        [sys.executable, "-m", "infra", *words],
        cwd=ROOT,
        env={**os.environ, **env},
        text=True,
        capture_output=True,
        timeout=60,
    )


def test_a_cut_video_as_a_program(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for shade in range(30):
        writer.write(np.full((48, 64, 3), shade, np.uint8))
    writer.release()
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    done = program("run", "--camera", str(cut), "--layout", "examples/aisle.yaml")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "was cut off; name a whole one" in one_sentence(done.stderr)


def test_no_broker_as_a_program() -> None:
    done = program("topics", "create", SMARTSTORE_KAFKA=AWAY)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"broker at {AWAY} did not answer" in one_sentence(done.stderr)


def test_the_doctor_says_what_is_missing_again() -> None:
    done = program("doctor", SMARTSTORE_KAFKA=AWAY)
    assert done.returncode == 2
    assert f"MISSING Kafka: the broker at {AWAY}" in done.stdout
    assert "Kafka" in one_sentence(done.stderr)


def test_what_is_printed_onto_a_full_disk() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "infra", "topics", "schema"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 2
    assert "There is no room for" in one_sentence(done.stderr)


def test_a_command_group_alone_shows_what_there_is(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["smartstore", "topics"])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capfd.readouterr()
    assert ended.value.code == 2
    assert "create" in told.out
    assert told.err == ""


@pytest.mark.parametrize(("code", "passed_on"), [(2, True), (1, False)])
async def test_a_part_that_ends_over_a_mistake_is_quoted(
    tmp_path: Path, code: int, passed_on: bool
) -> None:
    said = "The port is taken; name another."
    script = f"import sys; sys.stderr.write('log\\nsmartstore: {said}\\n'); sys.exit({code})"
    part = Part("p", Command([sys.executable, "-c", script]), ready=tmp_path / "never")
    with StateFolder(tmp_path / "state") as state:
        async with Supervisor(state) as supervisor:
            with pytest.raises(Exception, match="The port is taken") as failed:
                await supervisor.start(part)
    assert isinstance(failed.value, PartRefusedError) == passed_on
    assert (str(failed.value) == said) == passed_on
