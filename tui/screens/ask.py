"""Ask a specialist: whom, how soon, with whose consent, what, and which values and recordings go along."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, cast

from textual import events, on, work
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input, Static

from edge.i18n.amounts import size
from edge.localapi.answers import Encounter, PatientRecord
from edge.localapi.client import new_request_id
from edge.localapi.expertise import Act, Requested, Urgency
from edge.localapi.shapes import ConsentShown, PatientShown, RecordingShown, Saved
from tui.agent import full_name
from tui.hub import Hub
from tui.replies import bytes_of
from tui.screens.base import QafilaScreen, keys, taken, uncovered
from tui.screens.confirm import Confirm
from tui.typed import age_years
from tui.widgets.choice import LABEL_WIDTH, Choice
from tui.widgets.flow import content, flow, wrapped
from tui.widgets.line import Line

SPECIALTIES: Final = (
    "cardiology",
    "obstetrics",
    "dermatology",
    "paediatrics",
    "general-medicine",
    "neurology",
    "ophthalmology",
    "pulmonology",
    "diabetology",
)
URGENCIES: Final[tuple[Urgency, ...]] = ("routine", "urgent", "stat")
ACTS: Final[tuple[Act, ...]] = (
    "tele-expertise",
    "teleconsultation",
    "telemonitoring",
    "tele-assistance",
    "medical-response",
)
_SPEAKERS: Final = {1: "patient", 4: "parent", 5: "guardian", 6: "relative"}
_REFUSED: Final = 2
_EMERGENCY: Final = 3
_CONSENTS: Final = ("patient", "no", "emergency", "parent", "guardian", "relative")
_OF_AGE_YEARS: Final = 18
_SCOPE: Final = "tele-expertise"
_ORDER: Final = ("specialty", "urgency", "consent", "question", "attached", "act")
_LAST_ASKED: Final = "question"
MOST_RECORDINGS: Final = 8
"""As many as have a digit beside the values."""


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What is typed, as the local API takes it.

    Attributes:
        consent: what the patient said now, in the words of ``patient.consent``; None when nothing new.
    """

    fields: Mapping[str, Any]
    consent: Mapping[str, str] | None


