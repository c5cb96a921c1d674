"""What to say to a module, and when: one request at a time, and the way out always open. Pure.

    IDLE ──start──► STARTING ──O──► MEASURING ──K──► FETCHING ──result──► IDLE
                       │               │                │
                       └────── stop ───┴──► STOPPING ◄──┘ ──A, O, K──► IDLE

The module takes one request, answers, and wants a pause before the next; only K, "finished", comes unasked.
So everything that is sent goes out by the clock (`Machine.due`), never from where something was heard. To let
the air out overtakes whatever else is to be said, but not the answer to what was said last, for a second at
most.
"""

import dataclasses
from collections.abc import Callable
from enum import Enum
from typing import Final, TypeAlias

from drivers.devices.suntech_nibp.codec import (
    ABORT,
    GET_PRESSURE,
    GET_RESULT,
    GET_VERSION,
    REQUESTS,
    Answer,
    CuffPressure,
    Result,
    State,
    Version,
)
from edge.ports.driver import CuffMode, DeviceError, DeviceMisbehaved, DeviceUnavailable
from edge.vitals.quantity import Quantity

PAUSE_S: Final = 0.12
"""Between two requests; the module wants 0.1, and the clock that wakes us is a little early or late."""
ANSWER_WITHIN_S: Final = 1.0
SILENCES: Final = 3
"""So many requests without an answer, one after the other, and the module has gone."""
POLL_S: Final = 0.22
"""Between two looks at the cuff while it measures."""
IDLE_POLL_S: Final = 1.0
"""The same while it does not: it shows that the module is there, and that the cuff is empty."""
VERSION_TRIES: Final = 2
BUSY_PAUSE_S: Final = 0.5
BUSY_FOR_S: Final = 6.0
LONGEST_S: Final = 200.0
"""IEC 80601-2-30 lets a measurement inflate for 180 s; after that we do not wait for the module's own end."""
EMPTY_MMHG: Final = 5
PUMPED_MMHG: Final = 20
EMPTY_FOR_S: Final = 3.0
"""A cuff that was full and has been empty for so long has finished: its K was lost on the line."""


class Phase(Enum):
    """Where a module is, as far as we know."""

    IDLE = "idle"
    STARTING = "start asked for"
    MEASURING = "measuring"
    FETCHING = "result asked for"
    STOPPING = "end asked for"


