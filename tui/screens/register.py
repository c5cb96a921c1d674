"""Enter a new patient: who it is, what they agreed to, and more if there is time."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from uuid import UUID

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from edge.errors import QafilaError
from edge.i18n.shaping import is_right_to_left
from edge.localapi.client import new_request_id
from edge.localapi.expertise import ExpectedShown
from edge.localapi.shapes import PatientShown
from tui.hub import Hub
from tui.screens.alike import Alike
from tui.screens.base import Box, keys, taken, uncovered
from tui.typed import age_years, read_birth
from tui.widgets.flow import Part, content
from tui.widgets.line import Line

IDENTIFIER_SYSTEM: Final = "cnie"
"""The national identity card; other countries' systems come with their configuration."""
_ASKED: Final = ("family", "given", "sex", "birth", "identifier", "consent")
"""Enter goes through these, and in the last saves."""
_MORE: Final = ("family_arabic", "given_arabic", "phone", "village", "tele", "given_by")
"""Reached with an arrow, and never needed."""
_FIELDS: Final = (*_ASKED, *_MORE)
_TRAITS: Final = ("family", "given", "sex", "birth", "phone", "family_arabic", "given_arabic")
_LETTERS: Final = {"f": "1", "m": "2", "h": "2"}
_SEXES: Final = {"1": "female", "2": "male", "3": "other", "4": "unknown"}
_DECISIONS: Final = {"1": "given", "2": "refused"}
_SPEAKERS: Final = {"1": "patient", "2": "parent", "3": "guardian", "4": "relative"}
_CHOICES: Final[Mapping[str, Mapping[str, str]]] = {
    "sex": _SEXES, "consent": _DECISIONS, "tele": _DECISIONS, "given_by": _SPEAKERS,
}  # fmt: skip
"""Fields of one digit."""
_SCOPES: Final = {"consent": "care", "tele": "tele-expertise"}
_OF_AGE_YEARS: Final = 18


