"""A driver of somebody else's, whose faults end its session and not the agent.

What the built-in drivers do wrong is a fault of ours, and stops the agent so that it is seen and mended. A
package that a technician adds may be mended later, and the other devices go on meanwhile. This holds
faults, not malice: such code runs with everything that the process around it may do.
"""

import dataclasses
import inspect
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, cast

from drivers.decoding import Chunk, Decode, Decoded
from drivers.kinds import DriverContext, Origin, Secret
from edge.ports.driver import DeviceError, DeviceEvent, DeviceMisbehaved, Driver

_LOG: Final = logging.getLogger(__name__)
_LOG.addHandler(logging.NullHandler())  # commands say it in words of their own; the agent has a log


class DriverFailed(DeviceMisbehaved):
    """A driver came upon a fault of its own."""

    code: ClassVar[str] = "driver-failed"


def where(fault: BaseException) -> str:
    """The class of a fault and its place, never its message: that may hold what a device sent."""
    what = type(fault).__name__
    if isinstance(fault, ImportError) and fault.name:
        what = f"{what} ({fault.name})"
    frames = [
        frame
        for frame in traceback.extract_tb(fault.__traceback__)
        if not frame.filename.startswith("<frozen") and "importlib" not in Path(frame.filename).parts
    ]
    if isinstance(fault, SyntaxError) and fault.filename:
        return f"{what} at {Path(fault.filename).name}:{fault.lineno}"
    return f"{what} at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames[1:] else what


def decode(origin: Origin, theirs: Decode) -> Decode:
    """The same decoder; what it did not expect of itself is a `DriverFailed`."""

    def contained(chunks: Sequence[Chunk]) -> Decoded:
        try:
            return theirs(chunks)
        except DeviceError:
            raise
        except Exception as fault:
            raise _failed(origin, fault) from fault

    return contained


def secret(origin: Origin, theirs: Secret) -> Secret:
    """The same; what giving it did not expect of itself is a `DriverFailed`."""

    async def give(context: DriverContext, given: bytes) -> None:
        try:
            await theirs.give(context, given)
        except DeviceError:
            raise
        except Exception as fault:
            raise _failed(origin, fault) from fault

    return dataclasses.replace(theirs, give=give)


def driver(origin: Origin, theirs: Driver) -> Driver:
    """The same driver, everything it offers beside `Driver` included, with a contained session."""
    offers = [name for name in dir(theirs) if not name.startswith("_") and not hasattr(_Contained, name)]
    # Whether a driver can clear a memory or measure is told by what it has, so this has the same.
    made = type("Contained", (_Contained,), {name: _forwarded(name) for name in offers})
    return cast("Driver", made(origin, theirs))


def _forwarded(name: str) -> property:
    def ask(self: "_Contained") -> object:
        offered = getattr(self.theirs, name)
        return self.holding(offered) if inspect.iscoroutinefunction(offered) else offered

    return property(ask)


def _failed(origin: Origin, fault: BaseException) -> DriverFailed:
    return DriverFailed(
        f"The driver of {origin} failed: {where(fault)}.",
        next_step="send this line to those who made it; other devices are not concerned.",
    )


class _Contained:
    """Forwards to ``theirs``; the names it offers are added by `driver`."""

    def __init__(self, origin: Origin, theirs: Driver) -> None:
        self.theirs = theirs
        self._origin = origin
        self._told = ""

    def session(self) -> AbstractAsyncContextManager[AsyncIterator[DeviceEvent]]:
        return _Session(self.theirs, self._fail)

    def holding(self, theirs: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        """The same method; its faults are told as the session's are."""

        async def call(*given: object, **named: object) -> object:
            try:
                return await theirs(*given, **named)
            except DeviceError:
                raise
            except Exception as fault:
                raise self._fail(fault) from fault

        return call

    def _fail(self, fault: BaseException) -> DriverFailed:
        failed = _failed(self._origin, fault)
        if failed.sentence != self._told:  # it is opened again every few seconds
            self._told = failed.sentence
            _LOG.warning(
                "driver failed",
                extra={"driver": self.theirs.key, "code": failed.stable_code, "why": failed.sentence},
            )
        return failed


class _Session(AbstractAsyncContextManager[AsyncIterator[DeviceEvent]], AsyncIterator[DeviceEvent]):
    """A session, and its events; what the listener raises inside it is none of the driver's faults."""

    def __init__(self, theirs: Driver, fail: Callable[[BaseException], DriverFailed]) -> None:
        self._driver = theirs
        self._fail = fail

    async def __aenter__(self) -> AsyncIterator[DeviceEvent]:
        try:
            self._session = self._driver.session()
            self._events = await self._session.__aenter__()
        except DeviceError:
            raise
        except Exception as fault:
            raise self._fail(fault) from fault
        return self

    async def __anext__(self) -> DeviceEvent:
        try:
            return await anext(self._events)
        except (DeviceError, StopAsyncIteration):
            raise
        except Exception as fault:
            raise self._fail(fault) from fault

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        try:
            return await self._session.__aexit__(kind, error, trace)
        except DeviceError:
            raise
        except Exception as fault:
            if fault is error:
                raise
            raise self._fail(fault) from fault
