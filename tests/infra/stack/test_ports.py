"""Ports: free ones are free, and one that the user asked for is not quietly replaced."""

import socket
from collections.abc import Iterator

import pytest

from infra.stack.errors import PortTakenError
from infra.stack.ports import LOOPBACK, chosen_port, free_port, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, free_port()))


def test_free_ports_are_not_ephemeral() -> None:
    ours = [free_port() for _ in range(20)]
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first, last = (int(word) for word in file.read().split())
    assert not any(first <= port <= last for port in ours)


def test_a_wanted_port_is_taken_as_it_is() -> None:
    port = free_port()
    assert chosen_port("broker", port) == port


def test_a_wanted_port_that_is_taken_is_one_sentence(taken: int) -> None:
    assert not is_free(taken)
    with pytest.raises(PortTakenError, match=f"broker cannot listen on 127.0.0.1:{taken}, because"):
        chosen_port("broker", taken)
