"""What the uplink promises its neighbours: where it writes, what it says, how it ends, what it costs."""

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.records.fields import Stream
from sync.wire import topics
from tests.sync.uplink_rig import UNIT, Box, Centre, CentreKeys, digest
from tests.system.brokers import ROOT, Mosquitto, free_port
from tests.system.uplink_process import Uplink, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

SOON_S = 5.0
"""How soon it ends: a second for a last word to the broker, and what a busy machine takes for the rest."""

WATCHED = """
import os, runpy, sys
spool, report = sys.argv.pop(1), open(sys.argv.pop(1), "a", buffering=1)
CHANGES = {"os." + w for w in "rename remove mkdir rmdir truncate chmod chown link symlink utime".split()}
def watch(event, arguments):
    named = any(spool in str(argument) for argument in arguments)
    writes = event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    if named and event == "open":
        print("write" if writes else "read", arguments[0], file=report)
    elif named and event in CHANGES:
        print("write", event, file=report)
sys.addaudithook(watch)
runpy.run_module("sync.uplink", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def keys() -> CentreKeys:
    return CentreKeys()


@pytest.fixture
def uplink(tmp_path: Path, keys: CentreKeys, mosquitto: Mosquitto) -> Iterator[Uplink]:
    made = Uplink(tmp_path, keys, [mosquitto.port])
    yield made
    made.kill()


@pytest.fixture
def box(uplink: Uplink, keys: CentreKeys) -> Box:
    return Box(keys, uplink.spool_out)


def test_it_only_reads_where_the_agent_writes(
    tmp_path: Path, mosquitto: Mosquitto, uplink: Uplink, box: Box
) -> None:
    report = tmp_path / "report"
    uplink.command = [sys.executable, "-c", WATCHED, str(uplink.spool_out), str(report)]
    with Centre(box, mosquitto.port) as centre:
        uplink.start()
        for _ in range(3):
            box.save()
        until(centre.holds_all)
        until(uplink.receipts)
        uplink.stop()
    seen = report.read_text().splitlines()
    assert any(line.startswith("read") for line in seen)  # the watch was watching
    assert not [line for line in seen if line.startswith("write")]


def test_what_receipts_cover_is_not_sent_again(mosquitto: Mosquitto, uplink: Uplink, box: Box) -> None:
    """First by the retained receipt, then, with the broker's memory gone, by the unread one on disk."""
    with Centre(box, mosquitto.port) as centre:
        for _ in range(5):
            box.save()
        with uplink:
            until(centre.holds_all)
            until(uplink.receipts)
        copies = centre.copies.total()
        for path in uplink.spool_in.iterdir():
            path.unlink()
        with uplink:
            until(uplink.receipts)
            time.sleep(1)
        assert centre.copies.total() == copies
    mosquitto.kill()
    mosquitto.start()
    again = Centre(box, mosquitto.port)
    with again, uplink:
        until(lambda: uplink.link().get("connected"))
        time.sleep(1)
        assert again.copies.total() == 0
        box.save()
        until(lambda: again.copies.total() == 1)


def test_forged_receipts_change_nothing(mosquitto: Mosquitto, uplink: Uplink, box: Box) -> None:
    stranger = Box(CentreKeys(), box.spool_out)
    with Centre(box, mosquitto.port) as centre, uplink:
        centre.silent = True
        name = box.save()
        until(lambda: centre.copies["vitals", 1, 3])
        box.centre, genuine = stranger.centre, box.centre
        forged = centre.answer()
        box.centre = genuine
        until(lambda: uplink.lines("message refused"))
        centre.publish(topics.receipt(UNIT, "landed"), forged[:-1])
        centre.publish(topics.receipt(UNIT, "landed"), b"")
        until(lambda: centre.copies["vitals", 1, 3] > 1)  # still waiting for a real one
        assert uplink.receipts() == []
        centre.silent = False
        centre.answer()
        until(uplink.receipts)
        assert name in digest(box.spool_out)
    (told,) = uplink.lines("code=kid")
    assert "A receipt is signed with a key that is not the centre's. next=Look for a stranger" in told


def test_sent_is_only_what_a_living_connection_took(mosquitto: Mosquitto, uplink: Uplink, box: Box) -> None:
    uplink.start()
    name = box.save()
    until(lambda: name in uplink.link().get("sent", []))
    first = uplink.link()
    assert first["connected"]
    assert first["broker"] == "mqtt5"
    mosquitto.kill()
    until(lambda: not uplink.link()["connected"])
    note = uplink.link()
    assert (note["connection"], note["sent"], note["broker"]) == ("", [], "")
    mosquitto.start()
    until(lambda: name in uplink.link().get("sent", []))
    assert uplink.link()["connection"] != first["connection"]


