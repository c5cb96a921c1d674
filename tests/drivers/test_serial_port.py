"""The serial transport on real pseudo-terminals: what comes, what is gone, what is not ours."""

import asyncio
import contextlib
import os
import pty
import subprocess
import sys
import termios
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.transport import serial_port
from drivers.transport.serial_port import LineSettings, Parity, open_port
from edge.ports.driver import DeviceUnavailable
from tests.drivers.terminals import Terminal

LINE = LineSettings(115_200)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.pull()


async def test_bytes_come_as_they_are_all_256_of_them(terminal: Terminal) -> None:
    with open_port(terminal.path, LINE) as port:
        os.write(terminal.near, bytes(range(256)))
        received = b""
        async with asyncio.timeout(30):
            while len(received) < 256:
                received += await port.read()
        assert received == bytes(range(256))


async def test_reading_waits_for_what_comes_later(terminal: Terminal) -> None:
    with open_port(terminal.path, LINE) as port:
        asyncio.get_running_loop().call_later(0.05, os.write, terminal.near, b"late")
        async with asyncio.timeout(30):
            assert await port.read() == b"late"


async def test_a_wait_may_be_given_up_and_taken_up_again(terminal: Terminal) -> None:
    with open_port(terminal.path, LINE) as port:
        for _ in range(3):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await port.read()
        os.write(terminal.near, b"there")
        async with asyncio.timeout(30):
            assert await port.read() == b"there"


async def test_what_is_written_arrives_whole(terminal: Terminal) -> None:
    sent = os.urandom(60_000)  # three times what the line holds
    received = bytearray()

    def take() -> None:
        received.extend(os.read(terminal.near, 4096))

    loop = asyncio.get_running_loop()
    loop.add_reader(terminal.near, take)
    with open_port(terminal.path, LINE) as port:
        await port.write(sent)
        async with asyncio.timeout(30):
            while len(received) < len(sent):
                await asyncio.sleep(0.01)
    loop.remove_reader(terminal.near)
    assert bytes(received) == sent


