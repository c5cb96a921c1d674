"""What a person enters on the screen of a visit: numbers, what only they can say, and corrections."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Final
from uuid import UUID

from textual.binding import BindingType

from edge.localapi.shapes import ObservationShown, PatientShown, SittingShown
from edge.vitals.codes import Code
from tui.hub import Hub
from tui.screens.base import Box, QafilaScreen, keys
from tui.screens.breaths import Breaths
from tui.screens.correct import Correct
from tui.screens.history import HistoryScreen
from tui.screens.more import More
from tui.screens.pressures import Pressures
from tui.screens.sheet import SheetBox
from tui.screens.state import StateBox
from tui.screens.whole_set import WholeSet
from tui.widgets.score_line import ScoreLine

_SAID: Final = frozenset({"acvpu", "avpu", "effort", "o2"})
"""Inputs of a score that only a person can give."""


class ByHandScreen(QafilaScreen):
    """A screen of one visit.

    Args:
        patient: whose visit it is.
        encounter: the visit.
    """

    BINDINGS: ClassVar[list[BindingType]] = keys(enter="whole", f7="breaths", f8="state", space="more")

    def __init__(self, hub: Hub, patient: PatientShown, encounter: UUID) -> None:
        super().__init__(hub)
        self.header.patient = patient
        self.patient = patient
        self.encounter = encounter
        self.observations: Sequence[ObservationShown] = ()
        self.score = ScoreLine(hub)
        self.sitting: SittingShown | None = None

    async def action_close(self) -> None:
        """Ask whether the visit is over."""
        raise NotImplementedError

    async def action_tray(self) -> None:
        """What belongs to nobody."""
        raise NotImplementedError

    async def action_whole(self) -> None:
        """A whole set by hand, then what only a person can say."""
        await self.app.push_screen(WholeSet(self.hub, self.encounter), self._then_state)

    async def action_breaths(self) -> None:
        """Count breaths, then what only a person can say."""
        box = Breaths(self.hub, self.encounter, child=self._is_child)
        await self.app.push_screen(box, self._then_state)

    def _then_state(self, words: str | None) -> None:
        """Something was saved: ask for consciousness and oxygen, unless they are known."""
        if not words:
            return
        self.notice.tell(words)
        if not self._has_state():
            self.call_later(self.action_state)

    def _has_state(self) -> bool:
        if self.score.scores:
            return not _SAID & set(self.score.scores[0].missing)
        code = Code.BREATHING_EFFORT if self._is_child else Code.CONSCIOUSNESS
        return any(each.code == code and not each.corrected for each in self.observations)

    @property
    def _is_child(self) -> bool:
        return any(score.rule == "pews" for score in self.score.scores)

    async def action_state(self) -> None:
        """Consciousness, oxygen and pregnancy; F12 there goes on to the end of the visit."""
        asks = self.score.asks_pregnancy
        box = StateBox(self.hub, self.encounter, child=self._is_child, asks_pregnancy=asks)

        def said(words: str | None) -> None:
            if words:
                self.notice.tell(words)
                if box.finish:
                    self.call_later(self.action_close)

        await self.app.push_screen(box, said)

    async def action_more(self) -> None:
        """What a visit has besides measuring."""

        def chosen(item: str | None) -> None:
            if item:
                self.call_later(self._do, item)

        await self.app.push_screen(More(self.hub), chosen)

    async def _do(self, item: str) -> None:
        if item == "tray":
            await self.action_tray()
            return
        if item == "history":
            await self.app.push_screen(HistoryScreen(self.hub, self.patient))
            return
        if item == "pressures":
            await self._three_pressures()
            return
        boxes: dict[str, Callable[[], Box[str]]] = {
            "undo": lambda: Correct(self.hub, self.encounter, self.observations, undo=True),
            "correct": lambda: Correct(self.hub, self.encounter, self.observations),
            "late": lambda: WholeSet(self.hub, self.encounter, late=True),
            "sheet": lambda: SheetBox(self.hub, self.encounter),
        }
        await self.app.push_screen(boxes[item](), lambda words: self.notice.tell(words or ""))

    async def _three_pressures(self) -> None:
        """Readings of one sitting; it opens again once one has been started or typed."""
        box = Pressures(self.hub, lambda: self.sitting, cuff=self.can_pump())

        def chosen(then: str | None) -> None:
            if then == "cuff":
                self.call_later(self.action_cuff)
            elif then == "hand":
                self.call_later(self.action_enter)

        await self.app.push_screen(box, chosen)

    def can_pump(self) -> bool:
        """Whether there is a cuff that can be told to measure."""
        raise NotImplementedError

    async def action_cuff(self) -> None:
        """Start it, or stop it."""
        raise NotImplementedError

    async def action_enter(self) -> None:
        """A value by hand."""
        raise NotImplementedError