class Register(Box[PatientShown | None]):
    """Some fields; Enter goes to the next and, in the last that is asked for, saves.

    Args:
        expected: whom the centre expects; what it knows of them stands in the fields.
    """

    BINDINGS: ClassVar[list[BindingType]] = keys(
        escape="leave", up="app.focus_previous", down="app.focus_next", enter="enter", f12="save"
    )
    DEFAULT_CSS: ClassVar[str] = """
    Register Horizontal { height: 1; }
    Register .label { width: 25; }
    Register #hint { height: 1; width: 100%; }
    """

    def __init__(self, hub: Hub, expected: ExpectedShown | None = None) -> None:
        super().__init__(hub)
        self._expected = expected
        self._request = new_request_id()
        self._sent: dict[str, object] | None = None
        self._busy = False
        self._asked_about: dict[str, object] | None = None

    def compose(self) -> ComposeResult:
        say = self.hub.say
        with Vertical(classes="box") as box:
            box.border_title = say("register.title")
            for field in _FIELDS:
                with Horizontal():
                    yield Static(say(f"register.{field}"), classes="label", markup=False)
                    yield Line(id=field, max_length=1 if field in _CHOICES else 120)
            yield Static("", id="hint", classes="label", markup=False)
            yield Static("", id="problem", classes="problem", markup=False)
            words = [
                Part(f"F12 {say('key.save')}"),
                Part(f"↑↓ {say('key.field')}"),
                Part(f"Esc {say('key.back')}"),
            ]
            yield Static(content([words]))

    def on_mount(self) -> None:
        for field, value in _known(self._expected).items():
            self._line(field).value = value
        self.set_focus(self._line("family" if self._expected is None else "consent"))

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Say how the field is filled in."""
        if isinstance(event.widget, Input):
            self._hint(event.widget)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if event.input.has_focus:
            self._hint(event.input)

    def _hint(self, line: Input) -> None:
        """Under the fields: an Arabic name whole, which in its line is parted where the cursor stands."""
        code = f"register.hint.{line.id}"
        hint = self.hub.say(code) if code in self.hub.say.codes else ""
        self.query_one("#hint", Static).update(line.value if is_right_to_left(line.value) else hint)

    async def action_enter(self) -> None:
        """To the next field; in the last that is asked for, and in the last of all, save."""
        field = self.focused.id if isinstance(self.focused, Input) else None
        if field in {_ASKED[-1], _FIELDS[-1], None}:
            await self.action_save()
        else:
            self.set_focus(self._line(_FIELDS[_FIELDS.index(field or "") + 1]))

    @on(Input.Changed)
    def _digit(self, event: Input.Changed) -> None:
        """Of a field of one digit nothing else is taken; of the sex F and M say the same as 1 and 2."""
        choices = _CHOICES.get(event.input.id or "")
        if choices is None or event.value != event.input.value:
            return  # what was typed meanwhile has word of its own coming
        digit = _LETTERS.get(event.value.lower(), event.value) if choices is _SEXES else event.value
        if digit != event.value or digit not in {"", *choices}:
            event.input.value = digit if digit in choices else ""

    def action_leave(self) -> None:
        self.dismiss(None)

    async def action_save(self) -> None:
        """Check what is typed, then save."""
        await taken(*(self._line(field) for field in _FIELDS))
        typed = {field: self._line(field).value.strip() for field in _FIELDS}
        if not typed["family"] and not typed["given"]:  # known in Arabic letters alone
            typed |= {"family": typed["family_arabic"], "given": typed["given_arabic"]}
            typed |= {"family_arabic": "", "given_arabic": ""}
        typed["sex"] = _LETTERS.get(typed["sex"].lower(), typed["sex"])
        birth = read_birth(typed["birth"], self.hub.today()) if typed["birth"] else None
        wrong = self._wrong(typed, birth)
        if wrong is not None:
            self._tell(self.hub.say(f"register.wrong.{wrong}"))
            self.set_focus(self._line(wrong))
            return
        fields = _fields(typed, birth)
        if self._expected is not None:
            fields["expected"] = str(self._expected.patient)
        if self._sent is not None and fields != self._sent:
            self._request = new_request_id()  # another patient than the one whose answer was lost
        if not self._busy:
            self._sent = fields
            self._save(fields)

    def _wrong(self, typed: Mapping[str, str], birth: str | None) -> str | None:
        """The first field that cannot be as it is."""
        years = None if birth is None else age_years(birth, self.hub.today())
        child = years is not None and years < _OF_AGE_YEARS
        decided = any(typed[field] in _DECISIONS for field in _SCOPES)
        checks = (
            ("family", not typed["family"]),
            ("given", not typed["given"]),
            ("sex", typed["sex"] not in _SEXES),
            ("birth", bool(typed["birth"]) and birth is None),
            ("given_by", decided and child and not typed["given_by"]),
        )
        return next((field for field, bad in checks if bad), None)

    @work
    async def _save(self, fields: dict[str, object]) -> None:
        self._busy = True
        try:
            chosen = await self._already(fields)
            if chosen is not None:
                if isinstance(chosen, PatientShown):
                    await uncovered(self)
                    self.dismiss(chosen)
                return
            answer = await self.hub.agent.register(self._request, fields)
        except QafilaError as error:
            self._tell(self.hub.trouble(error))
            return
        finally:
            self._busy = False
        await uncovered(self)
        self.dismiss(_as_shown(answer.patient, fields))

    async def _already(self, fields: dict[str, object]) -> PatientShown | bool | None:
        """The person somebody chose among those who are alike, False to type on, None to enter this one."""
        if fields == self._asked_about:
            return None
        asked: dict[str, Any] = {name: fields[name] for name in _TRAITS if name in fields}
        try:
            people = (await self.hub.agent.likely(asked)).patients
        except QafilaError:
            return None  # entering says what is wrong; a proposal is not worth an obstacle
        if people:
            await uncovered(self)
            chosen = await self.app.push_screen_wait(Alike(self.hub, people))
            if chosen is not True:
                return chosen
        self._asked_about = fields
        return None

    def _line(self, field: str) -> Input:
        return self.query_one(f"#{field}", Input)

    def _tell(self, words: str) -> None:
        self.query_one("#problem", Static).update(words)


def _known(expected: ExpectedShown | None) -> dict[str, str]:
    """What the centre knows of somebody, as it would be typed."""
    if expected is None:
        return {}
    birth = "".join(reversed((expected.birth or "").split("-")))
    sex = next((digit for digit, word in _SEXES.items() if word == expected.sex), "")
    card = next((each.value for each in expected.identifiers if each.system == IDENTIFIER_SYSTEM), "")
    names = {
        name: str(getattr(expected, name)) for name in ("family", "given", "family_arabic", "given_arabic")
    }
    return names | {"birth": birth, "sex": sex, "identifier": card}


def _fields(typed: Mapping[str, str], birth: str | None) -> dict[str, object]:
    """What the local API takes; nothing of what was not typed."""
    fields: dict[str, object] = {
        "family": typed["family"],
        "given": typed["given"],
        "sex": _SEXES[typed["sex"]],
    }
    if birth is not None:
        fields["birth"] = birth
        if len(typed["birth"]) <= len("125"):
            fields["birth_estimated"] = True  # an age was told, and no year
    if typed["identifier"]:
        fields["identifiers"] = [{"system": IDENTIFIER_SYSTEM, "value": typed["identifier"]}]
    fields |= {
        name: typed[name] for name in ("phone", "village", "family_arabic", "given_arabic") if typed[name]
    }
    consents = [
        {"scope": scope, "decision": _DECISIONS[typed[field]]}
        | ({"given_by": _SPEAKERS[typed["given_by"]]} if typed["given_by"] else {})
        for field, scope in _SCOPES.items()
        if typed[field] in _DECISIONS
    ]
    return fields | ({"consents": consents} if consents else {})


def _as_shown(patient: UUID, fields: Mapping[str, object]) -> PatientShown:
    shown = {name: fields[name] for name in PatientShown.model_fields if name in fields}
    return PatientShown.model_validate(
        {"birth": None, "identifiers": (), **shown, "patient": patient, "state": "saved"}
    )
