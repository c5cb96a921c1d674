"""The two waves of the capture screen: which device each follows, and what is said above them."""

from collections.abc import Callable
from typing import Final

from edge.localapi.events import WaveEvent
from edge.vitals.codes import Code
from tui import theme
from tui.hub import Hub
from tui.widgets.wave import WaveView

WAVES: Final = (Code.ECG, Code.PLETH)
NUMBER_OF: Final = {Code.ECG: Code.HEART_RATE, Code.PLETH: Code.OXYGEN_SATURATION}
"""The number that stands beside a wave."""
_ECG_SPAN_UV: Final = 1500
_PLETH_SPAN: Final = 40
_PLETH_SWEEP_S: Final = 6


class LiveWaves:
    """An ECG and a pleth.

    Args:
        perfusion: how well the finger is perfused now, as text, or empty.
        shown_by: the device whose number of a code is on the screen, if any.

    Attributes:
        views: the widgets by code, in the order in which they are shown.
    """

    def __init__(
        self, hub: Hub, perfusion: Callable[[], str], shown_by: Callable[[Code], str | None]
    ) -> None:
        self._hub = hub
        self._perfusion = perfusion
        self._shown_by = shown_by
        self._device: dict[Code, str] = {}
        self._lead = ""
        self._chosen: Code | None = None
        self.views: Final[dict[Code, WaveView]] = {
            Code.ECG: WaveView(
                self._ecg_words, colour=theme.HEART, least_span=_ECG_SPAN_UV, level=hub.level,
                now_s=hub.now_s, millivolts=True, id="ecg",
            ),
            Code.PLETH: WaveView(
                self._pleth_words, colour=theme.OXYGEN, least_span=_PLETH_SPAN, level=hub.level,
                now_s=hub.now_s, sweep_s=_PLETH_SWEEP_S, id="pleth",
            ),
        }  # fmt: skip

    def take(self, event: WaveEvent) -> None:
        """Feed samples to the wave they belong to."""
        code = next((each for each in WAVES if each == event.code), None)
        if code is None or not self._hub.waves:
            return
        wave = self.views[code]
        # of two that send the same signal the one whose number is shown is drawn, else the first:
        # a sensor without a finger sends a flat line, which beside another's number would look like no pulse
        free = wave.silent and not wave.off if event.off else wave.silent or wave.off
        if free or self._shown_by(NUMBER_OF[code]) == event.device:
            if self._device.get(code, event.device) != event.device:
                wave.begin_anew()
            self._device[code] = event.device
        if self._device.get(code) == event.device:
            if code is Code.ECG:
                self._lead = event.lead or ""
            if event.off:
                wave.lift()
            else:
                wave.feed(event.samples, float(event.rate))

    def choose_other(self) -> None:
        """Where one is shown, show the other."""
        self._chosen = Code.PLETH if self._shown is Code.ECG else Code.ECG

    def lay_out(self, *, one: bool) -> None:
        """Show both, or where there is little room one of them."""
        shown = self._shown if one else None
        for code, wave in self.views.items():
            wave.display = self._hub.waves and (shown is None or code is shown)
            wave.set_class(wave.silent_s is None and shown is None, "-never")

    def tick(self) -> None:
        """Look at words and colours again."""
        for wave in self.views.values():
            wave.set_live(live=self._hub.present)
            wave.tick()

    def pause(self) -> None:
        """Something is above: what is behind a box is sent whole for each frame, and lines are slow."""
        for wave in self.views.values():
            wave.pause()

    def resume(self) -> None:
        """Nothing is above any more."""
        for wave in self.views.values():
            wave.resume()

    def frame(self) -> None:
        """Draw what is due by now."""
        for wave in self.views.values():
            if wave.display:
                wave.frame()

    @property
    def _shown(self) -> Code:
        """Of the two the one that was chosen, else the one that runs, the ECG first."""
        if self._chosen is not None:
            return self._chosen
        return next((code for code in WAVES if not self.views[code].silent), Code.ECG)

    def _ecg_words(self, wave: WaveView) -> str:
        bar = f"▏ {wave.bar_mv:g} mV" if wave.bar_mv is not None else ""
        return self._words(wave, f"{self._hub.say('wave.ecg')} {self._hub.lead(self._lead)}".strip(), bar)

    def _pleth_words(self, wave: WaveView) -> str:
        return self._words(wave, self._hub.say("wave.pleth"), self._perfusion())

    def _words(self, wave: WaveView, name: str, more: str) -> str:
        say = self._hub.say
        if not self._hub.present:
            return f"{name}  {say('tile.absent')}"
        if wave.off:
            return f"{name}  {say('missing.sensor-off')}"
        silent_s = wave.silent_s
        if silent_s is None:
            return f"{name}  {say('wave.none')}"
        if wave.paused:
            return f"{name}  {say('wave.paused')}"
        if wave.silent:
            return f"{name}  {say('wave.stopped', age=self._hub.age(silent_s))}"
        return "  ".join(part for part in (name, say("wave.sweep", s=wave.sweep_s), more) if part)
