"""Two devices, two patients, never crossed: whatever happens in whatever order, by a model of the van.

The model knows whom each device is on. Every number tells whose it is, because no two placings and no two
measurements show the same one; so what is stored can be held against the truth. A nurse is trusted: she puts
a sensor on the patient whose visit is open, and gives a reading of the tray to whom it belongs. What the
agent must never do is to give a reading by itself to the wrong one of the two. In doubt it goes to the tray.

``QAFILA_CROSS_STEPS`` says how many steps are taken in all.
"""

import dataclasses
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from edge.store.rows import Observation
from edge.store.store import Store
from edge.vitals.reading import Reading
from tests.edge.agent.agent_world import KEY, finger_off, pressure, shown
from tests.edge.agent.crossing_stage import Unit

STEPS: Final = int(os.environ.get("QAFILA_CROSS_STEPS", "1000"))
STEPS_AT_ONCE: Final = 50
MEMORY: Final = "/dev/shm"  # noqa: S108  a folder of its own is made in it
KEYS: Final = ("oximeter-1", "monitor-2")
FAMILIES: Final = ("Alaoui", "Berrada")
SETTLES_IN_S: Final = 8
LEAP_S: Final = 200.0
"""Longer than a device that went away is taken to be still on the same patient."""
FIRST_NUMBER: Final = 41
"""Numbers tell whose they are: pulses, and systolic pressures 50 above, are given out one by one."""

devices = st.sampled_from(KEYS)
patients = st.integers(0, 1)


@dataclasses.dataclass(slots=True)
class Body:
    """What is true of one device: on whom it is, and what it shows."""

    on: int | None = None
    number: int = 0
    undisturbed_since: uuid.UUID | None = None
    """The open visit under which it was put on, as long as nothing else has happened since."""
    second: float = 0.0


