"""Whether the machine's time can be believed, and who vouches for it."""

import ctypes
import dataclasses
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cli.doctor.finding import Finding, Word, failed, passed, warned

NOT_BEFORE_MS: Final = 1_767_225_600_000
"""2026-01-01: this program was not written before."""
OFF_MS: Final = 2000
"""More than a satellite receiver can be late."""
_UNSYNCHRONISED: Final = 5  # TIME_ERROR of adjtimex(2)
_RTC: Final = Path("/dev/rtc0")


@dataclasses.dataclass(frozen=True, slots=True)
class Clocks:
    """What is known of the time.

    Attributes:
        past_ms: a time that is certainly past, such as one the centre has signed.
        quality: where the time comes from, as the agent or the configuration says; None for neither.
        by_agent: whether the agent said so.
        off_ms: what a satellite receiver would add; None without one.
        kept: whether a time service holds the kernel's clock; None where the kernel does not say.
        rtc: whether there is a clock that runs while the machine is off.
    """

    wall_ms: int
    past_ms: int
    quality: str | None
    by_agent: bool
    off_ms: int | None
    kept: bool | None
    rtc: bool


def look(
    wall_ms: int, signed_ms: int | None, configured: str | None, status: Mapping[str, Any] | None
) -> Clocks:
    """See what the machine says of its own clock."""
    said: Mapping[str, Any] = {} if status is None else status["clock"]
    return Clocks(
        wall_ms,
        max(NOT_BEFORE_MS, signed_ms or 0),
        said.get("quality", configured),
        status is not None,
        said.get("off_ms"),
        _kept(),
        _RTC.exists(),
    )


def judge(seen: Clocks) -> list[Finding]:
    return [_judged(seen)]


def _judged(seen: Clocks) -> Finding:  # noqa: PLR0911  a return for each finding
    name = "clock"
    if seen.wall_ms < seen.past_ms:
        return failed(
            name,
            "It says {says}, and {past} is past already.",
            "Set the date, or give the unit a network or a satellite receiver; measuring goes on meanwhile.",
            says=Word(_day(seen.wall_ms)),
            past=Word(_day(seen.past_ms)),
        )
    if seen.off_ms is not None and abs(seen.off_ms) > OFF_MS:
        return warned(
            name,
            "It is {seconds} s away from the satellites' time.",
            "Set it; until then devices are set by the receiver, and entries carry the difference.",
            seconds=round(abs(seen.off_ms) / 1000),
        )
    if seen.quality is None:
        return warned(name, "Not known: nothing says where the time comes from.", "Repair unit.toml first.")
    said = {"quality": Word(seen.quality)}
    if seen.quality == "none":
        return warned(
            name,
            "Nobody vouches for it (quality none).",
            "If the machine has a time service or a clock of its own, set [clock] quality in unit.toml.",
        )
    if seen.quality == "ntp" and not seen.kept:
        how = "no time service holds it now" if seen.kept is False else "the kernel does not say whether"
        return warned(
            name,
            "unit.toml says {quality}; {how}.",
            "Look at the time service (timedatectl), or set [clock] quality to what is true.",
            how=Word(how),
            **said,
        )
    if seen.quality == "rtc" and not seen.rtc:
        return warned(
            name,
            "unit.toml says {quality}, and there is no such clock here.",
            "Put the module in, or set [clock] quality to what is true.",
            **said,
        )
    if seen.quality in {"gnss", "centre"} and not seen.by_agent:
        return warned(
            name, "Not known: {quality} is for the running agent to say.", "Start the agent.", **said
        )
    return passed(name, "Its time comes from: {quality}.", **said)


def _day(wall_ms: int) -> str:
    return datetime.datetime.fromtimestamp(wall_ms / 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M")


def _kept() -> bool | None:
    """What adjtimex(2) says, which asks for no rights as long as nothing is changed."""
    try:
        answer = int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512)))
    except (AttributeError, OSError):
        return None
    return None if answer < 0 else answer != _UNSYNCHRONISED
