"""The probe where there is nothing to probe; with a server it is tested in tests/integration."""

import socket

import pytest

from infra.triton.errors import ProbeError
from infra.triton.probe import probe


async def test_a_server_that_is_not_there_is_told_in_one_sentence() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ProbeError, match="did not answer") as caught:
            await probe(url, timeout_s=1.0)
    assert "\n" not in str(caught.value)


async def test_a_server_that_is_silent_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ProbeError, match="did not answer"):
            await probe(url, timeout_s=0.3)