async def test_a_line_that_takes_nothing_is_given_up(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.transport.serial_port.WRITE_WITHIN_S", 0.05)
    with open_port(terminal.path, LINE) as port, pytest.raises(DeviceUnavailable) as refused:
        await port.write(bytes(200_000))
    assert refused.value.stable_code == "port-stuck"


async def test_a_plug_that_is_pulled_ends_the_wait(terminal: Terminal) -> None:
    with open_port(terminal.path, LINE) as port:
        asyncio.get_running_loop().call_later(0.05, terminal.pull)
        with pytest.raises(DeviceUnavailable, match="unplugged") as gone:
            async with asyncio.timeout(30):
                await port.read()
        assert gone.value.stable_code == "device-unplugged"
        with pytest.raises(DeviceUnavailable, match="unplugged"):
            await port.write(b"anybody?")
        with pytest.raises(DeviceUnavailable, match="unplugged"):
            port.set_line(LineSettings(19_200, Parity.ODD))


async def test_what_came_at_another_speed_is_forgotten(terminal: Terminal) -> None:
    with open_port(terminal.path, LINE) as port:
        os.write(terminal.near, b"old")
        await asyncio.sleep(0.05)
        port.set_line(LineSettings(19_200, Parity.ODD))
        os.write(terminal.near, b"new")
        async with asyncio.timeout(30):
            assert await port.read() == b"new"


def test_a_line_with_parity_opens_on_a_pseudo_terminal_again_and_again(terminal: Terminal) -> None:
    for _ in range(3):
        with open_port(terminal.path, LineSettings(19_200, Parity.ODD)):
            pass


def test_a_port_that_is_not_there_is_told_with_the_next_step(tmp_path: Path) -> None:
    path = tmp_path / "ttyUSB0"
    with pytest.raises(DeviceUnavailable) as refused, open_port(str(path), LINE):
        pass
    assert (refused.value.stable_code, refused.value.sentence) == (
        "port-missing",
        f"There is no port {path}.",
    )
    assert "unit.toml" in refused.value.next_step


def test_a_link_that_leads_nowhere_is_a_port_that_is_not_there(tmp_path: Path) -> None:
    link = tmp_path / "by-id"
    link.symlink_to(tmp_path / "ttyUSB0")
    with pytest.raises(DeviceUnavailable) as refused, open_port(str(link), LINE):
        pass
    assert refused.value.stable_code == "port-missing"


def test_a_file_is_no_port(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeviceUnavailable) as refused, open_port(str(tmp_path / "file"), LINE):
        pass
    assert refused.value.stable_code == "port-unusable"


def test_a_port_belongs_to_one(terminal: Terminal) -> None:
    with (
        open_port(terminal.path, LINE),
        pytest.raises(DeviceUnavailable) as refused,
        open_port(terminal.path, LINE),
    ):
        pass
    assert refused.value.stable_code == "port-busy"


def _open_as_nobody(path: str, *, politely: bool = True) -> str:
    """Open it in a child without our rights, lock and all or as any program does; give what came of it."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it has threads; the child needs none of them
        child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            try:
                if politely:
                    with open_port(path, LINE):
                        os.write(write, b"opened")
                else:
                    os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
                    os.write(write, b"opened")
            except OSError:
                os.write(write, b"refused")
            except DeviceUnavailable as refused:
                os.write(write, refused.stable_code.encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as answer:
        return answer.read()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become nobody")
def test_a_port_of_somebody_else_is_told_as_such(terminal: Terminal) -> None:
    os.chmod(terminal.path, 0o600)  # noqa: PTH101  a device node, as udev would do it
    assert _open_as_nobody(terminal.path) == "port-denied"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become nobody")
def test_an_exclusive_hold_ends_with_its_holder(terminal: Terminal) -> None:
    os.chmod(terminal.path, 0o666)  # noqa: PTH101, S103  a device node that anybody may open
    with open_port(terminal.path, LINE):
        assert _open_as_nobody(terminal.path) == "port-busy"
        assert _open_as_nobody(terminal.path, politely=False) == "refused"
    assert _open_as_nobody(terminal.path) == "opened"
    with open_port(terminal.path, LINE):
        pass


def test_a_terminal_at_which_somebody_works_is_never_opened(tmp_path: Path) -> None:
    """A link that a killed simulator has left leads to whatever terminal is opened next."""
    near, far = pty.openpty()
    name = os.ttyname(far)
    sitting = subprocess.Popen(
        [sys.executable, "-c", "import os, sys; os.open(sys.argv[1], os.O_RDWR); sys.stdin.read()", name],
        stdin=subprocess.PIPE,
        start_new_session=True,  # the first terminal that a new session opens is its own
    )
    link = tmp_path / "oximeter-1"
    link.symlink_to(name)
    before = termios.tcgetattr(far)
    try:
        deadline = time.monotonic() + 30
        while not serial_port._is_somebodys_terminal(str(link)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with pytest.raises(DeviceUnavailable) as error, open_port(str(link), LineSettings(115_200)):
            pass
        assert error.value.stable_code == "port-is-a-terminal"
        assert termios.tcgetattr(far) == before
    finally:
        sitting.communicate()
        os.close(near)
        os.close(far)


async def test_where_ports_have_to_be_real_a_pseudo_terminal_is_none_whatever_leads_to_it(
    terminal: Terminal, tmp_path: Path
) -> None:
    link = tmp_path / "by-id"
    link.symlink_to(terminal.path)
    for path in (terminal.path, str(link)):
        with pytest.raises(DeviceUnavailable) as refused, open_port(path, LINE, real=True):
            pass
        assert refused.value.stable_code == "port-not-real"
        with open_port(path, LINE):  # and it was given back
            pass
