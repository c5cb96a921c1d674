"""Enter a new patient: as little as tells one person from another."""

from typing import Any, ClassVar, Final
from uuid import UUID

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from edge.errors import QafilaError
from edge.localapi.client import new_request_id
from edge.localapi.shapes import Identifier, PatientShown
from tui.hub import Hub
from tui.screens.alike import Alike
from tui.screens.base import Box, keys, taken
from tui.typed import read_birth
from tui.widgets.flow import Part, content

IDENTIFIER_SYSTEM: Final = "cnie"
"""The national identity card; other countries' systems come with their configuration."""
_FIELDS: Final = ("family", "given", "sex", "birth", "identifier")
_TRAITS: Final = ("family", "given", "sex", "birth", "phone")
_LETTERS: Final = {"f": "1", "m": "2", "h": "2"}
_SEXES: Final = {"1": "female", "2": "male", "3": "other", "4": "unknown"}


class Register(Box[PatientShown | None]):
    """Five fields; Enter goes to the next and, in the last, saves."""

    BINDINGS: ClassVar[list[BindingType]] = keys(
        escape="leave", up="app.focus_previous", down="app.focus_next", enter="enter", f12="save"
    )

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self._request = new_request_id()
        self._sent: dict[str, object] | None = None
        self._busy = False
        self._asked_about: dict[str, object] | None = None

    def compose(self) -> ComposeResult:
        say = self.hub.say
        with Vertical(classes="box") as box:
            box.border_title = say("register.title")
            for field in _FIELDS:
                yield Static(say(f"register.{field}"), classes="label", markup=False)
                yield Input(id=field, max_length=1 if field == "sex" else 120)
            yield Static("", id="problem", classes="problem", markup=False)
            words = [
                Part(f"F12 {say('key.save')}"),
                Part(f"↑↓ {say('key.field')}"),
                Part(f"Esc {say('key.back')}"),
            ]
            yield Static(content([words]))

    def on_mount(self) -> None:
        self.set_focus(self._line("family"))

    async def action_enter(self) -> None:
        """To the next field; in the last one, save."""
        at = _FIELDS.index(self.focused.id or "") if isinstance(self.focused, Input) else -1
        if at + 1 < len(_FIELDS):
            self.set_focus(self._line(_FIELDS[at + 1]))
        else:
            await self.action_save()

    @on(Input.Changed, "#sex")
    def _letter(self, event: Input.Changed) -> None:
        """F and M say the same as 1 and 2."""
        digit = _LETTERS.get(event.value.lower(), event.value)
        if digit != event.value or digit not in {"", *_SEXES}:
            event.input.value = digit if digit in _SEXES else ""

    def action_leave(self) -> None:
        self.dismiss(None)

    async def action_save(self) -> None:
        """Check what is typed, then save."""
        await taken(*(self._line(field) for field in _FIELDS))
        typed = {field: self._line(field).value.strip() for field in _FIELDS}
        typed["sex"] = _LETTERS.get(typed["sex"].lower(), typed["sex"])
        birth = read_birth(typed["birth"], self.hub.today()) if typed["birth"] else None
        wrong = next(
            (
                field
                for field, bad in (
                    ("family", not typed["family"]),
                    ("given", not typed["given"]),
                    ("sex", typed["sex"] not in _SEXES),
                    ("birth", bool(typed["birth"]) and birth is None),
                )
                if bad
            ),
            None,
        )
        if wrong is not None:
            self._tell(self.hub.say(f"register.wrong.{wrong}"))
            self.set_focus(self._line(wrong))
            return
        fields: dict[str, object] = {
            "family": typed["family"],
            "given": typed["given"],
            "sex": _SEXES[typed["sex"]],
        }
        if birth is not None:
            fields["birth"] = birth
        if typed["identifier"]:
            fields["identifiers"] = [{"system": IDENTIFIER_SYSTEM, "value": typed["identifier"]}]
        if self._sent is not None and fields != self._sent:
            self._request = new_request_id()  # another patient than the one whose answer was lost
        if not self._busy:
            self._sent = fields
            self._save(fields)

    @work
    async def _save(self, fields: dict[str, object]) -> None:
        self._busy = True
        try:
            chosen = await self._already(fields)
            if chosen is not None:
                if isinstance(chosen, PatientShown):
                    self.dismiss(chosen)
                return
            answer = await self.hub.agent.register(self._request, fields)
        except QafilaError as error:
            self._tell(self.hub.trouble(error))
            return
        finally:
            self._busy = False
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
            chosen = await self.app.push_screen_wait(Alike(self.hub, people))
            if chosen is not True:
                return chosen
        self._asked_about = fields
        return None

    def _line(self, field: str) -> Input:
        return self.query_one(f"#{field}", Input)

    def _tell(self, words: str) -> None:
        self.query_one("#problem", Static).update(words)


def _as_shown(patient: UUID, fields: dict[str, object]) -> PatientShown:
    identifiers = fields.get("identifiers")
    birth = fields.get("birth")
    return PatientShown(
        patient=patient,
        family=str(fields["family"]),
        given=str(fields["given"]),
        sex=str(fields["sex"]),
        birth=None if birth is None else str(birth),
        identifiers=tuple(
            Identifier.model_validate(each) for each in (identifiers if isinstance(identifiers, list) else ())
        ),
        state="saved",
    )
