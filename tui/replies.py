"""How long an answer may take, and where a request stands, in words. Pure."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from edge.localapi.expertise import RequestShown, Urgency
from edge.records.expertise import OPEN

WITHIN_S: Final[dict[Urgency, int]] = {"stat": 15 * 60, "urgent": 2 * 3600, "routine": 3 * 86_400}
"""After so long without an answer the screen says so. A rule of this program and no clinical one: it moves
nobody's answer, it only keeps a question from being forgotten."""
MORE_URGENT: Final[dict[Urgency, Urgency]] = {"routine": "urgent", "urgent": "stat"}
"""As what a question without an answer is asked again."""

_ENTRY_BYTES: Final = 160
_PLACE_BYTES: Final = 14
_VALUE_BYTES: Final = 24
"""What an entry, the place of a value and its copy in an urgent request take, about; a test compares."""


class Standing(NamedTuple):
    """Where a request stands: words for its state, for its way, and for its time; empty where there is none.

    Attributes:
        late: an answer should be there.
    """

    state: str
    way: str
    time: str
    late: bool

    def words(self) -> list[str]:
        return [part for part in (self.state, self.way, self.time) if part]


def waits(request: RequestShown) -> bool:
    """Whether somebody still waits for an answer."""
    return request.state in OPEN


def late_by_s(request: RequestShown, now_ms: int | None) -> float | None:
    """By how many seconds an answer is late, negative before its time; None where nobody waits or knows."""
    if not waits(request) or request.wall_ms is None or now_ms is None:
        return None
    return (now_ms - request.wall_ms) / 1000 - WITHIN_S[request.urgency]


def late(requests: Iterable[RequestShown], now_ms: int | None) -> int:
    """How many answers should be there and are not."""
    return sum((late_by_s(each, now_ms) or -1.0) > 0 for each in requests)


def standing(
    request: RequestShown, now_ms: int | None, say: Callable[..., str], age: Callable[[float], str]
) -> Standing:
    """Where it stands now; nothing is called seen that nobody has told to be."""
    state = say(f"request.{request.state}")
    if not waits(request):
        return Standing(state, "", "", late=False)
    way = "" if request.state == "accepted" else say(f"request.way.{request.sent}")
    by_s = late_by_s(request, now_ms)
    if by_s is None:
        return Standing(state, way, "", late=False)
    if by_s > 0:
        return Standing(state, way, say("request.late", by=age(by_s)), late=True)
    return Standing(state, way, say("request.due", left=age(-by_s)), late=False)


def bytes_of(question: str, values: int, urgency: Urgency | None) -> int:
    """About how many bytes a request takes on its way, without the recordings it points to."""
    each = _PLACE_BYTES + (0 if urgency in {None, "routine"} else _VALUE_BYTES)
    return _ENTRY_BYTES + len(question.encode()) + values * each
