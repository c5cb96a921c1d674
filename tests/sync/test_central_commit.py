"""The real loops with a broker that looks into the database: nothing leaves before its commit."""

import contextlib
import threading
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from edge.records.fields import Stream
from sync.central import collect, database, explode, station
from sync.central.broker import Message
from tests.sync.central_world import Centre, Unit, make_centre


class LinkDouble:
    """Gives one group of messages; looks at every call what a power cut would leave now."""

    def __init__(self, centre: Centre, messages: Sequence[Message], stop: threading.Event) -> None:
        self._onlooker = database.connect(centre.home.database)
        self._messages = list(messages)
        self._stop = stop
        self._polls_left = 50
        self.connections = 1
        self.connected = self.quiet = True
        self.published: list[bytes] = []
        self.acknowledged: list[bytes] = []
        self.too_early: list[str] = []

    def poll(self, _wait_s: float, **_: float) -> list[Message]:
        self._polls_left -= 1
        if not self._polls_left or (self.published and not self._messages):
            self._stop.set()
        given, self._messages = self._messages, []
        return given

    def publish(self, _key: Hashable, topic: str, payload: bytes) -> None:
        if "/receipt/" not in topic:
            return  # the keyset and the like: nothing that was written speaks in it
        self.published.append(payload)
        if not self._is_committed("receipts", payload):
            self.too_early.append("receipt")

    def acknowledge(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self.acknowledged.append(message.payload)
            table = "sessions" if message.topic.endswith("/key") else "landing"
            if not self._is_committed(table, message.payload):
                self.too_early.append("acknowledgement")

    def close(self) -> None:
        self._onlooker.close()

    def _is_committed(self, table: str, raw: bytes) -> bool:
        query = f"SELECT count(*) FROM {table} WHERE raw = ?"  # noqa: S608  names from above
        return bool(self._onlooker.execute(query, (raw,)).fetchone()[0])


class PowerCut(Exception):
    """The commit that never was."""


class FailingCommit:
    """A connection whose disk gives up at the commit of whatever wrote a receipt."""

    def __init__(self, real: Any) -> None:  # noqa: ANN401  sqlcipher3 ships no types
        self._real = real
        self._wrote_receipt = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  the same
        return getattr(self._real, name)

    def execute(self, statement: str, *parameters: object) -> Any:  # noqa: ANN401  the same
        self._wrote_receipt |= statement.startswith("INSERT INTO receipts")
        if statement == "COMMIT" and self._wrote_receipt:
            raise PowerCut
        return self._real.execute(statement, *parameters)


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


@pytest.fixture
def unit(centre: Centre) -> Unit:
    unit = centre.unit()
    unit.visit()
    return unit


Run = Callable[[], LinkDouble]


@pytest.fixture(params=["collect", "explode"])
def run(request: pytest.FixtureRequest, centre: Centre, unit: Unit, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The process's own loop, from what came to what went out; the exploder finds its work landed."""
    process: Any = {"collect": collect, "explode": explode}[request.param]
    sent = [unit.key_message(), unit.batch(Stream.VITALS, 1, 10)]
    if process is explode:
        centre.land(*sent)
        sent = []
    messages = [Message(each.topic, each.payload, mid, 1) for mid, each in enumerate(sent, start=1)]

    def run() -> LinkDouble:
        stop = threading.Event()
        link = LinkDouble(centre, messages, stop)
        monkeypatch.setattr(station, "Link", Mock(return_value=link))
        with contextlib.suppress(PowerCut):
            process.run(centre.home, centre.clock, stop)
        return link

    return run


def test_no_receipt_without_its_commit(run: Run, centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails at the commit: nothing was published, nothing acknowledged, nothing is kept.

    The next run, on a disk that works, says what this one could not.
    """
    kept = centre.value("SELECT count(*) FROM receipts")
    connect = database.connect

    def connect_failing(path: Path) -> FailingCommit:
        return FailingCommit(connect(path))

    with monkeypatch.context() as failing:
        failing.setattr(database, "connect", connect_failing)
        cut = run()
    assert (cut.published, cut.acknowledged) == ([], [])
    assert centre.value("SELECT count(*) FROM receipts") == kept
    after = run()
    assert after.published
    assert after.too_early == []


def test_all_that_leaves_is_committed_already(run: Run) -> None:
    """Another connection sees each receipt and each landed message by the time the broker is told."""
    link = run()
    assert link.published
    assert link.too_early == []
