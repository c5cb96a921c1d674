"""The disk fails under a running agent, on a real file system: said within five seconds, and read on.

The disk is an ext4 image on a loop device. It turns read-only by the kernel's own trigger for file system
errors, and dies by ext4's own shutdown; nothing of SQLite or of the agent is replaced.
"""

import asyncio
import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.localapi.client import connect
from edge.ports.caller import CallRefused
from edge.store import card
from edge.store.ballast import Ballast
from tests.edge.agent.agent_world import PIN, Nurse, World

SAID_WITHIN_S = 5.0
TOOLS = ("mkfs.ext4", "mount", "findmnt")
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or any(shutil.which(tool) is None for tool in TOOLS),
    reason="a disk that fails needs root and a loop device",
)


def run(*words: str) -> str:
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise OSError(f"{words}: {done.stderr}")
    return done.stdout.strip()


class Disk:
    """A small disk, mounted, that can be made to fail."""

    def __init__(self, image: Path, onto: Path) -> None:
        self._onto = onto
        image.touch()
        os.truncate(image, 48 * 1024 * 1024)
        run("mkfs.ext4", "-q", "-F", str(image))
        run("mount", "-o", "loop,errors=remount-ro", str(image), str(onto))
        self._device = Path(run("findmnt", "--noheadings", "--output", "SOURCE", str(onto))).name

    def turn_read_only(self) -> None:
        """As the kernel does when the file system has met an error."""
        Path(f"/sys/fs/ext4/{self._device}/trigger_fs_error").write_text("1")

    def die(self) -> None:
        """Everything that is asked of it fails with EIO from now on."""
        descriptor = os.open(self._onto, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def end(self) -> None:
        run("umount", "-l", str(self._onto))


@pytest.fixture
def disk(world: World, tmp_path: Path) -> Iterator[Disk]:
    """The world with its store on a disk of its own."""
    directory, aside = world.home / "store", world.home / "aside"
    directory.rename(aside)
    directory.mkdir()
    try:
        disk = Disk(tmp_path / "disk.img", directory)
    except OSError as error:
        pytest.skip(f"this machine makes no such disk: {error}")
    try:
        for path in aside.iterdir():
            shutil.copy(path, directory)
        world.reserve = Ballast(directory / "ballast", 1024 * 1024)
        world.card = lambda: card.what_is_wrong(directory / "slots")
        yield disk
    finally:
        disk.end()


async def said(nurse: Nurse) -> tuple[str, float]:
    """What status says is wrong, and after how long."""
    began_s = time.monotonic()
    async with asyncio.timeout(60):
        while (problem := (await nurse.ask("status"))["problem"]) is None:
            await asyncio.sleep(0.05)
    return str(problem), time.monotonic() - began_s


async def refused(nurse: Nurse, method: str, **fields: object) -> CallRefused:
    with pytest.raises(CallRefused) as error:
        await nurse.ask(method, **fields)
    return error.value


async def test_a_disk_that_turns_read_only_is_said_read_and_refuses_to_save(world: World, disk: Disk) -> None:
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["link"])
        visit = await nurse.visit()
        await nurse.observe(visit, "temp", "36.9")
        disk.turn_read_only()
        problem, after_s = await said(nurse)
        assert problem == "store-read-only"
        assert after_s < SAID_WITHIN_S
        while (await nurse.event("heartbeat"))["problem"] != "store-read-only":
            pass

        no = await refused(nurse, "observe", encounter=visit, values=[{"code": "temp", "value": "38.0"}])
        assert (no.stable_code, "nothing was saved" in no.sentence) == ("store-read-only", True)
        assert no.next_step
        shown = (await nurse.ask("encounter.show", encounter=visit))["observations"]
        assert [each["value"] for each in shown] == ["36.9"]
        async with connect(world.socket) as second:  # somebody else signs in and reads, too
            other = Nurse(second)
            await other.ask("sign-in", user="sami", pin="739154")
            assert (await other.ask("patient.list"))["patients"]


@pytest.mark.parametrize("while_open", [False, True])
async def test_a_store_on_a_disk_that_was_read_only_before_is_opened_said_and_read(
    world: World, disk: Disk, *, while_open: bool
) -> None:
    """The card fails by day or when the van is parked, and in the morning somebody signs in, twice."""
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        await nurse.observe(visit, "temp", "36.9")
        if while_open:
            disk.turn_read_only()
    if not while_open:
        disk.turn_read_only()
    for user, pin in (("amina", PIN), ("sami", "739154")):
        async with world.nurse(user, pin) as nurse:
            problem, after_s = await said(nurse)
            assert problem == "store-read-only"
            assert after_s < SAID_WITHIN_S
            shown = (await nurse.ask("encounter.show", encounter=visit))["observations"]
            assert [each["value"] for each in shown] == ["36.9"]
            no = await refused(nurse, "observe", encounter=visit, values=[{"code": "temp", "value": "38.0"}])
            assert no.stable_code == "store-read-only"
            assert (await nurse.ask("lock")) == {}


async def test_a_disk_that_answers_no_more_is_said_and_refuses_to_save(world: World, disk: Disk) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        disk.die()
        problem, after_s = await said(nurse)
        assert problem == "store-io-error"
        assert after_s < SAID_WITHIN_S
        no = await refused(nurse, "observe", encounter=visit, values=[{"code": "temp", "value": "38.0"}])
        assert no.stable_code == "store-io-error"
        assert no.next_step
