"""A writer is killed at random, over and over; a fresh process finds all it had said was saved.

``QAFILA_KILL_ROUNDS`` sets how often (30), ``QAFILA_SEED`` replays the moments. What SIGKILL cannot show,
a disk that loses what was not synced, is the torture's part.
"""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROUNDS = int(os.environ.get("QAFILA_KILL_ROUNDS", "30"))
SEED = os.environ.get("QAFILA_SEED", "7")

pytestmark = [pytest.mark.system, pytest.mark.timeout(60 + 4 * ROUNDS)]

WRITER = '''
"""Checks what is there against what was acknowledged before, says so, then saves visits until killed."""
import itertools, os, sys
from pathlib import Path
from edge.audit.chain import first_head, first_break
from edge.clock import SystemClock
from edge.ports.sealing import SealedFile
from edge.records.fields import Field, Kind, Stream
from edge.spool import Outbox
from edge.store import Store

home, key = Path(sys.argv[1]), bytes.fromhex(sys.stdin.readline())
acknowledged = [line.split() for line in sys.stdin]
store = Store.open(home / "store" / "qafila.db", key)
result = store.verify()
assert result.valid, result
entries = {stream: store.entries(stream, 1, 10**9) for stream in Stream}
for stream, found in entries.items():
    assert [e.seq for e in found] == list(range(1, len(found) + 1)), "not dense"
    assert len(found) == store.watermark(stream).tip
    assert first_break(first_head("training", "van-07", store.epoch, stream), found) is None
for patient, seq, request in acknowledged:
    assert entries[Stream.VITALS][int(seq) - 1].leaf.hex() == request, "an acknowledged entry changed"
    assert store.answer(request) == patient.encode(), "an acknowledged request was lost"
    assert store.patient(bytes.fromhex(patient)) is not None, "an acknowledged patient was lost"
(registered,) = store._row("SELECT count(*) FROM patients")
assert len(entries[Stream.VITALS]) == 1 + 3 * registered, "half a visit"
(answers,) = store._row("SELECT count(*) FROM requests")
assert answers == registered, "an answer without its visit"

outbox = Outbox(home / "out")
outbox.sweep_temporaries()
for name in outbox.list():
    leaves = b"".join(e.leaf for e in store.entries(Stream.VITALS, name.first, name.first + name.n - 1))
    assert outbox.read(name) == leaves, "a spool file holds what was not committed, or half of it"
    outbox.remove(name)
print("checked", len(acknowledged), flush=True)

store._connection.execute("PRAGMA wal_autocheckpoint = 20")
clock = SystemClock()
while True:
    patient, encounter = os.urandom(16), os.urandom(16)
    prepared = []

    def seal(appended):
        leaves = b"".join(entry.leaf for entry in appended)
        prepared.append(outbox.prepare(SealedFile(2, "vitals", appended[0].seq, len(appended), leaves)))

    with store.write(seal) as tx:
        wall = {Field.WALL_MS: clock.now().wall_ms}
        name = {Field.FAMILY: "Alaoui", Field.GIVEN: os.urandom(4).hex()}
        tx.append(Stream.VITALS, Kind.PATIENT, {**wall, **name}, patient=patient)
        tx.append(Stream.VITALS, Kind.ENCOUNTER_OPENED, {**wall, Field.ENCOUNTER: encounter}, patient=patient)
        value = {Field.ENCOUNTER: encounter, Field.CODE: "spo2", Field.VALUE: [97, 0]}
        last = tx.append(Stream.VITALS, Kind.OBSERVATION, {**wall, **value}, patient=patient)
        tx.remember(last.leaf.hex(), patient.hex().encode())
    outbox.publish(*prepared)
    print(patient.hex(), last.seq, last.leaf.hex(), flush=True)
'''

CREATOR = """
import sys
from pathlib import Path
from edge.clock import SystemClock
from edge.store import Store, StoreMissing

path, key = Path(sys.argv[1]) / "store" / "qafila.db", bytes.fromhex(sys.stdin.readline())
print("checked", flush=True)
try:
    store = Store.open(path, key)
except StoreMissing:
    store = Store.create(path, key, unit="van-07", realm="training", moment=SystemClock().now())
assert store.verify().valid
print("made", store.epoch.hex(), flush=True)
"""

