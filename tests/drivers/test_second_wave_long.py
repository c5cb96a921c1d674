"""Ten minutes of each streaming device of the second wave at its real rate, with a break in the middle."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import pytest

from drivers.codec.framing import Frame, Framer, Grammar
from drivers.devices.berry_bci import codec as berry
from drivers.devices.berry_bci.readings import Display as BerryDisplay
from drivers.devices.berry_bci.unit import Unit as BerryUnit
from drivers.devices.creative_pc300 import codec as pc300
from drivers.devices.creative_pc300.readings import Monitor
from drivers.devices.creative_pc300.unit import Unit as MonitorUnit
from drivers.devices.healthypi.codec import Kind, OpenView
from drivers.devices.healthypi.readings import Session
from drivers.devices.healthypi.unit import Unit as BoardUnit
from drivers.devices.viatom_pc60fw import codec as pc60fw
from drivers.devices.viatom_pc60fw.readings import Display as FingertipDisplay
from drivers.devices.viatom_pc60fw.unit import Unit as FingertipUnit
from drivers.simulation.serial_device import SimulatedUnit
from drivers.simulation.vitals import Steady
from edge.ports.driver import DeviceEvent
from edge.vitals.codes import Code
from edge.vitals.quantity import Quantity
from edge.vitals.reading import Reading, Wave

BEGAN_S: Final = 100.0
LASTS_S: Final = 600
BREAK_S: Final = range(300, 310)
"""Nobody listens: what is said then is lost, and its last frame cut in two."""
TICKS: Final = 5


class Shows(Protocol):
    """What turns frames into events."""

    def take(self, frame: Frame) -> Sequence[DeviceEvent]: ...

    def lost(self) -> Sequence[DeviceEvent]: ...


Case = tuple[Callable[[], SimulatedUnit], Callable[[], Grammar], Callable[[], Shows], Code, dict[Code, int]]
CASES: Final[dict[str, Case]] = {
    "healthypi v4": (
        lambda: BoardUnit(Kind.V4, Steady(), BEGAN_S), OpenView, Session, Code.HEART_RATE,
        {Code.ECG: 125, Code.RESPIRATION: 125, Code.PLETH: 125},
    ),
    "healthypi v5, firmware 1": (
        lambda: BoardUnit(Kind.V5_ECG, Steady(), BEGAN_S), OpenView, Session, Code.HEART_RATE,
        {Code.ECG: 125, Code.PLETH: 100},
    ),
    "berry-bci": (
        lambda: BerryUnit(Steady(), BEGAN_S), berry.Packets, BerryDisplay, Code.OXYGEN_SATURATION,
        {Code.PLETH: 100},
    ),
    "viatom-pc60fw": (
        lambda: FingertipUnit(Steady(), BEGAN_S), pc60fw.frames, FingertipDisplay, Code.OXYGEN_SATURATION,
        {Code.PLETH: 50},
    ),
    "creative-pc300": (
        lambda: MonitorUnit(Steady(), BEGAN_S), pc300.frames, Monitor, Code.OXYGEN_SATURATION,
        {Code.PLETH: 50},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_ten_minutes_with_a_break_say_what_the_person_has_all_along(name: str) -> None:
    make_unit, grammar, shows, code, rates = CASES[name]
    unit, framer, session = make_unit(), Framer(grammar()), shows()
    told: list[Reading] = []
    samples = dict.fromkeys(rates, 0)
    gaps = dict.fromkeys(rates, 0)
    for tick in range(1, LASTS_S * TICKS + 1):
        said = unit.stream(BEGAN_S + tick / TICKS)
        if tick // TICKS in BREAK_S:
            continue
        if tick == BREAK_S.start * TICKS - 1:
            said = said[:-3]
        for event in framer.feed(said):
            events = session.take(event) if isinstance(event, Frame) else session.lost()
            for each in events:
                if isinstance(each, Reading) and code in dict(each.values):
                    told.append(each)
                elif isinstance(each, Wave) and each.code in rates:
                    samples[each.code] += len(each.samples)
                    gaps[each.code] += each.gap
    heard_s = LASTS_S - len(BREAK_S)
    numbers = [dict(reading.values)[code] for reading in told]
    assert {each.value for each in numbers if isinstance(each, Quantity)} == {
        72 if code is Code.HEART_RATE else 97
    }
    assert heard_s * 0.9 <= len(numbers) <= heard_s * 1.1
    for wave, rate in rates.items():
        assert heard_s * rate * 0.99 <= samples[wave] <= heard_s * rate
        assert gaps[wave] == 1