def test_the_note_of_a_killed_uplink_can_be_told_from_a_living_ones(uplink: Uplink) -> None:
    uplink.start()
    until(lambda: uplink.link().get("connected"))

    def lives() -> bool:
        with (uplink.spool_in / "link").open("rb") as note:
            try:
                fcntl.flock(note, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    assert lives()
    uplink.kill()
    assert uplink.link()["connected"]  # it had no time to say otherwise
    assert not lives()


def test_what_waits_is_told_without_a_link_too(tmp_path: Path, keys: CentreKeys) -> None:
    uplink = Uplink(tmp_path, keys, [free_port()])
    box = Box(keys, uplink.spool_out)
    box.begin_session()
    with uplink:
        until(lambda: uplink.link().get("urgent", [0])[0])
        assert uplink.link()["backlog"] == [0, 0]
        box.save(size=20_000)
        until(lambda: uplink.link()["backlog"][0] >= 20_000)
        assert not uplink.link()["connected"]


def test_it_says_when_it_comes_and_goes(mosquitto: Mosquitto, uplink: Uplink, box: Box) -> None:
    with Centre(box, mosquitto.port) as centre:
        uplink.start()
        until(lambda: len(centre.states) == 1)
        assert uplink.stop() < SOON_S
        until(lambda: len(centre.states) == 2)
        uplink.start()
        until(lambda: len(centre.states) == 3)
        uplink.kill()
        until(lambda: len(centre.states) == 4)  # the last will
    states = [json.loads(state) for state in centre.states]
    assert [state["online"] for state in states] == [True, False, True, False]
    first, second = states[0]["connection"], states[2]["connection"]
    assert [state["connection"] for state in states] == [first, first, second, second]
    assert first != second


@pytest.mark.parametrize("answered", [True, False])
def test_it_ends_soon_whatever_it_is_doing(tmp_path: Path, keys: CentreKeys, *, answered: bool) -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", free_port()), backlog=0))
        address = listener.getsockname()
        for _ in range(0 if answered else 3):  # its queue is full: further connections are never answered
            one = stack.enter_context(socket.socket())
            one.settimeout(0)
            one.connect_ex(address)
        uplink = Uplink(tmp_path, keys, [address[1]])
        for wait_s in (0.2, 1.0, 2.5):
            uplink.start()
            until(lambda: uplink.link().get("code", "stopped") != "stopped")
            time.sleep(wait_s)
            assert uplink.stop() < SOON_S
            assert uplink.link()["code"] == "stopped"


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_it_waits_without_spinning(mosquitto: Mosquitto, uplink: Uplink, box: Box) -> None:
    """A tenth of a core would be a loop gone wild; the goal is far lower, and measured by the bench."""
    box.save()
    uplink.start()
    until(lambda: uplink.link().get("sent"))
    for _ in range(2):
        begin = cpu_s(uplink.pid)
        time.sleep(2)
        assert cpu_s(uplink.pid) - begin < 0.2
        mosquitto.kill()
        until(lambda: not uplink.link()["connected"])


def test_settings_that_break_a_promise_are_refused_here_too(uplink: Uplink) -> None:
    uplink.settings["brokers"] = [{"host": "192.0.2.7", "port": 1883, "tls": False}]
    uplink.start()
    assert uplink.process.wait(30) == 1
    assert uplink.lines("(code: broker-without-tls)")


@pytest.mark.parametrize("arguments", [[], ["--fd"], ["--fd", "x"], ["--fd", "99"], ["--unit", "van-07"]])
def test_started_without_settings_it_says_what_is_missing(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sync.uplink", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "(code: uplink-settings-refused)" in done.stderr
    assert "Traceback" not in done.stderr


def test_neither_arguments_nor_environment_name_the_unit(uplink: Uplink, box: Box) -> None:
    uplink.start()
    until(lambda: uplink.link().get("connected"))
    for seen in ("cmdline", "environ"):
        assert box.unit.encode() not in Path(f"/proc/{uplink.pid}/{seen}").read_bytes()


def test_an_alert_overtakes_a_backlog(mosquitto: Mosquitto, uplink: Uplink, box: Box) -> None:
    with Centre(box, mosquitto.port) as centre:
        for backlog in (300, 1000, 3000):  # long enough that it is still there when the alert is saved
            for _ in range(backlog):
                box.save(size=20_000)
            seen = len(centre.order)
            with uplink:
                until(lambda seen=seen: len(centre.order) > seen + 10)  # type: ignore[misc]  # bound now
                box.save(Stream.ALERT)
                until(lambda: centre.holds_all(Stream.ALERT))
                behind = len(centre.order)
                until(centre.holds_all, 120)
            if behind < len(centre.order):
                return
        pytest.fail("no alert ever overtook anything")
