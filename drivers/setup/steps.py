"""What there is to do before a device tells its readings: steps, as data.

A tuple of them is a device's set-up; `drivers.setup.interpreter` carries them out in order. A step that is
``optional`` may fail, and then only leaves its name and a code in `Known.skipped`. Where a step takes
bytes it also takes a function that makes them from what is known; None from it skips the step.
"""

import dataclasses
import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from drivers.codec.framing import Grammar
from drivers.setup.known import Known
from drivers.setup.line import STREAM

if TYPE_CHECKING:
    from drivers.transport.serial_port import LineSettings

OPTIONAL_WITHIN_S: Final = 3.0
"""What need not be done is not waited for: a cuff sleeps again within seconds."""
ANSWER_WITHIN_S: Final = 1.0
CLOCK_OFF_BY: Final = datetime.timedelta(minutes=10)
"""Omron devices refuse to be set for less (open drivers do the same)."""

Data: TypeAlias = bytes | Callable[[Known], bytes | None]


@dataclasses.dataclass(frozen=True, slots=True)
class Bond:
    """Pair before anything else, unless it is paired. Done by the radio when the link is made."""


@dataclasses.dataclass(frozen=True, slots=True)
class Require:
    """Without this characteristic it is another kind of device (``device-not-understood``).

    Attributes:
        lacks: what to say of it: "measures no blood pressure".
        others: characteristics any of which will do as well.
    """

    channel: str
    lacks: str
    others: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Refuse:
    """With this characteristic it is a model that is known and not spoken.

    Attributes:
        code: stable, such as ``model-not-supported``.
        is_a: what to say of it: "is an O2Ring-S, which speaks another protocol".
    """

    channel: str
    code: str
    is_a: str


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """Read a characteristic into `Known.values`.

    Attributes:
        accept: whether the value is that of such a device; raises `DeviceMisbehaved` for one without
            meaning.
        lacks: what to say of a device that has no acceptable value; for one that is not optional.
    """

    channel: str
    accept: Callable[[bytes], bool] | None = None
    lacks: str = ""
    optional: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class ReadIdentity:
    """Device Information (180A), once for each device met; always optional."""


@dataclasses.dataclass(frozen=True, slots=True)
class ReadBattery:
    """Battery Level (2A19), at every meeting; always optional."""


@dataclasses.dataclass(frozen=True, slots=True)
class LookAtClock:
    """Read Date Time (2A08), else Current Time (2A2B), into `Known.clock`; always optional.

    Before any step that sets it: what the device kept was stamped by the clock as it is now.
    """


@dataclasses.dataclass(frozen=True, slots=True)
class SetDateTime:
    """Write Date Time (2A08) where there is one, as A&D devices want it at every meeting. Optional."""


@dataclasses.dataclass(frozen=True, slots=True)
class SetCurrentTimeWhenTold:
    """Subscribe to Current Time (2A2B), and write it the first time the device tells a wrong one. Optional.

    Omron devices refuse it earlier, and for less than ten minutes.
    """

    off_by: datetime.timedelta = CLOCK_OFF_BY


@dataclasses.dataclass(frozen=True, slots=True)
class SetClock:
    """Write the time in the vendor's own way, when our clock is worth it. Optional.

    Attributes:
        encode: from local wall time without zone.
    """

    channel: str
    encode: Callable[[datetime.datetime], bytes]
    response: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Subscribe:
    """Ask for notifications or indications.

    The measurement comes last: many devices pour out what they have as soon as somebody listens.

    Attributes:
        if_there: whether a device may lack the characteristic; what it has is to be subscribed to.
    """

    channel: str
    optional: bool = False
    if_there: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Write:
    """Tell the device something."""

    channel: str
    data: Data
    response: bool = True
    optional: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class AskForRecords:
    """Tell a control point to send what the device keeps; records and the answer come to the ear.

    Refused once, as by a device that still works on what somebody else asked, it is told to abort and
    asked again.
    """

    control: str
    request: Data
    abort: bytes = b""
    optional: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Ask:
    """Write, and wait for an answer; again if none comes. What else comes meanwhile is kept for the ear.

    Attributes:
        name: under which the answer is kept in `Known.answers`.
        answers: whether a frame, or a value of ``on``, is the answer.
        learn: takes the answer, for example into `Known.identity`; raises `DeviceMisbehaved` for one
            without meaning.
        on: channel of the answer, where it is another than that of the question.
        tries: how often it is written in all.
    """

    name: str
    data: Data
    answers: Callable[[bytes], bool]
    channel: str = STREAM
    on: str | None = None
    learn: Callable[[Known, bytes], None] | None = None
    response: bool = True
    within_s: float = ANSWER_WITHIN_S
    tries: int = 1
    optional: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Tune:
    """Set speed and parity of a serial line."""

    settings: "LineSettings"


@dataclasses.dataclass(frozen=True, slots=True)
class Frames:
    """From here on the stream is cut into frames of this grammar; what waited to be cut is forgotten.

    Attributes:
        within_s: a frame of which nothing more comes for so long is given up; None to wait for ever.
    """

    grammar: Callable[[], Grammar]
    within_s: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Recognise:
    """Listen until it is surely the device that speaks. What was heard for that is dropped.

    Attributes:
        frames: so many in a row, without garbage between them, are no chance.
        sure: a frame that is enough alone.
    """

    frames: int = 3
    sure: Callable[[bytes], bool] | None = None
    within_s: float = ANSWER_WITHIN_S


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """One of several ways in which a device may have to be met."""

    name: str
    steps: "tuple[Step, ...]"


@dataclasses.dataclass(frozen=True, slots=True)
class FirstThatWorks:
    """Try ways until one works; the one that worked last time is tried first."""

    ways: tuple[Way, ...]


Step: TypeAlias = (
    Bond
    | Require
    | Refuse
    | Read
    | ReadIdentity
    | ReadBattery
    | LookAtClock
    | SetDateTime
    | SetCurrentTimeWhenTold
    | SetClock
    | Subscribe
    | Write
    | AskForRecords
    | Ask
    | Tune
    | Frames
    | Recognise
    | FirstThatWorks
)


def bonds(steps: tuple[Step, ...]) -> bool:
    """Whether the device is to be paired."""
    return any(isinstance(step, Bond) for step in steps)
