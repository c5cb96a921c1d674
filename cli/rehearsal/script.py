"""The script of the morning: who comes, what is measured, and what breaks when. Same seed, same morning."""

import dataclasses
import json
import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Final

from cli.rehearsal.people import Person, invent

OXIMETERS: Final = {"oximeter-1": "old", "oximeter-2": "new"}
"""The simulated oximeters: what the configuration calls each, and its protocol's generation."""
CUFF: Final = "cuff-1"
STRAP: Final = "ecg-1"


class Fault(StrEnum):
    """What is done to the system while it works."""

    CUT_LINK = "cut-link"
    RESTORE_LINK = "restore-link"
    KILL_AGENT = "kill-agent"
    KILL_BROKER = "kill-broker"
    KILL_COLLECTOR = "kill-collector"


class Pause(StrEnum):
    """Where in a visit something else may happen."""

    OPENED = "opened"
    MEASURED = "measured"
    TYPING = "typing"
    """The values were sent and their answer has not come."""
    TYPED = "typed"
    CLOSED = "closed"


_MORNING: Final = (
    (0.15, Fault.CUT_LINK),
    (0.30, Fault.RESTORE_LINK),
    (0.45, Fault.KILL_COLLECTOR),
    (0.60, Fault.KILL_BROKER),
    (0.75, Fault.CUT_LINK),
    (0.85, Fault.RESTORE_LINK),
)
"""What breaks around the box, after which part of the morning; always in this order.

Even with one patient no two of the cuts and kills fall on the same pause: something is saved between
them, so that each finds something being delivered.

The uplink notices a lost receipt after ten seconds, a lost connection at once. Since the last thing to
break is a connection, the rehearsal need not wait for the former; the uplink's own tests do.
"""
_DIASTOLIC_AT_MOST: Final = 112
"""Well below 120, above which a nurse is asked whether she means it."""
_BY_CUFF: Final = 0.75
"""The share of blood pressures that the cuff takes; the others a nurse takes with a stethoscope."""
_WITH_ECG: Final = 0.3
_RECORDED_RATE: Final = Decimal(75)
"""Of the heart that the simulated strap plays, which is a recording and wanders."""
_AGENT_KILLED_AFTER: Final = 0.4
_BETWEEN: Final = (Pause.OPENED, Pause.MEASURED, Pause.TYPED, Pause.CLOSED)


@dataclasses.dataclass(frozen=True, slots=True)
class Visit:
    """One patient's visit.

    Attributes:
        oximeter: which device is put on the finger.
        spo2, pulse: what that device is told to show.
        cuff: systolic, diastolic and pulse that the Bluetooth cuff finds, or None when they are typed.
        ecg: whether the chest strap is put on.
        manual: what the nurse types, (code, value) in stored units.
        slip: (code, value) typed first and impossible: must be refused, nothing stored.
        rare: the code of ``manual`` that is rare and must be confirmed, or None.
        weight: typed in a request of its own, or None.
        alert: a code the nurse raises, or None.
        early: the finger is on the device before the visit is open, so the reading meets the tray.
        faults: what breaks during this visit, and when.
    """

    person: Person
    oximeter: str
    spo2: int
    pulse: int
    cuff: tuple[int, int, int] | None
    ecg: bool
    manual: tuple[tuple[str, str], ...]
    slip: tuple[str, str] | None
    rare: str | None
    weight: str | None
    alert: str | None
    early: bool
    faults: tuple[tuple[Pause, Fault], ...]

    @property
    def expected(self) -> list["Expected"]:
        """Every value that is to be at the centre under this person, once."""
        weight = [("weight", self.weight)] if self.weight is not None else []
        measured = zip(("bp.sys", "bp.dia", "pulse.nibp"), self.cuff or (), strict=False)
        heart = [Expected("hr", _RECORDED_RATE, within=Decimal(15))] if self.ecg else []
        return [
            *heart,
            *(Expected(code, Decimal(value)) for code, value in measured),
            *(Expected(code, Decimal(value)) for code, value in [*self.manual, *weight]),
            Expected("spo2", Decimal(self.spo2), within=Decimal(2)),
            Expected("pulse.spo2", Decimal(self.pulse), within=Decimal(6)),
        ]


