"""The port through which devices speak."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import ClassVar, Protocol, TypeAlias, runtime_checkable

from edge.errors import QafilaError
from edge.vitals.identity import Identity
from edge.vitals.place import Place
from edge.vitals.reading import Reading, Wave

DeviceEvent: TypeAlias = Reading | Wave | Place


class DeviceError(QafilaError):
    """A device did not do what was asked of it."""

    code: ClassVar[str] = "device-error"


class DeviceUnavailable(DeviceError):
    """Unplugged, switched off or out of reach: try again later."""

    code: ClassVar[str] = "device-unavailable"


class DeviceMisbehaved(DeviceError):
    """It sent what its protocol does not allow: keep the bytes, tell a technician."""

    code: ClassVar[str] = "device-misbehaved"

    def __init__(
        self, sentence: str, *, raw: bytes = b"", next_step: str = "", code: str | None = None
    ) -> None:
        super().__init__(sentence, next_step=next_step, code=code)
        self.raw = raw
        """The evidence; health data, never for a log."""


class Driver(Protocol):
    """One configured device."""

    @property
    def key(self) -> str:
        """What the configuration calls it, such as ``oximeter-1``."""
        ...

    @property
    def kind(self) -> str:
        """Which device family it is, such as ``contec-cms50``."""
        ...

    def session(self) -> AbstractAsyncContextManager[AsyncIterator[DeviceEvent]]:
        """Open the device and give what it says until it goes away.

        Raises:
            DeviceUnavailable: on entering, or from the iterator when it goes away.
            DeviceMisbehaved: what comes is not this device's protocol.
        """
        ...


@runtime_checkable
class ClearsMemory(Protocol):
    """A driver whose device may forget what is safe with us; offered beside `Driver`, or not at all."""

    async def committed(self, records: Sequence[bytes]) -> None:
        """The readings with these ``record`` values are durably stored here, or were before.

        Told after the commit and never sooner, from the task that runs the session, between two of its
        events. A device's memory is cleared here and nowhere else, and only of what is named. Quick, and
        harmless to repeat. That the device has gone meanwhile is no error: it sends the records again, and
        they are told again.
        """
        ...


@runtime_checkable
class TellsWhenReady(Protocol):
    """A driver that knows whether its device is met and set up; offered beside `Driver`, or not at all."""

    @property
    def ready(self) -> bool:
        """Whether it is met and set up now, though it may have said no value yet."""
        ...

    @property
    def identity(self) -> Identity:
        """What it said of itself when it was met last."""
        ...


class CuffMode(StrEnum):
    """Whom a cuff is on: how high it is pumped up first, and how high at most."""

    ADULT = "adult"
    CHILD = "child"
    NEONATE = "neonate"


@runtime_checkable
class Measures(Protocol):
    """A driver whose device measures when it is told to; offered beside `Driver`, or not at all.

    Both are called from other tasks than the one that runs the session.
    """

    async def measure(self, mode: CuffMode) -> None:
        """Start one measurement, and return when the device has begun.

        What the cuff holds meanwhile and the result, or why there is none, come as events of the session.

        Raises:
            DeviceUnavailable: the device is not there (``device-not-there``), it measures already
                (``measurement-running``), or it does not answer (``device-silent``).
            DeviceMisbehaved: it refuses, and says no more than that.
        """
        ...

    async def stop(self) -> None:
        """Let the air out now, and return when the device says that it does.

        Harmless when nothing is being measured; then the device is told all the same.

        Raises:
            DeviceUnavailable: the device is not there, or did not answer. It is told again as soon as it
                answers; until then only its own limits and the hose protect the arm.
        """
        ...
