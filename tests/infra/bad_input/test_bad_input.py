"""What a user can do wrong, through the real command line: one sentence, exit code 2, no traceback.

In this process for speed. What this machine refuses and the program itself are tried beside it;
what needs servers is in tests/integration/test_bad_input_stack.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from infra.layouts import MAX_LAYOUT_BYTES

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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_mistake_is_one_sentence_with_cause_and_mend(
    case: Case, tmp_path: Path, refused: Callable[..., str]
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
