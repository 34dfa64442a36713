"""Fetches the publisher's weights over https, quickly or not at all."""

import http.client
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.triton.errors import DetectorModelError

#: To connect, and between two pieces: a shop without network must not wait for its fallback.
TIMEOUT_S = 5.0
#: In all. 6.3 MB in this time is a line of 0.5 Mbit/s.
DEADLINE_S = 100.0
#: The file has 6.3 MB; an answer much larger is something else.
MAX_BYTES = 32 * 1024 * 1024
_PIECE_BYTES = 256 * 1024


class DownloadError(DetectorModelError):
    """The publisher could not be reached, or answered something else."""


def download(url: str, target: Path, progress: Callable[[str], None]) -> None:
    """Writes what `url` answers to `target`.

    Raises:
        DownloadError: no answer in time, or too large a one.
    """
    doing = f"downloading {url.rsplit('/', 1)[-1]} from its publisher"
    progress(doing)
    deadline_s = time.monotonic() + DEADLINE_S
    try:
        with _open(url) as answer, target.open("wb") as file:
            size = 0
            while piece := answer.read(_PIECE_BYTES):
                size += len(piece)
                if size > MAX_BYTES or time.monotonic() > deadline_s:
                    raise DownloadError("the publisher's answer is too large or too slow")
                file.write(piece)
                # Told at each piece, since an interrupted start ends it here.
                progress(f"{doing}, {size / 1e6:.1f} MB")
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DownloadError(f"the publisher's weights cannot be fetched ({reason})") from error


def _open(url: str) -> Any:
    """The open answer of `url`.

    Asked for in a thread, since no time-out of ours reaches the name lookup, which can take half a
    minute where a resolver is configured but not there.
    """
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(urllib.request.urlopen(url, timeout=TIMEOUT_S))  # noqa: S310 - ours, https
        except urllib.error.HTTPError as error:
            error.close()
            answers.put(error)
        except (OSError, http.client.HTTPException) as error:
            answers.put(error)

    threading.Thread(target=ask, name="download", daemon=True).start()
    try:
        # The page redirects once: two connections.
        answer = answers.get(timeout=2 * TIMEOUT_S)
    except queue.Empty:
        raise DownloadError("the publisher's weights cannot be fetched (no answer)") from None
    if isinstance(answer, Exception):
        raise answer
    return answer
