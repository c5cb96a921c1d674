"""What every screen of one terminal shares."""

import dataclasses
import datetime
from collections.abc import Callable
from typing import Any, Final

from edge.errors import QafilaError
from edge.i18n.catalogue import Catalogue
from edge.localapi.shapes import PatientShown
from edge.ports.caller import CallRefused
from tui.agent import Agent
from tui.glyphs import Level
from tui.situation import Situation
from tui.typed import age_years

_SINGLE_LEAD: Final = "single lead"
_DAY_S: Final = 86_400
_WHOLE_DATE: Final = len("1978-05-12")


@dataclasses.dataclass(slots=True)
class Hub:
    """Shared by the screens.

    Attributes:
        now_s: a clock for measuring waits and ages.
        drafts: what was typed on a screen that was left, by its name and visit.
        waves: whether live waves are shown; without them the screen is light enough for a slow line.
    """

    agent: Agent
    say: Catalogue
    level: Level
    now_s: Callable[[], float]
    waves: bool = True
    situation: Situation = dataclasses.field(default_factory=Situation)
    drafts: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict[str, dict[str, Any]])

    @property
    def present(self) -> bool:
        """Whether the agent is there."""
        return self.situation.present(self.now_s())

    def trouble(self, error: QafilaError) -> str:
        """An error in words: what it is, about what, and what to do next."""
        sentence, next_step = self.say.error(error.stable_code, error.sentence, error.next_step)
        about = error.about if isinstance(error, CallRefused) else ()
        words = ", ".join(self._limit(limit) for limit in about)
        return " ".join(part for part in (sentence, f"({words})" if words else "", next_step) if part)

    def problem(self, code: str) -> str:
        """What is wrong with the unit, in a sentence."""
        sentence, _ = self.say.error(code, self.say("header.problem"), "")
        return sentence

    def lead(self, name: str) -> str:
        """A lead as the device calls it; a chest strap's in the nurse's language."""
        return name.replace(_SINGLE_LEAD, self.say("wave.single-lead"))

    def age(self, seconds: float) -> str:
        """A stretch of time in few characters."""
        whole = max(0, int(seconds))
        if whole < 60:
            return f"{whole} s"
        if whole < 3600:
            return f"{whole // 60} min"
        if whole < _DAY_S:
            return f"{whole // 3600} h {whole % 3600 // 60:02}"
        return self.say("age.days", n=whole // _DAY_S)

    def number(self, value: str) -> str:
        """A number as this language writes it."""
        return value.replace(".", self.say("number.point"))

    def local(self, wall_ms: int) -> datetime.datetime:
        """A wall time where the box stands."""
        return datetime.datetime.fromtimestamp(wall_ms / 1000, tz=datetime.UTC).astimezone()

    def today(self) -> datetime.date:
        """The day it is on the box."""
        return self.local(self.situation.wall_now_ms(self.now_s()) or 0).date()

    def facts(self, patient: PatientShown) -> str:
        """Sex, age and birth of a patient."""
        sex = self.say(f"sex.{patient.sex}")
        if not patient.birth:
            return sex
        years = age_years(patient.birth, self.today())
        exact = len(patient.birth) == _WHOLE_DATE and not patient.birth_estimated
        about = "" if exact and self.situation.clock_quality != "none" else "≈"
        age = "" if years is None else f" ({about}{self.say('age.years', n=years)})"
        return f"{sex} {patient.birth}{age}"

    def identifiers(self, patient: PatientShown) -> str:
        """What a patient is known by to others."""
        found = [f"{each.system.upper()} {each.value}" for each in patient.identifiers]
        return "  ".join(found) or self.say("patient.no-identifier")

    def _limit(self, limit: str) -> str:
        code = f"limit.{limit}"
        return self.say(code) if code in self.say.codes else limit
