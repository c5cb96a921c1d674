"""Fetching what a device keeps, by its Record Access Control Point, one request at a time. Pure.

The step `drivers.setup.steps.AskForRecords` makes the first request; an ear keeps a `Fetch` to follow what
becomes of it. Records are asked for and never deleted.
"""

from collections.abc import Callable, Iterable
from typing import Final

from drivers.codec import uuids
from drivers.codec.racp import ABORT, REPORT_ALL, Answered, Opcode, Outcome, decode_answer
from drivers.setup.ear import Said, Send
from edge.ports.driver import DeviceMisbehaved, DeviceUnavailable

SILENT_FOR_S: Final = 30.0
"""So long after the last record, or after the request, a procedure has failed (Glucose Profile 1.0, 5.5)."""
ABORTED_WITHIN_S: Final = 5.0
TRIES: Final = 3
"""A device that cannot complete what it began is asked so often in all."""

TIMED_OUT: Final = "records-timeout"
INCOMPLETE: Final = "records-incomplete"
REFUSED: Final = "records-refused"
_NOT_THIS_WAY: Final = frozenset(
    {
        Outcome.INVALID_OPERATOR,
        Outcome.OPERATOR_UNSUPPORTED,
        Outcome.INVALID_OPERAND,
        Outcome.OPERAND_UNSUPPORTED,
    }
)


class Fetch:
    """One procedure after the other, until there is nothing more to ask for.

    Args:
        request: what was written; when it asks for a part only, all is asked for where that does not do.
        now_s: when, in monotonic seconds.
        continues: whether what came of a part goes on where we left off; if not, all is asked for.

    Attributes:
        request: what is being answered, or None when nothing is.
        complete: whether the device has said that it has sent all.
        part_refused: whether the device knows no parts.
        asked_all: how often all of it has been asked for.
    """

    def __init__(self, request: bytes, now_s: float, continues: Callable[[], bool] = lambda: True) -> None:
        self.request: bytes | None = request
        self.complete = False
        self.part_refused = False
        self.asked_all = int(request == REPORT_ALL)
        self._continues = continues
        self._heard_s = now_s
        self._aborting = False
        self._tries = TRIES - 1

    @property
    def runs(self) -> bool:
        """Whether a procedure is in progress; another must not be begun."""
        return self.request is not None

    def record(self, now_s: float) -> None:
        """A record, or something that belongs to one, has come."""
        if not self._aborting:
            self._heard_s = now_s

    def hear(self, raw: bytes, now_s: float) -> Iterable[Said]:
        """Take a value of the control point.

        Raises:
            DeviceMisbehaved: it is none.
        """
        said = decode_answer(raw)
        if not isinstance(said, Answered) or self.request is None:
            return ()
        if self._aborting:
            return (self._timed_out(),) if said.opcode in {Opcode.ABORT, Opcode.REPORT} else ()
        if said.opcode != Opcode.REPORT:
            return ()  # of the abort that cleared the way for our request
        request, self.request = self.request, None
        return self._take(said.outcome, request, now_s)

    def tick(self, now_s: float) -> Iterable[Said]:
        """So much time has passed."""
        if self.request is None or now_s - self._heard_s < (
            ABORTED_WITHIN_S if self._aborting else SILENT_FOR_S
        ):
            return ()
        if self._aborting:
            return (self._timed_out(),)
        self._aborting = True
        self._heard_s = now_s
        return (Send(ABORT, uuids.RECORD_ACCESS_CONTROL_POINT, optional=True),)

    def _take(self, outcome: int, request: bytes, now_s: float) -> Iterable[Said]:
        part = request != REPORT_ALL
        match outcome:
            case Outcome.SUCCESS | Outcome.NO_RECORDS if part and not self._continues():
                return (self._ask(REPORT_ALL, now_s),)
            case Outcome.SUCCESS | Outcome.NO_RECORDS:
                self.complete = True
                return ()
            case Outcome.NOT_COMPLETED if self._tries:
                self._tries -= 1
                return (self._ask(request, now_s),)
            case Outcome.NOT_COMPLETED:
                return (
                    DeviceUnavailable(
                        "The device did not send all it keeps.",
                        next_step="the rest is asked for at the next meeting; keep it near the box.",
                        code=INCOMPLETE,
                    ),
                )
            case _ if part and outcome in _NOT_THIS_WAY:
                self.part_refused = True
                return (self._ask(REPORT_ALL, now_s),)
            case _:
                return (
                    DeviceMisbehaved(
                        f"The device refuses to send what it keeps (answer {outcome}).",
                        next_step="see that it is of the kind that unit.toml says.",
                        code=REFUSED,
                    ),
                )

    def _ask(self, request: bytes, now_s: float) -> Send:
        self.request = request
        self.asked_all += request == REPORT_ALL
        self._heard_s = now_s
        return Send(request, uuids.RECORD_ACCESS_CONTROL_POINT)

    def _timed_out(self) -> DeviceUnavailable:
        self.request = None
        return DeviceUnavailable(
            "The device stopped in the middle of what it keeps.",
            next_step="the rest is asked for at the next meeting; keep it near the box.",
            code=TIMED_OUT,
        )