SLOTS = """
import sys
from pathlib import Path
from edge.security import slots
from edge.security.lockout import Lockout

slots.ARGON2 = (1, 1, 64)
home, key = Path(sys.argv[1]), bytes.fromhex(sys.stdin.readline())
acknowledged = [line.strip() for line in sys.stdin]
lockout = Lockout(home / "lockout", lambda: 0.0)
loaded = slots.Slots.load(home / "store" / "slots", bytes(32))
known = {user.user for user in loaded.users()}
assert known >= set(acknowledged), "an acknowledged user was lost"
assert loaded.unlock("amina", "482913") == key
for user in acknowledged[-1:]:
    assert loaded.unlock(user, "902174") == key
print("checked", flush=True)
for number in range(len(known), 10_000):
    loaded.add(f"user-{number}", "", "nurse", "902174", key)
    lockout.succeeded("amina")
    print(f"user-{number}", flush=True)
"""


class Killed:
    """What a child said before it was killed, or, without a time for that, before it ended."""

    def __init__(self, home: Path, script: str, key: bytes, known: list[str], after_s: float | None) -> None:
        given = "\n".join([key.hex(), *known])
        errors = home / "errors"
        with (
            errors.open("wb") as said_wrong,
            subprocess.Popen(
                [sys.executable, "-c", script, str(home)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said_wrong,
                text=True,
            ) as child,
        ):
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(given)
            child.stdin.close()
            self.checked = child.stdout.readline().startswith("checked")
            if after_s is not None:
                time.sleep(after_s if self.checked else 0)
                child.send_signal(signal.SIGKILL)
            # the last line may be cut: what was not said whole was not acknowledged
            self.said = [line.strip() for line in child.stdout if line.endswith("\n")]
        assert self.checked, errors.read_text()


def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    from edge.clock import SystemClock
    from edge.store import Store

    chance = random.Random(SEED)  # noqa: S311  seeded to be repeated
    key = os.urandom(32)
    (tmp_path / "out").mkdir()
    Store.create(
        tmp_path / "store" / "qafila.db", key, unit="van-07", realm="training", moment=SystemClock().now()
    ).close()
    acknowledged: list[str] = []
    for round_ in itertools.count():
        if round_ >= ROUNDS and len(acknowledged) > ROUNDS:
            break
        assert round_ < 5 * ROUNDS, "hardly anything was ever acknowledged: the test shows nothing"
        acknowledged += Killed(tmp_path, WRITER, key, acknowledged, chance.uniform(0, 0.25)).said
    Killed(tmp_path, WRITER, key, acknowledged, 0)


def test_a_store_being_made_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311  seeded to be repeated
    key = os.urandom(32)
    for number in range(max(8, ROUNDS // 3)):
        home = tmp_path / str(number)
        home.mkdir()
        Killed(home, CREATOR, key, [], chance.uniform(0, 0.015))
        [said] = Killed(home, CREATOR, key, [], None).said[-1:]
        assert said.startswith("made")
        assert sorted(path.name for path in (home / "store").iterdir()) == ["qafila.db"]


def test_slots_and_counts_are_whole_after_kill_9(tmp_path: Path) -> None:
    from edge.security import slots

    chance = random.Random(SEED)  # noqa: S311  seeded to be repeated
    key = os.urandom(32)
    slots.create(
        tmp_path / "store" / "slots",
        unit="van-07",
        user="amina",
        name="",
        role="supervisor",
        pin="482913",
        key=key,
        device_secret=bytes(32),
    )
    acknowledged: list[str] = []
    for round_ in itertools.count():
        if round_ >= max(8, ROUNDS // 3) and acknowledged:
            break
        assert round_ < 5 * ROUNDS, "nothing was ever acknowledged: the test shows nothing"
        acknowledged += Killed(tmp_path, SLOTS, key, acknowledged, chance.uniform(0, 0.1)).said
    Killed(tmp_path, SLOTS, key, acknowledged, 0)
