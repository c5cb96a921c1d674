"""The keeper ends what it started, and the watcher sees what anybody on the machine may see."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.rehearsal.nurse import UnitMisbehaved
from cli.rehearsal.processes import Keeper, RehearsalFailed
from cli.rehearsal.procfs import ProcessWatcher
from cli.rehearsal.progress import Progress

SLEEP = "print('up', flush=True); time.sleep(60)"
SLEEPER = [sys.executable, "-c", f"import time; {SLEEP}"]
STUBBORN = [
    sys.executable,
    "-c",
    f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}",
]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    with Keeper(tmp_path / "log", lambda _: None) as keeper:
        yield keeper


async def up(keeper: Keeper, name: str) -> None:
    await keeper.wait(lambda: "up" in keeper.log(name).read_text(), name)


@pytest.mark.parametrize("command", [SLEEPER, STUBBORN], ids=["willing", "stubborn"])
async def test_all_are_ended_whatever_went_wrong(
    tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.rehearsal.processes._TERM_S", 0.3)
    pids: list[int] = []

    async def interrupted() -> None:
        with Keeper(tmp_path, lambda _: None) as keeper:
            pids.extend(keeper.start(f"sleeper-{n}", command).pid for n in range(2))
            await up(keeper, "sleeper-1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await interrupted()
    assert pids
    assert not any(map(alive, pids))


async def test_a_killed_process_starts_again_and_keeps_its_log(keeper: Keeper) -> None:
    first = keeper.start("sleeper", SLEEPER).pid
    await up(keeper, "sleeper")
    keeper.kill("sleeper")
    assert not alive(first)
    keeper.check_alive()  # killed on purpose: nothing to complain about
    again = keeper.restart("sleeper")
    assert alive(again.pid)
    await keeper.wait(lambda: keeper.log("sleeper").read_text().count("up") == 2, "both lines")


async def test_one_that_ends_by_itself_is_named_with_its_last_words(keeper: Keeper) -> None:
    words = "raise SystemExit('the port is gone')"
    process = keeper.start("device", [sys.executable, "-c", words]).process
    await keeper.wait(lambda: process.poll() is not None, "its end")
    with pytest.raises(RehearsalFailed, match=r"device ended by itself with status 1: the port is gone\."):
        keeper.check_alive()


@pytest.mark.parametrize("end", ["pass", "import os; os.kill(os.getpid(), 9)"], ids=["politely", "SIGKILL"])
async def test_one_that_we_did_not_kill_is_missed_however_it_ended(keeper: Keeper, end: str) -> None:
    process = keeper.start("collector", [sys.executable, "-c", end]).process
    await keeper.wait(lambda: process.poll() is not None, "its end")
    with pytest.raises(RehearsalFailed, match="collector ended by itself") as missed:
        keeper.check_alive()
    assert missed.value.next_step
    with pytest.raises(RehearsalFailed, match="collector ended by itself"):
        keeper.kill("collector")


async def test_a_command_that_fails_is_named_with_its_last_words(keeper: Keeper) -> None:
    with pytest.raises(RehearsalFailed, match=r"init ended with status 3: no\."):
        await keeper.run("init", [sys.executable, "-c", "print('no'); raise SystemExit(3)"])


async def test_a_command_is_given_its_input_and_no_more(keeper: Keeper) -> None:
    await keeper.run("echo", [sys.executable, "-c", "import sys; print(sys.stdin.read())"], stdin="123456\n")
    assert keeper.log("echo").read_text().strip() == "123456"
    keeper.check_alive()  # it was to end


def test_no_failure_leaves_anybody_without_a_next_step() -> None:
    assert RehearsalFailed("No.").next_step
    assert UnitMisbehaved("No.").next_step
    assert UnitMisbehaved("No.").stable_code == "unit-misbehaved"


async def test_a_wait_has_an_end(keeper: Keeper) -> None:
    with pytest.raises(RehearsalFailed, match="in vain for spring"):
        await keeper.wait(lambda: False, "spring", timeout_s=0.05)


def test_a_keeper_that_is_itself_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib; from cli.rehearsal.processes import Keeper\n"
        f"keeper = Keeper(pathlib.Path({str(tmp_path)!r}), lambda _: None).__enter__()\n"
        f"print(keeper.start('sleeper', {SLEEPER!r}).pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        give_up = time.monotonic() + 30
        while "up" not in (tmp_path / "sleeper.log").read_text() and time.monotonic() < give_up:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    while alive(pid) and time.monotonic() < give_up:
        time.sleep(0.02)
    gone = not alive(pid)
    if not gone:
        os.kill(pid, signal.SIGKILL)
    assert gone, "without setpriv a killed rehearsal leaves its processes"


async def test_arguments_and_environment_are_seen_also_of_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QAFILA_TEST_LEAK", "Zoé-Maëlle")
    grandchild = "[sys.executable, '-c', 'import sys; sys.stdin.read()', 'leak']"  # ends with the keeper
    child = f"import subprocess, sys; subprocess.run({grandchild})"
    with ProcessWatcher() as watcher, Keeper(tmp_path, watcher.add) as keeper:
        keeper.start("parent", [sys.executable, "-c", child])
        give_up = time.monotonic() + 30
        while not any(content.endswith(b"\x00leak\x00") for _, content in watcher.sightings()):
            assert time.monotonic() < give_up
            await asyncio.sleep(0.02)
        sightings = watcher.sightings()
    assert any(
        place == "environment" and "QAFILA_TEST_LEAK=Zoé-Maëlle".encode() in text for place, text in sightings
    )


def test_the_bar_is_silent_where_nobody_watches(tmp_path: Path) -> None:
    with (tmp_path / "stderr").open("w") as stream:
        progress = Progress(3, stream)
        progress.step("patient 1")
        progress.clear()
    assert (tmp_path / "stderr").read_text() == ""
