"""What a device folder gives beside its steps: how it listens, and in what manner the device speaks. Pure."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from drivers.setup.line import STREAM
from edge.ports.driver import DeviceError, DeviceEvent


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """One value of a characteristic, one frame of a stream, or bytes of a stream that are no frame.

    Attributes:
        at_s: when, in monotonic seconds.
        garbage: the code for which the bytes were refused, or None.
    """

    channel: str
    raw: bytes
    at_s: float
    garbage: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Send:
    """Something to be written to the device.

    Attributes:
        optional: whether a refusal is passed over.
    """

    data: bytes
    channel: str = STREAM
    response: bool = True
    optional: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """The device has said all that we want: hang up."""


Said: TypeAlias = DeviceEvent | Send | Done | DeviceError
"""What an ear gives. An error among it ends the session with that error."""


class Ear:
    """Turns what is heard into events; made anew for every meeting.

    Give, in order, readings and waves to be handed on, `Send` to be written, `Done` or a `DeviceError`
    to end. *Raise* `DeviceMisbehaved` to refuse this one value: what was given before it is handed on, and
    others that follow are heard all the same.
    """

    def begin(self, now_s: float) -> Iterable[Said]:  # noqa: ARG002  for those that override it
        """All steps are done."""
        return ()

    def hear(self, heard: Heard) -> Iterable[Said]:
        """Take what came next. Every ear has this; the others are for those who need them."""
        raise NotImplementedError

    def tick(self, now_s: float) -> Iterable[Said]:  # noqa: ARG002  for those that override it
        """So much time has passed as `Manner.tick_s` says; for what is polled."""
        return ()

    def end(self) -> Iterable[Said]:
        """It has hung up, has fallen silent or is done: give what was held back."""
        return ()

    def goodbye(self) -> Sequence[Send]:
        """What to write before we hang up, if it is still there; a second is all there is for it."""
        return ()

    def committed(self, records: Sequence[bytes]) -> Iterable[Send]:  # noqa: ARG002  as above
        """These records are durably ours; only now, and only they, may be cleared from the device."""
        return ()


@dataclasses.dataclass(frozen=True, slots=True)
class Repeat:
    """Something to be written again and again, so that the device goes on."""

    send: Send
    every_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class Manner:
    """How the device speaks.

    Attributes:
        patience_s: how long it may be silent.
        after: how long it may be silent once a value of this channel has come, until another of these.
        quiet_ends: whether silence is its way to end (a cuff), or a failure (``device-silent``).
        refusals_in_a_row: so many refused values, one after the other, end the session; None for a
            device whose values each count, where a refusal is told when all others have been heard.
            Garbage on a stream is no value: only when nothing else has come for ``patience_s`` is it
            another device that speaks.
        repeats: what keeps it going.
        tick_s: how often the ear is asked by the clock alone.
    """

    patience_s: float
    after: Mapping[str, float] = dataclasses.field(default_factory=dict[str, float])
    quiet_ends: bool = False
    refusals_in_a_row: int | None = None
    repeats: tuple[Repeat, ...] = ()
    tick_s: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Words:
    """How errors speak of the device.

    Attributes:
        noun: "cuff", "oximeter".
        silent: what to do when it says nothing.
        wrong: what to do when it is another device.
    """

    noun: str
    silent: str
    wrong: str
