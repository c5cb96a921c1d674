"""The link cutter does what it says: cut refuses, hole swallows in silence, open forwards."""

import socket
import time
from collections.abc import Iterator

import pytest

from tests.system.brokers import CutLink, cut_link

pytestmark = pytest.mark.system


@pytest.fixture
def far() -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(30)
        yield listener


@pytest.fixture
def link(far: socket.socket) -> Iterator[CutLink]:
    with cut_link(far.getsockname()[1]) as link:
        yield link


def connect(link: CutLink, far: socket.socket) -> tuple[socket.socket, socket.socket]:
    near = socket.create_connection(("127.0.0.1", link.port), timeout=30)
    other, _ = far.accept()
    other.settimeout(30)
    near.settimeout(30)
    return near, other


def test_an_open_link_forwards_both_ways_and_counts(link: CutLink, far: socket.socket) -> None:
    near, other = connect(link, far)
    with near, other:
        near.sendall(b"up" * 50)
        assert other.recv(200) == b"up" * 50
        other.sendall(b"down")
        assert near.recv(10) == b"down"
        counts = link.say("stats")
    assert (counts["up"], counts["down"], counts["swallowed"], counts["live"]) == (100, 4, 0, 1)


def test_a_cut_closes_what_is_there_and_refuses_what_comes(link: CutLink, far: socket.socket) -> None:
    near, other = connect(link, far)
    with near, other:
        link.say("cut")
        assert near.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", link.port), timeout=1)
    link.say("open")
    near, other = connect(link, far)
    with near, other:
        near.sendall(b"again")
        assert other.recv(10) == b"again"


def test_a_hole_swallows_in_silence_and_what_lost_bytes_stays_dead(link: CutLink, far: socket.socket) -> None:
    near, other = connect(link, far)
    with near, other:
        link.say("hole")
        other.settimeout(0.3)
        near.sendall(b"lost")
        with pytest.raises(TimeoutError):
            other.recv(10)
        with socket.create_connection(("127.0.0.1", link.port), timeout=1) as late:
            late.sendall(b"also lost")
            late.settimeout(0.3)
            with pytest.raises(TimeoutError):
                late.recv(10)
        assert link.say("open")["swallowed"] == 13
        near.sendall(b"too late")
        with pytest.raises(TimeoutError):
            other.recv(10)


def test_the_end_of_its_input_ends_it(far: socket.socket) -> None:
    link = CutLink(far.getsockname()[1])
    assert link._process.stdin is not None
    link._process.stdin.close()
    deadline = time.monotonic() + 30
    while link._process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert link._process.returncode == 0
    link.close()
