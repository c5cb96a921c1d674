"""Scenarios: a patient, how it goes with them, which devices are on them, and what happens to those.

A scenario is a TOML file. Those that are shipped stand in ``scenarios/`` beside this module and go by
their name; the keys are described at the models below, and an unknown one is refused with the nearest
known name and its line. Everything in it is for training: nobody's numbers, only plausible ones, and each
file names where they come from.
"""

import difflib
import math
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from drivers.simulation.faults import Fault
from drivers.simulation.patient import Course, Knots
from drivers.simulation.vitals import Rhythm
from edge.errors import QafilaError
from edge.vitals.codes import Code
from edge.vitals.limits import REFUSE_OUTSIDE

KEY_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,30}$"
MINUTE_S: Final = 60.0


class ScenarioRefused(QafilaError):
    """A scenario cannot be played as it stands; a person corrects the named line."""

    code: ClassVar[str] = "scenario-refused"


class ScenarioMissing(ScenarioRefused):
    """There is no such file, and none is shipped under this name."""

    code: ClassVar[str] = "scenario-missing"


def _possible(code: Code) -> Any:  # noqa: ANN401  pydantic keeps the type of a constraint to itself
    """What a scenario may claim is what the box would not refuse as impossible."""
    low, high = REFUSE_OUTSIDE[code]
    return Field(ge=float(low), le=float(high))


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PatientTable(_Table):
    """``[patient]``: what does not change.

    Attributes:
        age_years: half a year is 0.5; for the person who plays the nurse, and the reader.
        seed: the same one gives the same patient, to the sample.
        rhythm: ``sinus`` or ``atrial-fibrillation``.
        pulse_per_degree, breaths_per_degree: what each degree of fever adds; children's differ.
        carbon_dioxide_mmhg: in the arteries; more than 45 in a patient who retains it.
        sinus_arrhythmia: how much of an interval the breath adds or takes; more in children.
    """

    age_years: Annotated[float, Field(ge=0, le=120)]
    sex: Literal["f", "m"]
    weight_kg: Annotated[float, _possible(Code.WEIGHT)]
    height_cm: Annotated[float, _possible(Code.HEIGHT)]
    body_fat: Annotated[float, Field(ge=3, le=60)] = 25.0
    seed: Annotated[int, Field(ge=0)] = 1
    rhythm: Literal["sinus", "atrial-fibrillation"] = "sinus"
    pulse_per_degree: Annotated[float, Field(ge=0, le=20)] = 7.2
    breaths_per_degree: Annotated[float, Field(ge=0, le=10)] = 1.4
    carbon_dioxide_mmhg: Annotated[float, Field(ge=15, le=120)] = 40.0
    sinus_arrhythmia: Annotated[float, Field(ge=0, le=0.15)] = 0.03


class MomentTable(_Table):
    """``[[moment]]``: what is so at a moment; between two of them each number eases from one to the other.

    The first stands at minute 0 and names every number but ``oxygen``; the others name what changes.

    Attributes:
        pulse, breaths: a minute, without what a fever adds.
        spo2_on_air: percent, without oxygen; what the oximeter finds follows from it and ``oxygen``.
        oxygen: litres a minute; it is set at this moment and does not ease.
        glucose: mg/dL.
        why: what happens, for the trainer.
    """

    at_min: Annotated[float, Field(ge=0, le=24 * 60)]
    systolic: Annotated[float | None, _possible(Code.SYSTOLIC)] = None
    diastolic: Annotated[float | None, _possible(Code.DIASTOLIC)] = None
    pulse: Annotated[float | None, _possible(Code.HEART_RATE)] = None
    breaths: Annotated[float | None, _possible(Code.RESPIRATORY_RATE)] = None
    temperature: Annotated[float | None, _possible(Code.TEMPERATURE)] = None
    spo2_on_air: Annotated[float | None, _possible(Code.OXYGEN_SATURATION)] = None
    perfusion: Annotated[float | None, _possible(Code.PERFUSION_INDEX)] = None
    glucose: Annotated[float | None, _possible(Code.GLUCOSE)] = None
    oxygen: Annotated[float | None, Field(ge=0, le=15)] = None
    why: str = ""


class DeviceTable(_Table):
    """``[[device]]``: one simulated device on the patient.

    Attributes:
        key: what the unit and the orders call it.
        kind: of ``qafila devices kinds``.
        options: those of the device's README, such as ``{ every = 60 }``.
    """

    key: Annotated[str, Field(pattern=KEY_PATTERN)]
    kind: str
    options: dict[str, str | int | float | bool] = {}


