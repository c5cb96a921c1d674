"""The store's key in systemd's hands, and what comes back from there."""

import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.notify import Service
from edge.security.kept_key import KeptKey

KEY = bytes(range(32))


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(10)
        yield listening


def kept(systemd: socket.socket, environment: dict[str, str] | None = None, first: int = 3) -> KeptKey:
    service = Service(lambda: 0.0, {"NOTIFY_SOCKET": systemd.getsockname()})
    return KeptKey(service, {} if environment is None else environment, first)


def heard(systemd: socket.socket) -> tuple[list[str], list[int]]:
    said, descriptors, _, _ = socket.recv_fds(systemd, 4096, 4)
    return said.decode().split("\n"), descriptors


def words(**other: str) -> dict[str, str]:
    said = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "store-key"}
    return {**said, **other}


def test_it_is_handed_over_sealed_and_comes_back_once(systemd: socket.socket) -> None:
    kept(systemd).keep(KEY)
    assert heard(systemd) == (["FDSTOREREMOVE=1", "FDNAME=store-key"], [])  # never two of them
    said, (descriptor,) = heard(systemd)
    assert said == ["FDSTORE=1", "FDNAME=store-key", "FDPOLL=0"]
    with pytest.raises(PermissionError):
        os.pwrite(descriptor, b"x", 0)
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 0)

    environment = words()
    again = kept(systemd, environment, descriptor)
    assert again.take() == KEY
    assert environment == {}  # no child sees that there was one
    assert again.take() is None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize(
    "environment",
    [{}, words(LISTEN_PID="1"), words(LISTEN_FDS="x"), words(LISTEN_FDS="0"), words(LISTEN_FDNAMES="other")],
)
def test_what_was_not_handed_to_this_process_is_not_taken(
    environment: dict[str, str], systemd: socket.socket
) -> None:
    kept(systemd).keep(KEY)
    heard(systemd)
    _, (descriptor,) = heard(systemd)
    assert kept(systemd, dict(environment), descriptor).take() is None
    if environment.get("LISTEN_FDNAMES") != "other":
        os.close(descriptor)


@pytest.mark.parametrize(("content", "seals"), [(KEY, 0), (KEY[:31], 15), (KEY + b"x", 15), (b"", 15)])
def test_what_is_no_key_of_ours_is_refused(content: bytes, seals: int, systemd: socket.socket) -> None:
    descriptor = os.memfd_create("other", os.MFD_ALLOW_SEALING)
    os.write(descriptor, content)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    assert kept(systemd, words(), descriptor).take() is None


def test_a_plain_file_is_refused(tmp_path: Path, systemd: socket.socket) -> None:
    (tmp_path / "key").write_bytes(KEY)
    descriptor = os.open(tmp_path / "key", os.O_RDONLY)
    assert kept(systemd, words(), descriptor).take() is None


def test_where_no_systemd_listens_nothing_is_kept() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    KeptKey(Service(lambda: 0.0, {}), {}).keep(KEY)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
