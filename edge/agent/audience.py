"""The connected screens that listen, and what each of them may hear."""

from collections.abc import Iterable, Mapping
from typing import Final

from edge.agent.permissions import may_follow
from edge.ports.caller import Caller, Json

_TOPIC_OF: Final = {
    "reading": "readings",
    "not-saved": "readings",
    "wave": "waves",
    "saved": "saved",
    "inbox": "saved",
    "streams": "streams",
    "device": "devices",
    "device-forgotten": "devices",
    "unit": "devices",
    "place": "places",
    "link": "link",
}
"""Which subscription an event belongs to. The others go to everybody who subscribed to anything.

Nobody can subscribe to places: what a receiver says every second is for whoever listens to that one.
"""
_OF_THE_UNIT: Final = frozenset({"devices", "places"})
"""What a device says here is nobody's but the unit's."""


class Audience:
    """Who is connected with a session or a subscription; closed connections fall out by themselves."""

    def __init__(self) -> None:
        self._topics: dict[Caller, frozenset[str]] = {}
        self._devices: dict[Caller, str] = {}

    def welcome(self, caller: Caller) -> None:
        """Remember a caller who signed in."""
        self._forget_closed()
        self._topics.setdefault(caller, frozenset())

    def follow(self, caller: Caller, topics: Iterable[str]) -> None:
        """Replace what a caller listens to."""
        self.welcome(caller)
        self._topics[caller] = frozenset(topics)

    def listen(self, caller: Caller, device: str) -> None:
        """Send a caller what one device says, beside what it follows."""
        self.welcome(caller)
        self._devices[caller] = device

    def has(self, topic: str) -> bool:
        """Whether anybody listens, so that nobody prepares waves for an empty room."""
        if topic in {"readings", "places"} and self._devices:
            return True
        return any(topic in topics for topics in self._topics.values())

    def tell(self, event: str, data: Mapping[str, Json], *, of_patient: bool = True) -> None:
        """Send an event to those who follow its topic and may; without a topic to all who follow any.

        Args:
            event: its name.
            data: what it says.
            of_patient: whether it may be a patient's: a visit is open, or it comes out of a memory.
        """
        self._forget_closed()
        topic = _TOPIC_OF.get(event)
        for caller, device in self._devices.items():
            if self._hears_device(caller, event, data, device, of_patient=of_patient):
                caller.post(event, data)
        for caller, topics in self._topics.items():
            if topic is None:
                if topics:
                    caller.post(event, data)
            elif topic in topics and caller.person is not None and may_follow(caller.person.role, topic):
                caller.post(event, data)

    def _hears_device(
        self, caller: Caller, event: str, data: Mapping[str, Json], device: str, *, of_patient: bool
    ) -> bool:
        """Whether a caller who listens to a device hears this of it, and not as a follower anyhow."""
        topic = _TOPIC_OF.get(event)
        if topic not in {"readings", *_OF_THE_UNIT} or data.get("device", data.get("key")) != device:
            return False
        if caller.person is None or topic in self._topics.get(caller, frozenset()):
            return False
        return topic in _OF_THE_UNIT or not of_patient or may_follow(caller.person.role, topic)

    def sign_everybody_out(self) -> None:
        """End all sessions; the connections and their choice of events stay."""
        for caller in self._topics:
            caller.person = None

    def sign_out(self, user: str) -> None:
        """End the sessions of one person."""
        for caller in self._topics:
            if caller.person is not None and caller.person.user == user:
                caller.person = None

    def _forget_closed(self) -> None:
        for caller in [caller for caller in self._topics if caller.closed]:
            del self._topics[caller]
            self._devices.pop(caller, None)
