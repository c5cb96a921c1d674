"""One question to a specialist: what was asked, how far it has come, what came back, and how it ends."""

from collections.abc import Sequence
from typing import ClassVar, Final
from uuid import UUID

from textual import work
from textual.binding import BindingType

from edge.i18n.amounts import size
from edge.localapi.client import new_request_id
from edge.localapi.events import SavedEvent, StreamsEvent
from edge.localapi.expertise import InboxEvent, Requested, RequestRecord, RequestShown
from edge.localapi.shapes import Message, PatientShown, Saved
from edge.records.expertise import RequestState
from tui import theme
from tui.agent import full_name
from tui.hub import Hub
from tui.replies import MORE_URGENT, standing, waits
from tui.screens.base import keys
from tui.screens.confirm import Confirm
from tui.screens.listing import ListScreen
from tui.screens.message import MessageScreen
from tui.screens.words import Words
from tui.typed import inert
from tui.widgets.flow import Part, wrapped

_ENDED: Final = frozenset({RequestState.ANSWERED, RequestState.DECLINED})
"""States in which what came back may be called done."""


class RequestScreen(ListScreen):
    """The question whole above, a row for each thing that came to it.

    Args:
        patient: whom it is about.
    """

    BINDINGS: ClassVar[list[BindingType]] = keys(f5="more_urgent", f8="withdraw", f12="done")

    def __init__(self, hub: Hub, request: UUID, patient: PatientShown | None) -> None:
        super().__init__(hub)
        self.header.patient = patient
        self._request_id = request
        self._record: RequestRecord | None = None
        self._marks = hub.situation.marks("alert", "vitals", "doc")
        self._again = new_request_id(), new_request_id()

    def on_screen_resume(self) -> None:
        self.read()

    async def resumed(self) -> None:
        self.read()

    def heard(self, message: Message) -> None:
        if isinstance(message, StreamsEvent):
            marks = self.hub.situation.marks("alert", "vitals", "doc")
            if marks != self._marks:
                self._marks = marks
                self.read()
        elif isinstance(message, InboxEvent) or (
            isinstance(message, SavedEvent) and message.what in {"request", "message-read"}
        ):
            self.read()

    def tick(self) -> None:
        self.footer.set_keys(self.keys_now())
        super().tick()
        self._above.update(self.above())

    def keys_now(self) -> list[tuple[str, str]]:
        """The keys that do something now."""
        asked = None if self._record is None else self._record.request
        now = [("Enter", "key.read")] if self._record is not None and self._record.messages else []
        if asked is not None and waits(asked):
            now += [("F5", "key.more-urgent")] if asked.urgency in MORE_URGENT else []
            now += [("F8", "key.withdraw")]
        if asked is not None and asked.state in _ENDED:
            now += [("F12", "key.close-request")]
        return [*now, ("Esc", "key.back"), ("F1", "key.help"), ("F9", "key.lock"), ("F10", "key.menu")]

    @work(exclusive=True, group="read")
    async def read(self) -> None:
        """Ask for the request; each look is written to the audit trail."""
        call, request = self.hub.agent.call, str(self._request_id)
        record = await self.ask(lambda: call("request.show", RequestRecord, request=request))
        if record is not None:
            self._record = record
            self.refill()

    def above(self) -> str:
        """See `ListScreen`: the question, and where it stands."""
        if self._record is None:
            return ""
        hub, say, asked = self.hub, self.hub.say, self._record.request
        stands = standing(asked, hub.situation.wall_now_ms(hub.now_s()), say, hub.age)
        when = "--" if asked.wall_ms is None else f"{hub.local(asked.wall_ms):%d/%m/%Y %H:%M}"
        code = f"specialty.{asked.specialty}"
        facts = [
            say(code) if code in say.codes else asked.specialty,
            say(f"urgency.{asked.urgency}"),
            say(f"act.{asked.act}"),
            say("request.by", who=asked.operator or "--", when=when),
        ]
        if asked.emergency:
            facts.append(say("request.emergency"))
        attached = say("request.attached", values=asked.observations, recordings=len(asked.recordings))
        width = max(20, self.app.size.width - 2)
        lines = wrapped(", ".join(facts), width) + wrapped("   ".join([*stands.words(), attached]), width)
        for each in asked.attachments:
            caption = f" {inert(each.caption)}" if each.caption else ""
            what = f"{each.media.rsplit('/')[-1].upper()} {size(say, each.size)}{caption}"
            how = say("request.parts", received=each.received, parts=each.parts)
            lines += wrapped(f"{what} · {say(f'state.{each.state}')} · {how}", width)
        if stands.late:
            lines += wrapped(say("request.late-what"), width)
        question = wrapped(inert(asked.question), width)
        room = max(2, self.app.size.height - 14)
        if len(question) > room:
            question = [*question[: room - 1], say("request.cut", n=len(question) - room + 1)]
        return "\n".join([*lines, *question])

    def rows(self) -> Sequence[Sequence[Part]]:
        """See `ListScreen`."""
        say, made = self.hub.say, []
        for each in () if self._record is None else self._record.messages:
            new = each.read_ms is None
            words = say("inbox.new") if new else say("inbox.read", who=each.read_by or "--")
            kind = say("inbox.from", kind=say(f"down.{each.kind}"), sender=inert(each.sender))
            when = f"{self.hub.local(each.received_ms):%d/%m %H:%M}"
            made.append([Part(when), Part(kind, "bold"), Part(words, theme.NOTICE if new else "")])
        return made

    async def chosen(self, index: int) -> None:
        """Read what came."""
        if self._record is not None:
            message = self._record.messages[index].message
            await self.app.push_screen(MessageScreen(self.hub, message, self.header.patient))

    # ── how it ends ─────────────────────────────────────────────────────────────────────────────

    def action_done(self) -> None:
        """What was answered is done: say what was done."""
        if self._record is None or self._record.request.state not in _ENDED:
            return
        if self._record.request.unread:
            self.notice.tell(self.hub.say("request.read-first"))
            return
        self._end("request.close", "request.outcome")

    def action_withdraw(self) -> None:
        """Nobody has to answer any more: say why."""
        if self._record is not None and waits(self._record.request):
            self._end("request.withdraw", "request.why")

    def _end(self, method: str, code: str) -> None:
        say, request = self.hub.say, new_request_id()

        def said(words: str | None) -> None:
            if words is not None:
                self._save_end(method, request, words)

        yes = say("key.close-request" if method == "request.close" else "key.withdraw")
        self.app.push_screen(Words(self.hub, say(f"{code}.title"), say(f"{code}.what"), yes), said)

    @work(exclusive=True, group="end")
    async def _save_end(self, method: str, request: str, reason: str) -> None:
        self.notice.tell("")
        call, which = self.hub.agent.call, str(self._request_id)
        if await self.ask(lambda: call(method, Saved, request, request=which, reason=reason)) is not None:
            self.read()

    async def action_more_urgent(self) -> None:
        """Ask the same once more, more urgently; only when that is saved is the first withdrawn."""
        asked = None if self._record is None else self._record.request
        if asked is None or not waits(asked) or asked.urgency not in MORE_URGENT:
            return
        say = self.hub.say
        urgency = MORE_URGENT[asked.urgency]
        who = "" if self.header.patient is None else full_name(self.header.patient)
        lines = [who, say("request.again-what", urgency=say(f"urgency.{urgency}"))]

        def answered(yes: bool | None) -> None:
            if yes:
                self._ask_again(asked)

        await self.app.push_screen(
            Confirm(self.hub, say("request.again"), lines, say("key.yes-ask")), answered
        )

    @work(exclusive=True, group="end")
    async def _ask_again(self, asked: RequestShown) -> None:
        self.notice.tell("")
        call = self.hub.agent.call
        told, gone = self._again
        fields = {
            "patient": str(asked.patient),
            "encounter": None if asked.encounter is None else str(asked.encounter),
            "specialty": asked.specialty,
            "urgency": MORE_URGENT[asked.urgency],
            "question": asked.question,
            "act": asked.act,
            "emergency": asked.emergency,
        }
        answer = await self.ask(lambda: call("request.ask", Requested, told, **fields))
        if answer is None:
            return
        reason = f"asked again: {answer.request}"
        await self.ask(
            lambda: call("request.withdraw", Saved, gone, request=str(asked.request), reason=reason)
        )
        self._request_id, self._again = answer.request, (new_request_id(), new_request_id())
        self.read()