@dataclasses.dataclass(frozen=True, slots=True)
class Expected:
    """One value, to be there exactly once; a living finger's numbers wander a little."""

    code: str
    value: Decimal
    within: Decimal = Decimal(0)

    def fits(self, shown: Sequence[Decimal]) -> bool:
        return len(shown) == 1 and abs(shown[0] - self.value) <= self.within


@dataclasses.dataclass(frozen=True, slots=True)
class Script:
    """The whole morning.

    Attributes:
        pin: the nurse's; made up like everything else, and searched for in logs and arguments.
        seed: also decides how long after a request the agent is killed.
    """

    seed: int
    unit: str
    user: str
    user_name: str
    pin: str
    visits: tuple[Visit, ...]

    @property
    def canaries(self) -> list[str]:
        """Every synthetic name and identifier, once each."""
        texts = (text for visit in self.visits for text in visit.person.texts)
        return list(dict.fromkeys(texts))

    @property
    def secrets(self) -> list[str]:
        """What must not even be at the centre."""
        return [self.pin]

    def save(self, path: Path) -> None:
        """Keep it readable beside the proof, for whoever wants to play or check it again."""
        path.write_text(json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=1) + "\n")


def write(seed: int, patients: int) -> Script:
    """The morning of ``seed`` with so many patients; at least one."""
    rng = random.Random(f"qafila rehearsal {seed}")  # noqa: S311  a story to be told again, not a secret
    people = invent(rng, patients)
    faults = _spread(patients)
    rare, early, alert = (rng.randrange(patients) for _ in range(3))
    visits = tuple(
        _visit(
            rng,
            person,
            first=index == 0,
            oximeter=list(OXIMETERS)[index % len(OXIMETERS)],
            rare=index == rare,
            early=index == early,
            alert=index == alert or rng.random() < 0.2,
            faults=tuple(faults[index]),
        )
        for index, person in enumerate(people)
    )
    return Script(
        seed=seed,
        unit=f"van-{rng.randint(10, 99)}",
        user="amina",
        user_name="Amina",
        pin=f"{rng.randrange(10**10):010}",
        visits=visits,
    )


def _spread(patients: int) -> Mapping[int, list[tuple[Pause, Fault]]]:
    """Which visit each fault strikes and where in it; with few patients one visit takes several."""
    struck: dict[int, list[tuple[Pause, Fault]]] = {index: [] for index in range(patients)}
    for share, fault in _MORNING:
        index, between = divmod(int(share * patients * len(_BETWEEN)), len(_BETWEEN))
        struck[index].append((_BETWEEN[between], fault))
    struck[int(_AGENT_KILLED_AFTER * patients)].append((Pause.TYPING, Fault.KILL_AGENT))
    return struck


def _visit(
    rng: random.Random,
    person: Person,
    *,
    first: bool,
    oximeter: str,
    rare: bool,
    early: bool,
    alert: bool,
    faults: tuple[tuple[Pause, Fault], ...],
) -> Visit:
    """Ordinary values well inside the limits, except where the script wants trouble."""
    systolic = rng.randint(100, 165)
    diastolic = min(systolic - rng.randint(35, 50), _DIASTOLIC_AT_MOST)
    by_cuff = rng.random() < _BY_CUFF or first
    manual = {
        **({} if by_cuff else {"bp.sys": str(systolic), "bp.dia": str(diastolic)}),
        "temp": f"{rng.randint(360, 384) / 10:.1f}",
        "rr": str(rng.randint(12, 24)),
    }
    if rare:
        manual["temp"] = "40.9"  # possible, and rare enough that it must be confirmed
    return Visit(
        person=person,
        oximeter=oximeter,
        spo2=rng.randint(93, 99),
        pulse=rng.randint(58, 104),
        cuff=(systolic, diastolic, rng.randint(58, 104)) if by_cuff else None,
        ecg=rng.random() < _WITH_ECG or first,
        manual=tuple(manual.items()),
        slip=("temp", "98.6") if rare else None,  # Fahrenheit typed into a field of degrees Celsius
        rare="temp" if rare else None,
        weight=f"{rng.randint(480, 950) / 10:.1f}" if rng.random() < 0.4 else None,
        alert="nurse-concern" if alert else None,
        early=early,
        faults=faults,
    )
