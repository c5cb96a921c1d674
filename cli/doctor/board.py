"""Power and temperature of a Raspberry Pi, where its firmware says something."""

import dataclasses
from pathlib import Path
from typing import Final

from cli.doctor.finding import Finding, failed, passed, warned

_THROTTLED: Final = "devices/platform/soc/soc:firmware/get_throttled"
_UNDER_VOLTAGE: Final = 0x1
_SLOWED: Final = 0xE
_SINCE_START: Final = 16
"""Bits of get_throttled: 0 under-voltage, 1 to 3 slowed down for it or for heat; from 16 the same since the
start.

Source: Raspberry Pi documentation, vcgencmd get_throttled.
"""
WARM_C: Final = 75
HOT_C: Final = 82


@dataclasses.dataclass(frozen=True, slots=True)
class Board:
    """What the firmware says; None where it does not."""

    throttled: int | None = None
    temperature_c: float | None = None


def look(sys: Path = Path("/sys"), model: Path = Path("/proc/device-tree/model")) -> Board:
    """See a Pi's files; another machine has nothing to say here."""
    if "Raspberry Pi" not in (_text(model) or ""):
        return Board()
    thermal = _text(sys / "class" / "thermal" / "thermal_zone0" / "temp")
    throttled = _text(sys / _THROTTLED)
    try:
        return Board(
            None if throttled is None else int(throttled, 16),
            None if thermal is None else int(thermal) / 1000,
        )
    except ValueError:
        return Board()


def judge(seen: Board) -> list[Finding]:
    """Only for what is there to be judged."""
    found = [] if seen.throttled is None else [_power(seen.throttled)]
    return found if seen.temperature_c is None else [*found, _temperature(seen.temperature_c)]


def _power(bits: int) -> Finding:
    name = "power"
    if bits & _UNDER_VOLTAGE:
        return failed(name, "The voltage is too low now.", "Use the right supply and a short cable.")
    if bits >> _SINCE_START & _UNDER_VOLTAGE:
        return warned(name, "The voltage was too low since the start.", "Look at the supply and its cable.")
    if (bits | bits >> _SINCE_START) & _SLOWED:
        return warned(
            name, "The machine was slowed down since the start.", "Look at its cooling and its supply."
        )
    return passed(name, "The voltage was right since the start.")


def _temperature(celsius: float) -> Finding:
    name, said = "temperature", round(celsius)
    if celsius >= HOT_C:
        return failed(
            name, "{celsius} °C: it slows down, or stops soon.", "Shade and air, now.", celsius=said
        )
    if celsius >= WARM_C:
        return warned(name, "{celsius} °C.", "Give it shade and air.", celsius=said)
    return passed(name, "{celsius} °C.", celsius=said)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return None
