"""A driver of somebody else's: its faults end its session, and nothing else stands between."""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Final

import pytest

from drivers import contained
from drivers.decoding import Chunk, Decoded
from drivers.kinds import Origin
from drivers.looks import kinds_of
from drivers.registry import BUILT_IN
from edge.ports.driver import (
    ClearsMemory,
    DeviceEvent,
    DeviceMisbehaved,
    DeviceUnavailable,
    Driver,
    Measures,
    TellsWhenReady,
)
from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, MissingReason
from edge.vitals.reading import Reading

READING: Final = Reading(((Code.HEIGHT, Missing(MissingReason.TEST)),))
ORIGIN: Final = Origin("acme-things", "1.0")


class Played:
    """A driver that does what it is told, at each place where it could fail."""

    key = "device-1"
    kind = "acme-played"

    def __init__(self, fault: Exception | None, where: str) -> None:
        self._fault = fault
        self._where = where
        self.closed = False

    def _maybe(self, where: str) -> None:
        if where == self._where and self._fault is not None:
            raise self._fault

    @asynccontextmanager
    async def _session(self) -> AsyncGenerator[AsyncIterator[DeviceEvent]]:
        self._maybe("entering")
        async with aclosing(self._events()) as events:
            try:
                yield events
            finally:
                self.closed = True
                self._maybe("leaving")

    def session(self) -> AbstractAsyncContextManager[AsyncIterator[DeviceEvent]]:
        self._maybe("opening")
        return self._session()

    async def _events(self) -> AsyncGenerator[DeviceEvent]:
        yield READING
        self._maybe("listening")


class Clearing(Played):
    """One with everything that a driver may offer."""

    ready = True
    cleared: Sequence[bytes] = ()

    async def committed(self, records: Sequence[bytes]) -> None:
        self._maybe("clearing")
        self.cleared = records


async def heard(driver: Driver) -> list[DeviceEvent]:
    async with driver.session() as events:
        return [event async for event in events]


async def test_a_contained_driver_says_the_same() -> None:
    theirs = Played(None, "")
    assert await heard(contained.driver(ORIGIN, theirs)) == [READING]
    assert theirs.closed


@pytest.mark.parametrize("where", ["opening", "entering", "listening", "leaving"])
async def test_a_fault_ends_the_session_and_not_the_agent(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    driver = contained.driver(ORIGIN, Played(ValueError("CONFIDENTIAL"), where))
    for _ in range(2):
        with pytest.raises(contained.DriverFailed) as failed:
            await heard(driver)
        assert failed.value.stable_code == "driver-failed"
        assert "CONFIDENTIAL" not in failed.value.sentence
        assert "ValueError at test_contained.py:" in failed.value.sentence
    assert len(caplog.records) == 1, "the same is told once"
    assert "CONFIDENTIAL" not in str(vars(caplog.records[0])["why"])


@pytest.mark.parametrize("where", ["opening", "entering", "listening", "leaving"])
@pytest.mark.parametrize("error", [DeviceUnavailable, DeviceMisbehaved])
async def test_what_a_driver_means_to_say_is_left_as_it_is(
    where: str, error: Callable[[str], Exception]
) -> None:
    told = error("gone")
    with pytest.raises(type(told)) as raised:
        await heard(contained.driver(ORIGIN, Played(told, where)))
    assert raised.value is told


async def test_what_the_listener_raises_is_no_fault_of_the_driver() -> None:
    theirs = Played(None, "")
    mine = KeyError("the agent's own")

    async def listen() -> None:
        async with contained.driver(ORIGIN, theirs).session() as events:
            async for _ in events:
                raise mine

    with pytest.raises(KeyError) as raised:
        await listen()
    assert raised.value is mine
    assert theirs.closed


class Passing(Played):
    """One whose session raises anew what ended it."""

    def session(self) -> AbstractAsyncContextManager[AsyncIterator[DeviceEvent]]:
        return self

    async def __aenter__(self) -> AsyncIterator[DeviceEvent]:
        return self._events()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            raise error


async def test_what_a_session_raises_anew_is_still_the_listener_s() -> None:
    mine = KeyError("the agent's own")

    async def listen() -> None:
        async with contained.driver(ORIGIN, Passing(None, "")).session():
            raise mine

    with pytest.raises(KeyError) as raised:
        await listen()
    assert raised.value is mine


async def test_being_cancelled_is_no_fault() -> None:
    driver = contained.driver(ORIGIN, Played(None, ""))

    async def wait() -> None:
        async with asyncio.timeout(0.01), driver.session():
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await wait()


async def test_what_a_driver_offers_beside_is_still_offered() -> None:
    plain = contained.driver(ORIGIN, Played(None, ""))
    assert not isinstance(plain, ClearsMemory | Measures | TellsWhenReady)
    theirs = Clearing(None, "")
    clearing = contained.driver(ORIGIN, theirs)
    assert (clearing.key, clearing.kind) == ("device-1", "acme-played")
    assert isinstance(clearing, ClearsMemory)
    assert not isinstance(clearing, Measures)
    await clearing.committed([b"1"])
    assert theirs.cleared == [b"1"]


async def test_a_fault_in_what_is_offered_beside_is_told_alike() -> None:
    failing = contained.driver(ORIGIN, Clearing(ValueError("CONFIDENTIAL"), "clearing"))
    assert isinstance(failing, ClearsMemory)
    with pytest.raises(contained.DriverFailed, match="ValueError at"):
        await failing.committed([b"1"])
    gone = DeviceUnavailable("gone")
    going = contained.driver(ORIGIN, Clearing(gone, "clearing"))
    assert isinstance(going, ClearsMemory)
    with pytest.raises(DeviceUnavailable) as raised:
        await going.committed([b"1"])
    assert raised.value is gone


def test_a_decoder_that_fails_recognises_nothing() -> None:
    def fails(chunks: Sequence[Chunk]) -> Decoded:
        raise ValueError(chunks)

    kind = dataclasses.replace(
        BUILT_IN["contec-cms50"], kind="acme-looks", decode=contained.decode(ORIGIN, fails), origin=ORIGIN
    )
    assert kinds_of({kind.kind: kind}, b"anything") == ()
