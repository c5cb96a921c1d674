"""A workshop of which a test holds every string, and a unit with one cuff in it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edge.localapi.client import connect
from edge.ports.caller import CallRefused
from edge.ports.driver import CuffMode, DeviceError, Driver
from edge.ports.workshop import AskPasskey, DeviceRefused, Nearby, Scanned, Sink
from edge.vitals.identity import Identity
from tests.edge.agent.agent_world import PIN, Nurse, ScriptedDriver, World

AIR = "ble:C0:FF:EE:00:00:01"
TECHNICIAN = ("tariq", "615243")
NEW = {"device": "cuff-2", "kind": "sig-bp", "port": "ble:C0:FF:EE:00:00:02"}


class Recorded(ScriptedDriver):
    """A device that tells a recorder when it is opened and what it says, and is ready when told so."""

    def __init__(self, shop: "Shop", key: str) -> None:
        super().__init__(key)
        self._shop = shop
        self.ready = False
        self.identity = Identity()
        self.measured: list[str] = []

    @property
    def kind(self) -> str:
        return "sig-bp"

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncIterator[Any]]:
        self._shop.tell(self.key, b"open\n")
        async with super().session() as events:
            yield events

    async def measure(self, mode: CuffMode) -> None:
        self.measured.append(mode.value)

    async def stop(self) -> None:
        self.measured.append("stop")


class Shop:
    """A workshop of which a test holds every string."""

    def __init__(self) -> None:
        self.made: dict[str, Recorded] = {}
        self.keys: set[str] = set()
        self.window: str | None = None
        self.again: bool | None = None
        self.ask: AskPasskey | None = None
        self.tried: list[str] = []
        self.sinks: dict[str, Sink] = {}
        self.options: dict[str, str] = {}
        self.locks = False
        self.given: list[tuple[str, str]] = []
        self.refuses: DeviceError | None = None
        self.cuff_has = b""
        self.secrets: dict[str, bytes] | None = None
        self.told_secrets = False
        self.off_ms: int | None = None

    async def scan(self, for_s: float, *, air: bool, cables: bool) -> Scanned:
        assert for_s == 3
        found = [Nearby(AIR, (), "Cuff", ("sig-bp",), -60, paired=False)] if air else []
        found += [Nearby("/dev/ttyUSB0", ("/dev/serial/by-id/one",))] if cables else []
        return Scanned(found, {} if air else {"air": "radio-down"})

    async def make(self, key: str, kind: str, port: str, options: Mapping[str, str]) -> Driver:
        if kind != "sig-bp":
            raise DeviceRefused("There is no such kind.", next_step="See kinds.", code="unknown-kind")
        assert port
        self.options = dict(options)
        self.made[key] = Recorded(self, key)
        return self.made[key]

    @asynccontextmanager
    async def pairing(self, port: str, ask: AskPasskey, *, again: bool) -> AsyncGenerator[None]:
        self.window, self.ask, self.again = port, ask, again
        try:
            yield
        finally:
            self.window = self.ask = None

    async def paired(self, port: str) -> bool:
        return port in self.keys

    async def forget(self, port: str) -> bool:
        had = port in self.keys
        self.keys.discard(port)
        return had

    def try_again(self, port: str) -> None:
        self.tried.append(port)

    def record(self, key: str, sink: Sink | None) -> None:
        if sink is None:
            self.sinks.pop(key)
        else:
            self.sinks[key] = sink

    def secret_size(self, kind: str) -> int | None:
        return 16 if self.locks and kind == "sig-bp" else None

    async def give_secret(self, key: str, kind: str, port: str, secret: bytes) -> None:
        assert (kind, len(secret)) == ("sig-bp", 16)
        self.given.append((key, port))
        if self.refuses is not None:
            raise self.refuses
        self.cuff_has = secret

    def unlock(self, secrets: Mapping[str, bytes] | None) -> None:
        self.secrets = None if secrets is None else dict(secrets)
        self.told_secrets = True

    def clock_off(self, off_ms: int) -> None:
        self.off_ms = off_ms

    def tell(self, key: str, line: bytes) -> None:
        if key in self.sinks:
            self.sinks[key](line)


@asynccontextmanager
async def somebody(world: World, user: str = "amina", pin: str = PIN) -> AsyncIterator[Nurse]:
    async with connect(world.socket) as api:
        one = Nurse(api)
        await one.ask("sign-in", user=user, pin=pin)
        yield one


async def refused(one: Nurse, method: str, **fields: Any) -> str:  # noqa: ANN401  as wide as JSON
    with pytest.raises(CallRefused) as error:
        await one.ask(method, **fields)
    assert error.value.sentence
    assert error.value.next_step
    return error.value.stable_code


@asynccontextmanager
async def pairing(technician: Nurse, **fields: Any) -> AsyncIterator["asyncio.Task[dict[str, Any]]"]:  # noqa: ANN401  as wide as JSON
    async with asyncio.TaskGroup() as group:
        task = group.create_task(technician.ask("device.pair", **fields))
        yield task