Told: TypeAlias = Callable[[DeviceError | None], None]
"""Called once: with None when it was done, else with why not."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """A measurement is over without a result that could be fetched: it was stopped, or took too long."""

    reason: str


Outcome: TypeAlias = CuffPressure | Result | Version | Ended


class Machine:
    """The conversation with one module.

    Args:
        port: what errors call it.
        now_s: when something was said to it last.

    Attributes:
        phase: where it is.
    """

    def __init__(self, port: str, now_s: float) -> None:
        self.phase = Phase.IDLE
        self._port = port
        self._mode = CuffMode.ADULT
        self._asked: bytes | None = None
        self._asked_at_s = now_s
        self._versions_asked = 0
        self._silences = 0
        self._not_before_s = -1e9
        self._since_s = 0.0
        self._busy_since_s: float | None = None
        self._pumped = False
        self._empty_since_s: float | None = None
        self._shown: CuffPressure | None = None
        self._stop_wanted = False
        self._unsure = False
        self._measured = False
        self._started: Told | None = None
        self._stopped: list[Told] = []

    # ── What people want ─────────────────────────────────────────────────────────────────────────

    def start(self, mode: CuffMode, told: Told, now_s: float) -> None:
        """Begin to measure as soon as the line is free."""
        if self.phase is not Phase.IDLE or self._stop_wanted:
            told(_unavailable(f"The cuff on {self._port} measures already.", "measurement-running"))
            return
        self._mode = mode
        self._started = told
        self._busy_since_s = None
        self._unsure = False
        self._move(Phase.STARTING, now_s)

    def stop(self, told: Told) -> None:
        """Let the air out before anything else is said."""
        self._stop_wanted = True
        self._stopped.append(told)

    def lose(self) -> bytes | None:
        """The line goes: what to write if it still takes anything. Whoever waits is told."""
        gone = _unavailable(f"The cuff on {self._port} has gone.", "device-gone")
        self._tell_started(gone)
        self._tell_stopped(gone)
        held = self.phase is not Phase.IDLE or self._stop_wanted
        return ABORT if held else None

    # ── What is due ──────────────────────────────────────────────────────────────────────────────

    def due(self, now_s: float) -> bytes | DeviceError | None:
        """What to send now, or that nobody answers; None while there is nothing.

        Call it again and again, about ten times a second.
        """
        if self._asked is not None:
            if now_s - self._asked_at_s < ANSWER_WITHIN_S:
                return None
            self._unsure = self._unsure or self._asked in _STARTS
            self._asked = None
            self._silences += 1
            if self._silences >= SILENCES:
                return _unavailable(f"The cuff module on {self._port} does not answer.", "device-silent")
        if now_s - self._asked_at_s < PAUSE_S:
            return None
        if self._stop_wanted and self.phase is not Phase.STOPPING:
            self._move(Phase.STOPPING, now_s)
        if self.phase is Phase.MEASURING and now_s - self._since_s > LONGEST_S:
            self._move(Phase.STOPPING, now_s)
        return self._request(now_s)

    def _request(self, now_s: float) -> bytes | None:
        if now_s < self._not_before_s and self.phase is not Phase.STOPPING:
            return None
        match self.phase:
            case Phase.STOPPING:
                return self._ask(ABORT, now_s)
            case Phase.STARTING:
                return self._ask(REQUESTS[self._mode], now_s)
            case Phase.FETCHING:
                return self._ask(GET_RESULT, now_s)
            case Phase.MEASURING:
                self._not_before_s = now_s + POLL_S
            case Phase.IDLE if self._versions_asked < VERSION_TRIES:
                self._versions_asked += 1
                return self._ask(GET_VERSION, now_s)
            case Phase.IDLE:
                self._not_before_s = now_s + IDLE_POLL_S
        return self._ask(GET_PRESSURE, now_s)

    # ── What it says ─────────────────────────────────────────────────────────────────────────────

    def hear(self, said: Answer, now_s: float) -> Outcome | None:
        """Take an answer, and give what is to be handed on."""
        self._silences = 0
        match said:
            case CuffPressure():
                self._answered(GET_PRESSURE)
                return self._cuff(said, now_s)
            case Result():
                self._answered(GET_RESULT)
                if self.phase is not Phase.FETCHING:
                    return None
                self._measured = False
                self._move(Phase.IDLE, now_s)
                return said
            case Version():
                self._answered(GET_VERSION)
                self._versions_asked = VERSION_TRIES
                return said
            case State():
                return self._letter(said, now_s)
            case _:
                return None

    def _letter(self, said: State, now_s: float) -> Ended | None:
        if said is not State.EXECUTED or self._asked == ABORT:
            self._asked = None  # K alone may come between a request and its answer
        match self.phase:
            case Phase.STARTING:
                self._while_starting(said, now_s)
            case Phase.MEASURING if said in _FINISHED:
                self._move(Phase.FETCHING, now_s)
            case Phase.FETCHING:
                return self._while_fetching(said, now_s)
            case Phase.STOPPING if said in _DEFLATES:
                return self._end(now_s)
            case _:
                pass
        return None

    def _while_starting(self, said: State, now_s: float) -> None:
        # Busy after a start that nobody answered: it was heard, and only the answer was lost.
        if said is State.RECEIVED or (said is State.BUSY and self._unsure):
            self._pumped, self._empty_since_s = False, None
            self._measured = True
            self._move(Phase.MEASURING, now_s)
            self._tell_started(None)
        elif said in {State.BUSY, State.SLEEPING}:
            self._busy_since_s = now_s if self._busy_since_s is None else self._busy_since_s
            if now_s - self._busy_since_s > BUSY_FOR_S:
                self._move(Phase.IDLE, now_s)
                self._tell_started(_unavailable(f"The cuff on {self._port} is busy.", "device-busy"))
            else:
                self._not_before_s = now_s + BUSY_PAUSE_S
        elif said is not State.EXECUTED:  # that of a measurement before
            self._move(Phase.IDLE, now_s)
            self._tell_started(
                DeviceMisbehaved(
                    f"The cuff on {self._port} refuses to measure.",
                    next_step="see that cuff and hose are connected; else switch the module off and on.",
                    code="measurement-refused",
                )
            )

    def _while_fetching(self, said: State, now_s: float) -> Ended | None:
        waits = said in {State.BUSY, State.SLEEPING} and now_s - self._since_s <= BUSY_FOR_S
        if waits:
            self._not_before_s = now_s + BUSY_PAUSE_S
        elif said not in {State.EXECUTED, State.RECEIVED, State.ABORTED}:
            self._measured = False
            self._move(Phase.IDLE, now_s)
            return Ended("no-result")
        return None

    def _cuff(self, said: CuffPressure, now_s: float) -> CuffPressure | None:
        mmhg = int(said.pressure.value) if isinstance(said.pressure, Quantity) else 0
        if self.phase is Phase.MEASURING:
            self._pumped = self._pumped or mmhg >= PUMPED_MMHG
            if mmhg > EMPTY_MMHG or not self._pumped:
                self._empty_since_s = None
            elif self._empty_since_s is None:
                self._empty_since_s = now_s
            elif now_s - self._empty_since_s >= EMPTY_FOR_S:
                self._move(Phase.FETCHING, now_s)
        elif said == self._shown:
            return None  # an idle cuff is news once
        self._shown = said
        return said

    # ── Small things ─────────────────────────────────────────────────────────────────────────────

    def _end(self, now_s: float) -> Ended | None:
        """The air goes out because we said so."""
        wanted, self._stop_wanted = self._stop_wanted, False
        measured, self._measured = self._measured, False
        self._move(Phase.IDLE, now_s)
        self._tell_started(_unavailable("The measurement was stopped.", "measurement-stopped"))
        self._tell_stopped(None)
        if not measured:
            return None
        return Ended("measurement-stopped" if wanted else "measurement-too-long")

    def _ask(self, asked: bytes, now_s: float) -> bytes:
        self._asked, self._asked_at_s = asked, now_s
        return asked

    def _answered(self, asked: bytes) -> None:
        if self._asked == asked:
            self._asked = None

    def _move(self, phase: Phase, now_s: float) -> None:
        self.phase = phase
        self._since_s = now_s
        self._not_before_s = now_s

    def _tell_started(self, error: DeviceError | None) -> None:
        told, self._started = self._started, None
        if told is not None:
            told(error)

    def _tell_stopped(self, error: DeviceError | None) -> None:
        told, self._stopped = self._stopped, []
        for each in told:
            each(error)


_FINISHED: Final = frozenset({State.EXECUTED, State.ABORTED, State.ERROR, State.TIMED_OUT})
"""After these the result says how it ended."""
_STARTS: Final = frozenset(REQUESTS.values())
_DEFLATES: Final = frozenset({State.ABORTED, State.RECEIVED, State.EXECUTED})


def _unavailable(sentence: str, code: str) -> DeviceUnavailable:
    return DeviceUnavailable(sentence, next_step="look at the cuff, and measure again.", code=code)
