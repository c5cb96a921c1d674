"""The disk fills up in the middle of a visit: it is finished, nothing new is begun, and all recovers."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.ports.caller import CallRefused
from edge.store.ballast import Ballast
from tests.edge.agent.agent_world import Nurse, ScriptedDriver, World, steady, until

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting a small disk needs root"
)
RESERVE = 3 * 1024 * 1024


@pytest.fixture
def small(world: World) -> Iterator[World]:
    """The world with its store on a disk of 12 MiB."""
    directory = world.home / "store"
    aside = world.home / "aside"
    directory.rename(aside)
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m,mode=700", "tmpfs", str(directory)],  # noqa: S607  mount(8)
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        for path in aside.iterdir():
            shutil.copy(path, directory)
        world.reserve = Ballast(directory / "ballast", RESERVE)
        yield world
    finally:  # lazily: what a failed test left open
        subprocess.run(["umount", "-l", str(directory)], check=True)  # noqa: S607  umount(8)


def fill(disk: Path) -> Path:
    """What fills disks: somebody else's file. Not a byte is left."""
    path = disk / "somebody-elses"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65_536))
    with path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(512))
    return path


async def code_of(nurse: Nurse, method: str, **fields: object) -> str:
    with pytest.raises(CallRefused) as error:
        await nurse.ask(method, **fields)
    assert error.value.next_step
    return error.value.stable_code


async def problem(nurse: Nurse) -> object:
    return (await nurse.ask("status"))["problem"]


async def test_the_open_visit_is_finished_nothing_new_begun_and_then_it_recovers(
    small: World, oximeter: ScriptedDriver
) -> None:
    disk = small.home / "store"
    async with small.nurse() as nurse:
        await nurse.ask("subscribe", topics=["saved"])
        visit = await nurse.visit()
        await until((disk / "ballast").exists)
        somebody_elses = fill(disk)

        saved = 0
        for tenth in range(60):  # by hand, until long after the WAL could have grown on what was left
            await nurse.observe(visit, "temp", f"36.{tenth % 10}")
            saved += 1
        assert not (disk / "ballast").exists(), "the test shows nothing: there was room all the time"
        assert await problem(nurse) == "store-nearly-full"
        oximeter.say(*steady(97, 72))
        event = await nurse.event("saved")
        while event["what"] != "reading" or len(event["saved"]) < 2:
            event = await nurse.event("saved")

        assert (
            await code_of(nurse, "patient.register", family="Tazi", given="Omar", sex="male")
            == "store-nearly-full"
        )
        shown = (await nurse.ask("encounter.show", encounter=visit))["observations"]
        assert len(shown) == saved + 2, "what is saved can be read: its audit entry has room"
        closed = await nurse.ask("encounter.close", encounter=visit)
        assert closed["count"] == saved + 2
        patient = (await nurse.ask("patient.list"))["patients"][0]["patient"]
        assert await code_of(nurse, "encounter.open", patient=patient) == "store-nearly-full"

        somebody_elses.unlink()
        await until((disk / "ballast").exists)
        assert await problem(nurse) is None
        again = (await nurse.ask("encounter.open", patient=patient))["encounter"]
        await nurse.observe(again, "temp", "37.1")
    store = small.store()
    assert store.verify().valid
    store.close()


async def test_a_disk_without_room_for_the_reserve_begins_nothing(small: World) -> None:
    disk = small.home / "store"
    (disk / "somebody-elses").write_bytes(bytes(7 * 1024 * 1024))
    async with small.nurse() as nurse:
        assert (
            await code_of(nurse, "patient.register", family="Tazi", given="Omar", sex="male")
            == "store-nearly-full"
        )
        (disk / "somebody-elses").unlink()
        await nurse.patient()


async def test_who_signs_in_on_a_full_disk_reads_all_of_it(small: World) -> None:
    """The disk filled up while the store was locked, as on any morning."""
    disk = small.home / "store"
    async with small.nurse() as nurse:
        visit = await nurse.visit()
        await nurse.observe(visit, "temp", "36.9")
        await nurse.ask("encounter.close", encounter=visit)
        await until((disk / "ballast").exists)
    somebody_elses = fill(disk)
    assert os.statvfs(disk).f_bavail == 0
    async with small.nurse() as nurse:
        [found] = (await nurse.ask("patient.list"))["patients"]
        assert len((await nurse.ask("encounter.show", encounter=visit))["observations"]) == 1
        assert await problem(nurse) == "store-nearly-full"
        assert await code_of(nurse, "encounter.open", patient=found["patient"]) == "store-nearly-full"
        await nurse.ask("lock")
    async with small.nurse() as nurse:  # a second time, without a reserve
        assert len((await nurse.ask("patient.list"))["patients"]) == 1
        somebody_elses.unlink()
        await until((disk / "ballast").exists)
        assert await problem(nurse) is None


async def test_a_full_disk_without_a_reserve_is_called_full(small: World) -> None:
    disk = small.home / "store"
    small.reserve = None
    async with small.nurse() as nurse:
        await nurse.patient()
    fill(disk)
    with pytest.raises(ExceptionGroup) as error:
        async with small.nurse():
            pass
    [refusal] = error.value.exceptions
    assert isinstance(refusal, CallRefused)
    assert refusal.stable_code == "store-full"
