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
    "streams": "streams",
    "device": "devices",
    "link": "link",
}
"""Which subscription an event belongs to. The others go to everybody who subscribed to anything."""


class Audience:
    """Who is connected with a session or a subscription; closed connections fall out by themselves."""

    def __init__(self) -> None:
        self._topics: dict[Caller, frozenset[str]] = {}

    def welcome(self, caller: Caller) -> None:
        """Remember a caller who signed in."""
        self._forget_closed()
        self._topics.setdefault(caller, frozenset())

    def follow(self, caller: Caller, topics: Iterable[str]) -> None:
        """Replace what a caller listens to."""
        self.welcome(caller)
        self._topics[caller] = frozenset(topics)

    def has(self, topic: str) -> bool:
        """Whether anybody listens, so that nobody prepares waves for an empty room."""
        return any(topic in topics for topics in self._topics.values())

    def tell(self, event: str, data: Mapping[str, Json]) -> None:
        """Send an event to those who follow its topic and may; without a topic to all who follow any."""
        self._forget_closed()
        topic = _TOPIC_OF.get(event)
        for caller, topics in self._topics.items():
            if topic is None:
                if topics:
                    caller.post(event, data)
            elif topic in topics and caller.person is not None and may_follow(caller.person.role, topic):
                caller.post(event, data)

    def sign_everybody_out(self) -> None:
        """End all sessions; the connections and their choice of events stay."""
        for caller in self._topics:
            caller.person = None

    def _forget_closed(self) -> None:
        for caller in [caller for caller in self._topics if caller.closed]:
            del self._topics[caller]
