"""Fetching weights, from a server on this machine."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from infra.triton import download as module
from infra.triton.download import DownloadError, download


class Publisher(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404 if "absent" in self.path else 200)
        short = "short" in self.path
        self.send_header("Content-Length", "2000" if short else "1000")
        self.end_headers()
        self.wfile.write(bytes(1000))

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), Publisher) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_file_arrives(publisher: str, tmp_path: Path) -> None:
    told: list[str] = []
    download(f"{publisher}/folder/pose.pt", tmp_path / "got", told.append)
    assert (tmp_path / "got").read_bytes() == bytes(1000)
    assert told[0] == "downloading pose.pt from its publisher"
    assert told[-1] == "downloading pose.pt from its publisher, 0.0 MB"


def test_a_file_too_large_is_dropped(
    publisher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 999)
    with pytest.raises(DownloadError, match="too large"):
        download(f"{publisher}/pose.pt", tmp_path / "got", lambda _: None)


def test_no_such_file_and_no_such_server(publisher: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="Not Found"):
        download(f"{publisher}/absent", tmp_path / "got", lambda _: None)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(DownloadError, match="refused"):
            download(f"http://127.0.0.1:{port}/pose.pt", tmp_path / "got", lambda _: None)
