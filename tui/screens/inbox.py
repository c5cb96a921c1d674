"""Questions to specialists and where each stands, and what the centre has written: the latest first."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import ClassVar, Final
from uuid import UUID

from textual import work

from edge.localapi.answers import PatientRecord
from edge.localapi.events import SavedEvent
from edge.localapi.expertise import DownShown, InboxEvent, InboxList, Requests, RequestShown
from edge.localapi.shapes import Message, PatientShown
from tui import theme
from tui.agent import full_name
from tui.hub import Hub
from tui.replies import late_by_s, standing, waits
from tui.screens.listing import ListScreen
from tui.screens.message import MessageScreen
from tui.screens.request import RequestScreen
from tui.widgets.flow import Part

_LOOKED_UP_AT_MOST: Final = 20
_NAME: Final = f"bold {theme.WHITE}"


async def people(screen: ListScreen, wanted: Iterable[UUID]) -> dict[UUID, PatientShown]:
    """Patients by identity: those entered last, and some older ones one by one; each look is audited."""
    agent = screen.hub.agent
    listed = await screen.ask(agent.patients)
    found = {each.patient: each for each in (() if listed is None else listed.patients)}
    missing = [each for each in dict.fromkeys(wanted) if each not in found]
    for patient in missing[:_LOOKED_UP_AT_MOST]:
        record = await screen.ask(partial(agent.call, "patient.show", PatientRecord, patient=str(patient)))
        if record is not None:
            found[patient] = record.patient
    return found


class InboxScreen(ListScreen):
    """One row for each question with what came to it, and for each message to the crew."""

    KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("Enter", "key.open"),
        ("↑↓", "key.choose"),
        ("Esc", "key.back"),
        ("F1", "key.help"),
        ("F9", "key.lock"),
        ("F10", "key.menu"),
    )

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self._items: list[RequestShown | DownShown] = []
        self._people: Mapping[UUID, PatientShown] = {}
        self._read = False

    def on_screen_resume(self) -> None:
        self.read()

    async def resumed(self) -> None:
        self.read()

    def heard(self, message: Message) -> None:
        if isinstance(message, InboxEvent) or (
            isinstance(message, SavedEvent) and message.what in {"request", "message-read"}
        ):
            self.read()

    @work(exclusive=True, group="read")
    async def read(self) -> None:
        """Ask for both lists and the names; each look is written to the audit trail."""
        if self.hub.situation.person is None:
            return
        call = self.hub.agent.call
        asked = await self.ask(lambda: call("request.list", Requests))
        came = None if asked is None else await self.ask(lambda: call("inbox.list", InboxList))
        if asked is None or came is None:
            return
        messages = [each for each in came.messages if each.request is None or each.lost]
        items: list[RequestShown | DownShown] = [*asked.requests, *messages]
        about = [each.patient for each in items if each.patient is not None]
        self._people = await people(self, about) if about else {}
        self._items = sorted(items, key=self._place)
        self._read = True
        self.hub.situation.take_inbox(came.unread, [each for each in asked.requests if waits(each)])
        self.refill()

    def _place(self, item: RequestShown | DownShown) -> tuple[int, int]:
        """What nobody has read first, then what is late, what waits, the rest; the latest of each first."""
        if isinstance(item, DownShown):
            return (0 if item.read_ms is None else 3), -item.received_ms
        by_s = late_by_s(item, self._now_ms())
        rank = 0 if item.unread else 3 if by_s is None else 1 if by_s > 0 else 2
        return rank, -(item.wall_ms or 0)

    def rows(self) -> Sequence[Sequence[Part]]:
        """See `ListScreen`."""
        return [
            self._message(each) if isinstance(each, DownShown) else self._request(each)
            for each in self._items
        ]

    def above(self) -> str:
        """See `ListScreen`."""
        if not self._items:
            return self.hub.say("inbox.none") if self._read else ""
        unread = sum(
            each.read_ms is None if isinstance(each, DownShown) else each.unread for each in self._items
        )
        waiting = sum(not isinstance(each, DownShown) and waits(each) for each in self._items)
        return self.hub.say("inbox.above", unread=unread, waiting=waiting)

    def _now_ms(self) -> int | None:
        return self.hub.situation.wall_now_ms(self.hub.now_s())

    def _when(self, wall_ms: int | None) -> str:
        if wall_ms is None:
            return "--:--"
        local = self.hub.local(wall_ms)
        return f"{local:%H:%M}" if local.date() == self.hub.today() else f"{local:%d/%m %H:%M}"

    def _who(self, patient: UUID | None, *, lost: bool = False) -> str:
        known = None if patient is None else self._people.get(patient)
        if known is None:
            nobody = "inbox.not-here" if lost else "inbox.crew"
            return self.hub.say("inbox.no-name" if patient is not None else nobody)
        number = known.identifiers[0].value if known.identifiers else ""
        return f"{full_name(known)} {number}".strip()

    def _request(self, item: RequestShown) -> list[Part]:
        say, hub = self.hub.say, self.hub
        stands = standing(item, self._now_ms(), say, hub.age)
        parts = [
            Part(self._when(item.wall_ms)),
            Part(self._who(item.patient), _NAME),
            Part(f"{specialty(hub, item.specialty)}, {say(f'urgency.{item.urgency}')}"),
        ]
        style = theme.NOTICE if stands.late or item.unread else ""
        words = [say("inbox.unread", n=item.unread)] if item.unread else []
        return [*parts, *(Part(each, style) for each in [*words, *stands.words()])]

    def _message(self, item: DownShown) -> list[Part]:
        say = self.hub.say
        new = item.read_ms is None
        words = say("inbox.new") if new else say("inbox.read", who=item.read_by or "--")
        return [
            Part(self._when(item.received_ms)),
            Part(self._who(item.patient, lost=item.lost), _NAME),
            Part(
                say("inbox.lost", kind=say(f"down.{item.kind}"), sender=item.sender)
                if item.lost
                else say("inbox.message", sender=item.sender)
            ),
            Part(words, theme.NOTICE if new else ""),
        ]

    async def chosen(self, index: int) -> None:
        """Open a question with what came to it, or a message."""
        item = self._items[index]
        patient = None if item.patient is None else self._people.get(item.patient)
        if isinstance(item, DownShown):
            await self.app.push_screen(MessageScreen(self.hub, item.message, patient))
        else:
            await self.app.push_screen(RequestScreen(self.hub, item.request, patient))


def specialty(hub: Hub, code: str) -> str:
    """A specialty in words; one that was asked for by another name as it was."""
    return hub.say(f"specialty.{code}") if f"specialty.{code}" in hub.say.codes else code