class FaultTable(_Table):
    """``[[fault]]``: what goes wrong.

    Attributes:
        what: one of `Fault`.
        device: its key; only ``motion`` may do without, and then the patient moves with all devices.
        lasts_s: for how long, in real seconds; without it, to the end. What ends by itself has none.
        percent: what is left, of ``low-battery``.
        seconds: how wrong, of ``wrong-clock``; the clock is late when negative.
    """

    at_min: Annotated[float, Field(ge=0)]
    what: Literal[
        "sensor-off", "motion", "noise", "unplug", "hang-up", "out-of-reach", "bond-lost", "low-battery",
        "wrong-clock",
    ]  # fmt: skip
    device: str | None = None
    lasts_s: Annotated[float | None, Field(gt=0)] = None
    percent: Annotated[int, Field(ge=0, le=100)] = 5
    seconds: int = 3 * 3600

    @property
    def fault(self) -> Fault:
        return Fault(self.what)


class OrderTable(_Table):
    """``[[order]]``: anything else a device is told, in its own words."""

    at_min: Annotated[float, Field(ge=0)]
    device: str
    say: Annotated[str, Field(min_length=1, pattern=r"^[^\r\n]+$")]


class Scenario(_Table):
    """A whole file.

    Attributes:
        scenario: version of this format.
        story: what a trainer should know: who comes, what happens, what is to be seen.
        sources: where the numbers come from.
    """

    scenario: Literal[1]
    title: Annotated[str, Field(min_length=1, max_length=60)]
    story: Annotated[str, Field(min_length=1)]
    sources: Annotated[list[str], Field(min_length=1)]
    patient: PatientTable
    moment: Annotated[list[MomentTable], Field(min_length=1)]
    device: list[DeviceTable] = []
    fault: list[FaultTable] = []
    order: list[OrderTable] = []

    def course(self) -> Course:
        """What the patient model follows.

        Only a scenario that `drivers.simulation.scenario_file` has read is sure to name every number.
        """
        return Course(
            systolic=self._knots("systolic"),
            diastolic=self._knots("diastolic"),
            pulse=self._knots("pulse"),
            breaths=self._knots("breaths"),
            temperature=self._knots("temperature"),
            saturation_on_air=self._knots("spo2_on_air"),
            oxygen_flow=((-1.0, 0.0), *self._knots("oxygen")),  # air until somebody gives oxygen
            perfusion=self._knots("perfusion"),
            glucose=self._knots("glucose"),
            moving=tuple(
                (fault.at_min * MINUTE_S, math.inf if fault.lasts_s is None else fault.lasts_s)
                for fault in self.fault
                if fault.fault is Fault.MOTION and fault.device is None
            ),
            rhythm=Rhythm(self.patient.rhythm),
            weight_kg=self.patient.weight_kg,
            height_cm=self.patient.height_cm,
            body_fat=self.patient.body_fat,
            pulse_per_degree=self.patient.pulse_per_degree,
            breaths_per_degree=self.patient.breaths_per_degree,
            carbon_dioxide_mmhg=self.patient.carbon_dioxide_mmhg,
            sinus_arrhythmia=self.patient.sinus_arrhythmia,
        )

    def only(self, keys: Sequence[str]) -> "Scenario":
        """The same patient with some of the devices, and what happens to those.

        Raises:
            ScenarioRefused: there is no such device.
        """
        known = [device.key for device in self.device]
        for key in keys:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                raise ScenarioRefused(
                    f"The scenario has no device {key}.",
                    next_step=f"Did you mean {near[0]}?" if near else f"It has {', '.join(known)}.",
                )
        return self.model_copy(
            update={
                "device": [each for each in self.device if each.key in keys],
                "fault": [each for each in self.fault if each.device is None or each.device in keys],
                "order": [each for each in self.order if each.device in keys],
            }
        )

    @property
    def lasts_min(self) -> float:
        """When the last thing happens; after it the patient stays as they are."""
        tables: tuple[MomentTable | FaultTable | OrderTable, ...] = (*self.moment, *self.fault, *self.order)
        return max(each.at_min for each in tables)

    def _knots(self, name: str) -> Knots:
        told = ((each.at_min * MINUTE_S, getattr(each, name)) for each in self.moment)
        return tuple((at_s, number) for at_s, number in told if number is not None)


def shipped() -> Sequence[str]:
    """The names of the scenarios that come with the package."""
    folder = resources.files("drivers.simulation") / "scenarios"
    return sorted(each.name.removesuffix(".toml") for each in folder.iterdir() if each.name.endswith(".toml"))


def find(name: str) -> Path:
    """The file of a scenario: a path, or the name of one that is shipped.

    Raises:
        ScenarioMissing: there is none.
    """
    if name in shipped():
        return Path(str(resources.files("drivers.simulation") / "scenarios" / f"{name}.toml"))
    path = Path(name)
    if path.is_file():
        return path
    near = [each for each in shipped() if name and name in each] or difflib.get_close_matches(name, shipped())
    raise ScenarioMissing(
        f"There is no scenario {name}.",
        next_step=f"Did you mean {near[0]}?" if near else "See qafila sim list, or name a file.",
    )
