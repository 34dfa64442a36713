"""Bytes are kept by their fingerprint, whole or not at all; versions never change."""

import hashlib
from pathlib import Path

import msgspec
import pytest

from signage.catalogue import load_catalogue
from signage.errors import CatalogueError
from signage.media import MediaArchive


def test_bytes_are_found_by_their_fingerprint_alone(tmp_path: Path) -> None:
    archive = MediaArchive(tmp_path)
    source = tmp_path / "a.png"
    source.write_bytes(b"picture")
    sha256 = archive.put(source)
    assert sha256 == hashlib.sha256(b"picture").hexdigest() == archive.put(b"picture")
    assert archive.path(sha256).read_bytes() == b"picture"
    assert archive.intact(sha256)
    assert sorted(path.name for path in archive.folder.iterdir()) == [sha256]


def test_a_changed_byte_is_seen(tmp_path: Path) -> None:
    archive = MediaArchive(tmp_path)
    sha256 = archive.put(b"picture")
    archive.path(sha256).write_bytes(b"pictura")
    assert archive.holds(sha256)
    assert not archive.intact(sha256)
    assert not archive.intact("0" * 64)


def test_a_version_once_kept_never_changes(tmp_path: Path) -> None:
    archive = MediaArchive(tmp_path)
    coffee = load_catalogue().creatives[2]
    assert archive.version(coffee.creative_id, coffee.version) is None
    archive.keep_version(coffee)
    archive.keep_version(coffee)
    assert archive.version(coffee.creative_id, coffee.version) == coffee
    with pytest.raises(CatalogueError, match="versions never change; raise `version`"):
        archive.keep_version(msgspec.structs.replace(coffee, title="Other"))
    archive.keep_version(msgspec.structs.replace(coffee, title="Other", version=coffee.version + 1))


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "media").write_text("a file in the way")
    with pytest.raises(CatalogueError, match="it cannot be written"):
        MediaArchive(tmp_path).put(b"picture")