class AskScreen(QafilaScreen):
    """A form of digits and one line; nothing of it is lost by going back to the patient.

    Args:
        encounter: the visit it is about.
        done: told in words that the request is saved.
    """

    KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("F12", "key.ask"),
        ("↑↓", "key.field"),
        ("Esc", "key.back"),
        ("F1", "key.help"),
        ("F9", "key.lock"),
        ("F10", "key.menu"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(up="app.focus_previous", down="app.focus_next", enter="enter", f12="send", escape="back"),
        *keys(f1="app.help", f9="app.lock", f10="app.leave", f3="app.stop_cuff"),
        *[Binding(str(digit), f"digit({digit})", show=False, priority=True) for digit in range(1, 10)],
    ]
    DEFAULT_CSS: ClassVar[str] = f"""
    AskScreen #form {{ height: 1fr; padding: 0 1; scrollbar-size-vertical: 0; }}
    AskScreen #line {{ height: 1; background: #263238; }}
    AskScreen #name {{ width: {LABEL_WIDTH + 2}; }}
    AskScreen #preview {{ height: auto; padding: 0 0 0 {LABEL_WIDTH + 2}; }}
    AskScreen #hint {{ height: auto; padding: 0 1; }}
    """

    def __init__(
        self, hub: Hub, patient: PatientShown, visit: Encounter, done: Callable[[str], None]
    ) -> None:
        super().__init__(hub)
        self.header.patient = patient
        self.patient = patient
        self.visit = visit
        self._done = done
        self._held: ConsentShown | None = None
        self._requests = new_request_id(), new_request_id()
        self._sent: Asked | None = None
        self._busy = False
        say = hub.say
        self._choices = {
            "specialty": Choice(
                say("ask.specialty"), [say(f"specialty.{each}") for each in SPECIALTIES], id="specialty"
            ),
            "urgency": Choice(
                say("ask.urgency"), [say(f"urgency.{each}") for each in URGENCIES], id="urgency"
            ),
            "consent": Choice(
                say("ask.consent"), [say(f"ask.consents.{each}") for each in _CONSENTS], id="consent"
            ),
            "attached": Choice(say("ask.attached"), self._attachable(), several=True, id="attached"),
            "act": Choice(say("ask.act"), [say(f"act.{each}") for each in ACTS], id="act"),
        }
        self._choices["act"].chosen = {1}
        self._choices["attached"].chosen = set(range(1, len(self._attachable()) + 1))

    def body(self) -> ComposeResult:
        say = self.hub.say
        with VerticalScroll(id="form", can_focus=False):
            yield Static(say("ask.title"), classes="title", markup=False)
            for field in ("specialty", "urgency", "consent"):
                yield self._choices[field]
            with Horizontal(id="line"):
                yield Static(say("ask.question"), id="name", classes="label", markup=False)
                yield Line(id="question", max_length=2000)
            yield Static("", id="preview", markup=False)
            yield self._choices["attached"]
            yield self._choices["act"]
        yield Static("", id="hint", classes="label", markup=False)

    def on_mount(self) -> None:
        draft = self.hub.drafts.get(self._draft)
        if draft:
            self._fill_in(draft)
        self._focus("specialty")
        self._read()

    def on_resize(self) -> None:
        self._preview()
        self._hint()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Say what digits mean there."""
        event.widget.scroll_visible(animate=False)
        self._hint()

    # ── what is known ───────────────────────────────────────────────────────────────────────────

    @work(exclusive=True, group="read")
    async def _read(self) -> None:
        """What the patient said before; a look at the record is written to the audit trail."""
        record = await self.ask(
            lambda: self.hub.agent.call("patient.show", PatientRecord, patient=str(self.patient.patient))
        )
        if record is None:
            return
        self._held = next((each for each in record.consents if each.scope == _SCOPE and each.holds), None)
        self._show_held()

    def _show_held(self) -> None:
        held, choice = self._held, self._choices["consent"]
        if held is None or choice.chosen:
            return
        when = "" if held.wall_ms is None else f"{self.hub.local(held.wall_ms):%d/%m/%Y}"
        given = held.decision == "given"
        choice.chosen = {1} if given else {_REFUSED}
        choice.say(self.hub.say(f"ask.held.{held.decision}", when=when))

    def _readings(self) -> int:
        """How often something was measured; what was computed of it goes along uncounted."""
        return len({each.reading for each in self.visit.observations if each.source != "computed"})

    def _recordings(self) -> list[RecordingShown]:
        return list(self.visit.recordings)[:MOST_RECORDINGS]

    def _attachable(self) -> list[str]:
        say = self.hub.say
        readings = self._readings()
        words = [say("ask.values", n=readings)]
        for each in self._recordings():
            leads = " ".join(self.hub.lead(lead) for lead in each.leads if lead)
            seconds = self.hub.number(each.seconds)
            kept = size(say, each.kept_bytes)
            words.append(
                f"{say(f'vital.{each.code}')} {seconds} s, {kept} {leads}".rstrip()
            )  # a lead may be cut
        return words

    # ── keys ────────────────────────────────────────────────────────────────────────────────────

    def action_digit(self, digit: int) -> None:
        """Choose where digits choose, and go on; in the question it is a digit like any other."""
        field = self._field()
        choice = self._choices.get(field)
        if choice is None:
            raise SkipAction
        self.notice.tell("")
        if choice.choose(digit) and not choice.several and field != _ORDER[-1]:
            self._focus(_ORDER[_ORDER.index(field) + 1])
        self._hint()

    async def action_enter(self) -> None:
        """To the next field; from the question, and from the last, on to the summary."""
        field = self._field()
        if field in {_LAST_ASKED, _ORDER[-1], ""}:
            await self.action_send()
        else:
            self._focus(_ORDER[_ORDER.index(field) + 1])

    async def action_back(self) -> None:
        """Back to the patient; what is typed waits there for whoever comes back before the visit is over."""
        await taken(self._line())
        self._keep()
        self.app.pop_screen()

    async def action_send(self) -> None:
        """Check what is typed; then say once more to whom, about whom and what goes along."""
        await taken(self._line())
        wrong = self._wrong()
        if wrong is not None:
            field, code = wrong
            self.notice.tell(self.hub.say(code))
            self._focus(field)
            return
        self._keep()
        asked = self._asked()
        if asked != self._sent:
            self._requests = new_request_id(), new_request_id()  # not the one whose answer was lost

        def answered(yes: bool | None) -> None:
            if yes and not self._busy:
                self._sent = asked
                self._send(asked)

        say = self.hub.say
        refused = self._consent() == _REFUSED
        title, yes = ("ask.refusal", "key.yes-refusal") if refused else ("ask.confirm", "key.yes-ask")
        self.app.push_screen(Confirm(self.hub, say(title), self._summary(asked), say(yes)), answered)

    # ── what is typed ───────────────────────────────────────────────────────────────────────────

    def _consent(self) -> int:
        return self._choices["consent"].one or 0

    def _wrong(self) -> tuple[str, str] | None:
        """The first field that cannot be as it is, and why."""
        consent = self._consent()
        years = None if not self.patient.birth else age_years(self.patient.birth, self.hub.today())
        child = years is not None and years < _OF_AGE_YEARS
        held = self._held is not None and self._held.decision == "given"
        said_no = self._held is not None and not held
        urgency = self._choices["urgency"].one
        if consent == _REFUSED and not said_no:
            return None  # a refusal is noted whatever else is missing
        checks = (
            ("specialty", "ask.wrong.specialty", self._choices["specialty"].one is None),
            ("urgency", "ask.wrong.urgency", urgency is None),
            ("consent", "ask.wrong.consent", not consent),
            ("consent", "ask.wrong.refused", consent == _REFUSED),
            ("consent", "ask.wrong.not-against", consent == _EMERGENCY and said_no),
            ("consent", "ask.wrong.emergency", consent == _EMERGENCY and urgency == 1),
            ("consent", "ask.wrong.child", consent == 1 and child and not held),
            ("question", "ask.wrong.question", not self._line().value.strip()),
        )
        return next(((field, code) for field, code, bad in checks if bad), None)

    def _asked(self) -> Asked:
        consent, attached = self._consent(), self._choices["attached"].chosen
        held = self._held is not None and self._held.decision == "given"
        said: dict[str, str] | None = None
        if consent in _SPEAKERS and not (held and self._choices["consent"].said):
            said = {"scope": _SCOPE, "decision": "given", "given_by": _SPEAKERS[consent]}
        elif consent == _REFUSED:
            said = {"scope": _SCOPE, "decision": "refused"}
        if consent == _REFUSED:
            return Asked({}, said)
        fields: dict[str, Any] = {
            "patient": str(self.patient.patient),
            "encounter": str(self.visit.encounter),
            "specialty": SPECIALTIES[(self._choices["specialty"].one or 1) - 1],
            "urgency": self._urgency(),
            "question": self._line().value.strip(),
            "act": ACTS[(self._choices["act"].one or 1) - 1],
            "recordings": [
                str(each.waveform) for number, each in enumerate(self._recordings(), 2) if number in attached
            ],
            "emergency": consent == _EMERGENCY,
        }
        return Asked(fields | ({} if 1 in attached else {"observations": []}), said)

    def _urgency(self) -> Urgency:
        return URGENCIES[(self._choices["urgency"].one or 1) - 1]

    def _summary(self, asked: Asked) -> list[str]:
        say = self.hub.say
        who = [
            full_name(self.patient),
            f"{self.hub.facts(self.patient)}  {self.hub.identifiers(self.patient)}",
        ]
        if not asked.fields:
            return [*who, say("ask.refusal-what")]
        attached, specialty = self._choices["attached"].chosen, asked.fields["specialty"]
        values = len(self.visit.observations) if 1 in attached else 0
        recordings = [each for n, each in enumerate(self._recordings(), 2) if n in attached]
        lines = [
            *who,
            f"{say(f'specialty.{specialty}')}, {say(f'urgency.{self._urgency()}')}",
            say(
                "ask.size",
                size=size(say, bytes_of(asked.fields["question"], values, self._urgency())),
                values=self._readings() if values else 0,
                recordings=len(recordings),
                waves=size(say, sum(each.kept_bytes for each in recordings)),
            ),
        ]
        link = self.hub.situation.link
        if link is None or not link.connected:
            lines.append(say("ask.no-link"))
        return lines

    # ── saving ──────────────────────────────────────────────────────────────────────────────────

    @work(exclusive=True, group="send")
    async def _send(self, asked: Asked) -> None:
        """The consent first, under an id of its own; a repeat of either does nothing twice."""
        self._busy = True
        call = self.hub.agent.call
        said, told = self._requests
        patient = str(self.patient.patient)
        try:
            if asked.consent is not None:
                consent = asked.consent
                noted = await self.ask(
                    lambda: call("patient.consent", Saved, said, patient=patient, **consent)
                )
                if noted is None:
                    return
            if asked.fields:
                answer = await self.ask(lambda: call("request.ask", Requested, told, **asked.fields))
                if answer is None:
                    return
        finally:
            self._busy = False
        self.hub.drafts.pop(self._draft, None)
        await uncovered(self)
        self.app.pop_screen()
        self._done(self.hub.say("ask.saved" if asked.fields else "ask.refusal-saved"))

    # ── the form ────────────────────────────────────────────────────────────────────────────────

    @property
    def _draft(self) -> str:
        return f"ask {self.visit.encounter}"

    def _keep(self) -> None:
        """Keep what is typed; what was said of consent is said anew."""
        chosen = {name: sorted(each.chosen) for name, each in self._choices.items() if name != "consent"}
        self.hub.drafts[self._draft] = {"chosen": chosen, "question": self._line().value}

    def _fill_in(self, draft: Mapping[str, Any]) -> None:
        for name, digits in cast("Mapping[str, list[int]]", draft["chosen"]).items():
            if name != "attached":  # there may be more of them now
                self._choices[name].chosen = set(digits)
                self._choices[name].redraw()
        self._line().value = str(draft["question"])

    def _line(self) -> Input:
        return self.query_one("#question", Input)

    def _field(self) -> str:
        return "" if self.focused is None else self.focused.id or ""

    def _focus(self, field: str) -> None:
        self.set_focus(self._choices.get(field) or self._line())

    @on(Input.Changed, "#question")
    def _preview(self) -> None:
        """All that is typed, for the line shows its end alone."""
        width = max(20, self.app.size.width - LABEL_WIDTH - 6)
        typed = self._line().value
        shown = "" if len(typed) <= width - 2 else "\n".join(wrapped(typed, width))
        self.query_one("#preview", Static).update(shown)

    def _hint(self) -> None:
        choice = self._choices.get(self._field())
        hint = self.query_one("#hint", Static)
        if choice is None:
            hint.update(self.hub.say("ask.hint"))
        else:
            hint.update(content(flow(choice.hint(), max(20, self.app.size.width - 2))))
