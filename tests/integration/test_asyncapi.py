"""The AsyncAPI document against the specification's own schema, published on npm."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

pytestmark = pytest.mark.stack

DOCUMENT = Path(__file__).parents[2] / "docs" / "schemas" / "asyncapi.json"
PACKAGE = "@asyncapi/specs@6.11.1"
AWAY = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT")


def test_the_document_keeps_to_the_specification(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("DID NOT RUN: npm is not installed")
    words = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(tmp_path), PACKAGE]
    done = subprocess.run(words, text=True, capture_output=True, timeout=100)
    if done.returncode and any(word in done.stderr for word in AWAY):
        pytest.skip("DID NOT RUN: npm reaches no registry")
    assert done.returncode == 0, done.stderr
    schemas = tmp_path / "node_modules" / "@asyncapi" / "specs" / "schemas"
    validator = Draft7Validator(json.loads((schemas / "3.0.0.json").read_text()))
    document = json.loads(DOCUMENT.read_text())
    assert [f"{e.json_path}: {e.message}" for e in validator.iter_errors(document)] == []
    document["channels"]["vision.gaze.v1"]["addres"] = "mistaken"
    assert list(validator.iter_errors(document))
    for message in document["components"]["messages"].values():
        reference = message["payload"]["schema"]["$ref"]
        assert (DOCUMENT.parent / reference).is_file()
