"""The key of the blood pressure: it starts a cuff that can be started, and stops the one that measures."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Final, Literal, TypeAlias

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static

from edge.localapi.events import DeviceEvent, ReadingEvent
from edge.localapi.shapes import PatientShown
from edge.vitals.codes import Code
from tui.hub import Hub
from tui.monitor import Monitor
from tui.screens.base import Box, keys
from tui.typed import age_years
from tui.widgets.flow import Part, content, flow

Mode: TypeAlias = Literal["adult", "child", "neonate"]
MODES: Final[tuple[Mode, ...]] = ("adult", "child", "neonate")
ADULT_OVER_YEARS: Final = 18
"""Whoever is older is not asked about; of a birth known by its year the age may be one less."""
LONGEST_S: Final = 240.0
"""No cuff holds air for so long: IEC 80601-2-30 lets it for 180 s."""


@dataclasses.dataclass(frozen=True, slots=True)
class Start:
    """What a person chose."""

    device: str
    mode: Mode


class Cuffs:
    """The cuffs that can be told to measure, and which of them do."""

    def __init__(self, hub: Hub, monitor: Monitor) -> None:
        self._hub = hub
        self._monitor = monitor
        self._since_s: dict[str, float] = {}

    def known(self) -> list[str]:
        """Those of this unit, there or not."""
        return [key for key, device in self._hub.situation.devices.items() if device.on_command]

    def startable(self) -> list[str]:
        """Those that may be told to measure now."""
        devices = self._hub.situation.devices
        return [key for key in self.known() if devices[key].state != "gone"]

    def measuring(self) -> list[str]:
        """Those that measure: started from here, or holding air whoever started them."""
        now_s = self._hub.now_s()
        started = {key for key, since_s in self._since_s.items() if now_s - since_s <= LONGEST_S}
        pumping = self._monitor.pumping(now_s).intersection(self.known())
        return sorted(started | pumping)

    def begun(self, device: str) -> None:
        """It has been told to measure."""
        self._since_s[device] = self._hub.now_s()

    def over(self, device: str) -> None:
        """It does not measure any more."""
        self._since_s.pop(device, None)

    def hear(self, message: ReadingEvent | DeviceEvent) -> str:
        """Take news of a device.

        Returns:
            Words about a measurement that ended without a result, else nothing.
        """
        if isinstance(message, DeviceEvent):
            if message.state == "gone":
                self.over(message.key)
            return ""
        systolic = next((value for value in message.values if value.code == Code.SYSTOLIC), None)
        if systolic is None or not message.finished or message.device not in self._since_s:
            return ""
        self.over(message.device)
        if systolic.value is not None:
            return ""
        say = self._hub.say
        why = [say(code) for flag in message.flags if (code := f"flag.{flag}") in say.codes]
        reason = why[0] if why else say(f"missing.{systolic.missing}")
        return say("cuff.no-result", device=message.device, why=reason)


def mode_for(patient: PatientShown, hub: Hub) -> Mode | None:
    """How to pump, where the age leaves no doubt."""
    if not patient.birth or hub.situation.clock_quality == "none":
        return None
    years = age_years(patient.birth, hub.today())
    return "adult" if years is not None and years > ADULT_OVER_YEARS else None


class ChooseCuff(Box[Start | None]):
    """A digit chooses the cuff and whom it is on; Esc goes back, and nothing is pumped."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(escape="leave", f3="leave"),
        *keys(**{str(digit): f"choose({digit})" for digit in range(1, 10)}),
    ]

    def __init__(self, hub: Hub, cuffs: Sequence[str]) -> None:
        super().__init__(hub)
        self._choices = [Start(cuff, mode) for cuff in cuffs for mode in MODES][:9]

    def compose(self) -> ComposeResult:
        say = self.hub.say
        with Vertical(classes="box") as box:
            box.border_title = say("cuff.title")
            for number, choice in enumerate(self._choices, 1):
                words = f"{number}  {choice.device}  {say(f'cuff.{choice.mode}')}"
                yield Static(words, markup=False, classes="title")
            yield Static("")
            yield Static(content(flow([Part(say("cuff.stop-how")), Part(f"Esc {say('key.back')}")], 70)))

    def action_choose(self, digit: int) -> None:
        if digit <= len(self._choices):
            self.dismiss(self._choices[digit - 1])

    def action_leave(self) -> None:
        self.dismiss(None)