class Van(RuleBasedStateMachine):
    """The model, and beside it a real agent on a real store."""

    home: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=self.home))
        self.unit = Unit(self.folder, KEYS)
        self.bodies = {key: Body() for key in KEYS}
        self.owner: dict[int, int] = {}
        self.patients: list[str] = []
        self.visits: dict[uuid.UUID, int] = {}
        self.visit: uuid.UUID | None = None
        self.locked = True
        self.records: dict[bytes, Reading] = {}
        self.came_from: dict[bytes, str] = {}
        self.heard: set[str] = set()
        self.found_open: uuid.UUID | None = None

    def teardown(self) -> None:
        self.unit.end()
        shutil.rmtree(self.folder)

    def number(self, patient: int) -> int:
        """A number that nobody has shown before."""
        number = FIRST_NUMBER + len(self.owner)
        self.owner[number] = patient
        return number

    def ask(self, method: str, **fields: object) -> dict[str, Any]:
        answer: dict[str, Any] = self.unit.do(lambda nurse: nurse.ask(method, **fields))
        return answer

    @property
    def in_the_chair(self) -> int | None:
        """Whose visit is open."""
        return None if self.visit is None else self.visits[self.visit]

    @initialize()
    def begin(self) -> None:
        self.unit.sign_in()
        self.locked = False
        for family in FAMILIES:
            made = self.ask("patient.register", family=family, given="Zahra", sex="female", birth="1961")
            self.patients.append(str(made["patient"]))

    # ── the steps: a few of them, so that each is taken often ─────────────────────────────────────

    @precondition(lambda self: not self.locked)
    @rule(patient=patients, only_closes=st.sampled_from([False, False, True]))
    def somebody_else_comes(self, patient: int, *, only_closes: bool) -> None:
        """What a van does all day; sensors may well stay on the former patient meanwhile."""
        if self.visit is not None:
            patient = 1 - self.visits[self.visit]
            self.close_visit()
        if not only_closes:
            self.open_visit(patient)

    @rule(device=devices, patient=patients, comes_off=st.integers(0, 5).map(lambda each: each == 5))
    def sensor(self, device: str, patient: int, *, comes_off: bool) -> None:
        """It is put on, or stays on, or comes off."""
        if self.bodies[device].on is None:
            self.put_on(device, patient)
        elif comes_off:
            self.take_off(device)
        else:
            self.show(device, SETTLES_IN_S)

    @rule(device=devices, patient=patients)
    def sensor_again(self, device: str, patient: int) -> None:
        self.sensor(device=device, patient=patient, comes_off=False)

    @rule(what=st.sampled_from(["cut", "cut", "put away", "lock", "restart", "stays locked"]), device=devices)
    def disturb(self, what: str, device: str) -> None:
        match what:
            case _ if self.locked:
                self.unlock()
            case "cut":
                self.cut(device)
            case "put away":
                self.put_away(device)
            case "restart":
                self.restart(opens=True)
            case _:
                self.lock(opens=what == "lock")
        for worn in KEYS:  # what happens next in a van: whoever wears a sensor goes on wearing it
            if self.bodies[worn].on is not None:
                self.show(worn, SETTLES_IN_S)

    @rule(
        what=st.sampled_from(["measure", "measure again", "remember", "tell again"]),
        device=devices,
        patient=patients,
    )
    def finished(self, what: str, device: str, patient: int) -> None:
        """A finished measurement, of now or out of a memory."""
        if what == "tell again" and self.records:
            self.tell_again(device, patient)
        elif what == "remember":
            self.remember(device, patient)
        else:
            self.measure(device, patient, has_record=what == "measure again")

    @precondition(lambda self: not self.locked)
    @rule(device=devices, assigns=st.booleans())
    def ask_for_it(self, device: str, *, assigns: bool) -> None:
        """The nurse says herself whose something is."""
        if not assigns:
            self.take(device)
        elif self.visit is not None:
            self.assign()

    # ── what they are made of ────────────────────────────────────────────────────────────────────

    def open_visit(self, patient: int) -> None:
        self.visit = uuid.UUID(str(self.ask("encounter.open", patient=self.patients[patient])["encounter"]))
        self.visits[self.visit] = patient

    def close_visit(self) -> None:
        self.ask("encounter.close", encounter=str(self.visit))
        self.visit = None

    def lock(self, *, opens: bool) -> None:
        """The store is locked, most often for a moment."""
        self.ask("lock")
        self.locked = True
        self._all_disturbed()
        if opens:
            self.unlock()

    def unlock(self) -> None:
        self.unit.sign_in()
        self.locked = False

    def restart(self, *, opens: bool) -> None:
        self.unit.restart()
        self.locked, self.found_open = True, self.visit
        self.heard.clear()
        self._all_disturbed()
        if opens:
            self.unlock()

    def assign(self) -> None:
        """She knows whose it is, and gives it only to them."""
        mine = [
            each
            for each in self.ask("tray.list")["observations"]
            if self.owner.get(self._number(each["code"], each["value"])) == self.in_the_chair
        ]
        reading = [each["seq"] for each in mine if each["reading"] == mine[0]["reading"]]
        if reading:
            self.ask("tray.assign", encounter=str(self.visit), observations=reading, reason="it is hers")

    def take(self, device: str) -> None:
        """She asks for what a display shows, having seen on whom it is."""
        on = self.bodies[device].on
        if on is not None and (self.visit is None or on == self.in_the_chair):
            self._show(device, 1)
            self.ask("take", device=device)

    # ── the devices ──────────────────────────────────────────────────────────────────────────────

    def put_on(self, device: str, patient: int) -> None:
        """On the one in the chair; when the chair is empty, on either."""
        body = self.bodies[device]
        body.on = patient if self.in_the_chair is None else self.in_the_chair
        body.number = self.number(body.on)
        # A device that the agent has not heard before, in a visit that it found open, may be anyone's.
        in_doubt = self.locked or (self.visit == self.found_open and device not in self.heard)
        body.undisturbed_since = None if in_doubt else self.visit
        self._show(device, 1)

    def take_off(self, device: str) -> None:
        self._take_off(device)
        body = self.bodies[device]
        body.second += 1
        self._say(device, finger_off(body.second))

    def show(self, device: str, seconds: int) -> None:
        """It shows something; when it has stood still for long enough, it is kept for the right visit."""
        body = self.bodies[device]
        self._show(device, seconds)
        if seconds == SETTLES_IN_S and self.visit is not None and body.undisturbed_since == self.visit:
            assert body.number in self._stored_for(self.visit), "in no doubt, and yet in the tray"

    def cut(self, device: str) -> None:
        """The line is lost and found again; whoever wears the sensor goes on wearing it."""
        self.unit.cut(device)
        self.bodies[device].undisturbed_since = None

    def put_away(self, device: str) -> None:
        """Gone without a word, and used again after a while, on whomever."""
        self.unit.cut(device)
        self._take_off(device)
        self.unit.clock.leapt_s += LEAP_S

    def measure(self, device: str, patient: int, *, has_record: bool) -> None:
        """A finished measurement of now, on the one in the chair."""
        whose = patient if self.in_the_chair is None else self.in_the_chair
        number = self.number(whose)
        reading = pressure(number + 50, 50)
        if has_record:
            record = number.to_bytes(2)
            reading = dataclasses.replace(reading, record=record, just_taken=True, raw=record)
            self.records[record], self.came_from[record] = reading, device
        self.unit.say(device, reading)
        if not self.locked and self.visit is not None:
            assert number in self._stored_for(self.visit), "in no doubt, and yet in the tray"

    def remember(self, device: str, patient: int) -> None:
        """Something out of the device's memory, which may be of anybody's."""
        number = self.number(patient)
        record = number.to_bytes(2)
        reading = pressure(number + 50, 50, record)
        reading = dataclasses.replace(reading, stored=True, raw=record, just_taken=False)
        self.records[record], self.came_from[record] = reading, device
        self.unit.say(device, reading)

    def tell_again(self, device: str, which: int) -> None:
        """A record that was sent already, the first of all or the last."""
        record = (min if which == 0 else max)(self.records)
        device = self.came_from[record]
        reading = dataclasses.replace(self.records[record], stored=True, just_taken=False)
        self.unit.say(device, reading)

    # ── what must hold ───────────────────────────────────────────────────────────────────────────

    @invariant()
    def every_reading_is_its_owners_or_nobodys(self) -> None:
        store = self._store()
        try:
            records = [(each.device, each.device_record, each.code) for each in store.tray()]
            for visit, patient in self.visits.items():
                mine = uuid.UUID(self.patients[patient]).bytes
                for each in store.observations(visit.bytes):
                    records.append((each.device, each.device_record, each.code))
                    assert each.patient == mine
                    owner = self.owner.get(self._number(each.code, each.value))
                    assert owner in {None, patient}, f"{FAMILIES[patient]} got what is the other's"
        finally:
            store.close()
        of_memory = [record for record in records if record[1] is not None]
        assert len(of_memory) == len(set(of_memory)), "a record is stored twice"

    # ── ──────────────────────────────────────────────────────────────────────────────────────────

    def _show(self, device: str, seconds: int) -> None:
        body = self.bodies[device]
        for _ in range(seconds):
            body.second += 1
        begin = body.second - seconds
        self._say(device, *(shown(97, body.number, begin + each) for each in range(1, seconds + 1)))

    def _say(self, device: str, *readings: Reading) -> None:
        self.heard.add(device)
        self.unit.say(device, *readings)

    def _take_off(self, device: str) -> None:
        body = self.bodies[device]
        body.on, body.undisturbed_since = None, None

    def _all_disturbed(self) -> None:
        for body in self.bodies.values():
            body.undisturbed_since = None

    def _store(self) -> Store:
        return Store.open(self.folder / "store" / "qafila.db", KEY)

    def _stored_for(self, visit: uuid.UUID) -> set[int]:
        store = self._store()
        try:
            found: list[Observation] = list(store.observations(visit.bytes))
        finally:
            store.close()
        return {self._number(each.code, each.value) for each in found}

    @staticmethod
    def _number(code: str, value: object) -> int:
        """Which number it is; 0 for what tells nothing, as a saturation."""
        if value is None or code not in {"pulse.spo2", "bp.sys"}:
            return 0
        return int(str(value)) - (50 if code == "bp.sys" else 0)


def play(home: Path, steps: int) -> None:
    machine = type("Here", (Van,), {"home": home})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=max(1, steps // STEPS_AT_ONCE),
            stateful_step_count=STEPS_AT_ONCE,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a folder: this is about whose a reading is, not about disks."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


@pytest.mark.timeout(0 if STEPS > 1000 else 300)
def test_two_devices_and_two_patients_are_never_crossed(home: Path) -> None:
    play(home, STEPS)
