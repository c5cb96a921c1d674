"""Everything on stage: a unit, a broker, a centre, the link between them, and how each is broken.

Each part is the shipped command in a process of its own; nothing here reaches inside one.
"""

import asyncio
import dataclasses
import datetime
import json
import random
import ssl
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from cli.rehearsal import broker
from cli.rehearsal.oracle import Centre
from cli.rehearsal.processes import Keeper, RehearsalFailed, qafila
from cli.rehearsal.script import CUFF, OXIMETERS, STRAP, Fault, Script
from edge.clock import SystemClock
from sync.central import authorities
from sync.central.home import TLS_SCHEME, CentreHome

REALM: Final = "training"
_IN_THE_AIR: Final = {
    CUFF: ("sig-bp", "C0:FF:EE:00:00:01"),
    STRAP: ("polar-h10", "C0:FF:EE:00:00:02"),
}
"""The simulated Bluetooth devices: kind and address. They share one process, the world."""
_AIR: Final = "air"
_BACKOFF_MAX_S: Final = "2"
"""A lost broker is tried again within these seconds; a van waits up to a minute, a rehearsal may not."""
_DOWN_S: Final = 0.3
"""How long a killed process stays away."""
_AGENT_KILLED_WITHIN_S: Final = 0.025
"""A request is answered after some ten milliseconds, so this falls before, into and after its commit."""

AT_WORK_WITHIN_S: Final = 15.0
"""How long a cut or a kill waits for something to break."""
_ANSWERED_BYTES: Final = 16
"""What a broker says at least once the unit is connected and it acknowledges; greetings are not counted."""
_SPY: Final = "rehearsal.spy"
_LOOK_EVERY_S: Final = 0.05
_NEEDS_WORK: Final = frozenset({Fault.CUT_LINK, Fault.KILL_BROKER, Fault.KILL_COLLECTOR})
"""What proves nothing unless it strikes while the unit delivers."""

_CONFIGURATION: Final = """\
[unit]
id = "{unit}"
realm = "{realm}"

[clock]
quality = "none"
scale = {scale}

[locks]
screen_s = 86400
store_s = 86400

[radio]
backend = "virtual"
virtual = "tcp:{air}"
"""
_DEVICE: Final = """
[[device]]
key = "{key}"
kind = "{kind}"
port = "{port}"
simulated = true
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Pace:
    """How fast time goes on this stage, and what the devices do when nobody tells them to.

    Attributes:
        clock_scale: wall seconds in a second.
        oximeter: options of the simulated oximeters.
        air: options of each simulated Bluetooth device, after its address.
    """

    clock_scale: float
    oximeter: tuple[str, ...]
    air: Mapping[str, str]


REHEARSAL: Final = Pace(600.0, ("--speed", "20"), {CUFF: "", STRAP: ",contact=off,speed=20"})
"""A morning of three hours in less than half a minute; devices wait for the nurse."""
LIVE: Final = Pace(1.0, (), {CUFF: ",every=45", STRAP: ",contact=off"})
"""For a screen that a person looks at; the cuff measures by itself."""


@dataclasses.dataclass(slots=True)
class Breakages:
    """What was broken while it was at work; counted when it was done, not when it was planned."""

    link_cuts: int = 0
    agent_kills: int = 0
    broker_kills: int = 0
    collector_kills: int = 0

    @classmethod
    def planned(cls, script: Script) -> Self:
        """What the script wants broken."""
        faults = [fault for visit in script.visits for _, fault in visit.faults]
        return cls(
            link_cuts=faults.count(Fault.CUT_LINK),
            agent_kills=faults.count(Fault.KILL_AGENT),
            broker_kills=faults.count(Fault.KILL_BROKER),
            collector_kills=faults.count(Fault.KILL_COLLECTOR),
        )


class _Delivery(NamedTuple):
    """How far the way from the unit to the centre was used: bytes that came back, batches that landed."""

    down: int = 0
    batches: int = 0


class Stage:
    """The set of processes of one rehearsal.

    Args:
        home: where everything lies; the unit's home, with the centre's and the rehearsal's own in it.
        keeper: who keeps the processes.
        pace: how fast time goes.
    """

    def __init__(
        self, home: Path, script: Script, kind: broker.BrokerKind, keeper: Keeper, pace: Pace = REHEARSAL
    ) -> None:
        self.home = home
        self._pace = pace
        self.socket = home / "run" / "agent.sock"
        self.central = home / "central"
        self.own = home / "rehearsal"
        self.breakages = Breakages()
        self.broker_port = broker.free_port()
        self._connection, self._greeting = "", 0
        self._tls = kind == "mosquitto"
        self.spy_port = broker.free_port() if self._tls else self.broker_port
        self._air = f"{broker.LOOPBACK}:{broker.free_port()}"
        self._kind: broker.BrokerKind = kind
        self._script = script
        self._keeper = keeper
        self._rng = random.Random(f"agent {script.seed}")  # noqa: S311  a story to be told again
        self._clock = SystemClock()
        self._centre = Centre(self.central / "central.db")
        self._at_last_fault = _Delivery()
        self._carried = home / "carried"
        self._carried.mkdir()

    async def build(self) -> None:
        """Make unit and centre, introduce them to each other, and start everything."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start_oximeters())
            group.create_task(self._start_air())
            group.create_task(self._make_unit())
            group.create_task(self._start_centre())
        link_port = await self._start_link()
        request, bundle = self._carried / "unit.request", self._carried / "unit.bundle"
        await self._run("unit", "csr", str(request))
        address = f"{TLS_SCHEME if self._tls else ''}{broker.LOOPBACK}:{link_port}"
        await self._run("central", "enrol", str(request), "--out", str(bundle), "--broker", address)
        await self._run("unit", "enrol", str(bundle))
        self._keeper.start("agent", qafila(self.home, "agent"))
        self._keeper.start("uplink", qafila(self.home, "uplink", "--backoff-max", _BACKOFF_MAX_S))

    async def do(self, fault: Fault) -> None:
        """Break or mend one thing; what is to break is first given the time to be at work.

        A fault that then still strikes something idle is done all the same, and not counted.
        """
        at_work = await self._at_work() if fault in _NEEDS_WORK else True
        self.tell(fault if at_work else f"{fault}, in vain: nothing was being delivered")
        match fault:
            case Fault.CUT_LINK:
                cut = await self._tell_link("cut")
                self.breakages.link_cuts += at_work and cut["live"] > 0
                self._at_last_fault = self._delivery(cut)
                await asyncio.sleep(_DOWN_S)
            case Fault.RESTORE_LINK:
                await self._tell_link("open")
            case Fault.KILL_AGENT:
                await asyncio.sleep(self._rng.random() * _AGENT_KILLED_WITHIN_S)
                self._keeper.kill("agent")
                self.breakages.agent_kills += 1
                self._keeper.restart("agent")
            case Fault.KILL_BROKER:
                self._keeper.kill("broker")
                self.breakages.broker_kills += at_work
                await self._begin_again_from_acknowledgements()
                await asyncio.sleep(_DOWN_S)
                await self._start_broker()
            case Fault.KILL_COLLECTOR:
                self._keeper.kill("collector")
                self.breakages.collector_kills += at_work
                await self._begin_again_from_acknowledgements()
                await asyncio.sleep(_DOWN_S)
                self._keeper.restart("collector")

    async def _at_work(self) -> bool:
        """Wait, but not for ever, until the unit is connected and has delivered since the last fault."""
        give_up = time.monotonic() + AT_WORK_WITHIN_S
        while True:
            link = await self._tell_link("stats")
            now, before = self._delivery(link), self._at_last_fault
            answered = now.down - max(before.down, self._greeted(now.down)) >= _ANSWERED_BYTES
            if link["live"] > 0 and answered and now.batches > before.batches:
                return True
            if time.monotonic() > give_up:
                return False
            await asyncio.sleep(_LOOK_EVERY_S)

    def _greeted(self, down: int) -> int:
        """How much had come down when the present connection stood: handshake, greeting, what is retained."""
        try:
            note = json.loads((self.home / "spool" / "in" / "link").read_text())
        except (FileNotFoundError, ValueError):
            return down
        if not note["connected"]:
            return down
        if note["connection"] != self._connection:
            self._connection, self._greeting = note["connection"], down
        return self._greeting

    async def _begin_again_from_acknowledgements(self) -> None:
        """After a kill the broker's answers are delivery enough for the next fault.

        The embedded broker acknowledges what nobody collects and forgets it, and the uplink sends such a
        batch again only after ten seconds; two such waits are too long for a demonstration.
        """
        self._at_last_fault = self._delivery(await self._tell_link("stats"))._replace(batches=0)

    def _delivery(self, link: Mapping[str, Any]) -> _Delivery:
        return _Delivery(int(link["down"]), self._centre.batches())

    def tell(self, event: str) -> None:
        """Note what happens now, to be read beside the logs."""
        moment = datetime.datetime.fromtimestamp(self._clock.now().wall_ms / 1000, tz=datetime.UTC)
        with (self.own / "story.txt").open("a", encoding="utf-8") as story:
            story.write(f"{moment:%H:%M:%S.%f} {event}\n")

    def order(self, device: str, order: str) -> None:
        """Tell a simulated device what happens to it."""
        if device in _IN_THE_AIR:
            self._keeper.kept(_AIR).say(f"{device} {order}")
        else:
            self._keeper.kept(device).say(order)

    async def bytes_up(self) -> int:
        """What the link carried from the unit towards the centre so far."""
        return int((await self._tell_link("stats"))["up"])

    async def _run(self, *words: str, stdin: str = "") -> None:
        await self._keeper.run("-".join(words[:2]), qafila(self.home, *words), stdin=stdin)

    async def _make_unit(self) -> None:
        unit, user = self._script.unit, self._script.user
        await self._run(
            "unit", "init", "--realm", REALM, "--id", unit, "--user", user, "--pin-stdin",
            stdin=f"{self._script.pin}\n",
        )  # fmt: skip
        devices = [
            *(_DEVICE.format(key=key, kind="contec-cms50", port=self._port_of(key)) for key in OXIMETERS),
            *(
                _DEVICE.format(key=key, kind=kind, port=f"ble:{address}")
                for key, (kind, address) in _IN_THE_AIR.items()
            ),
        ]
        configuration = _CONFIGURATION.format(
            unit=unit, realm=REALM, scale=self._pace.clock_scale, air=self._air
        )
        (self.home / "unit.toml").write_text(configuration + "".join(devices))

    async def _start_oximeters(self) -> None:
        (self.home / "devices").mkdir()
        for index, (key, generation) in enumerate(OXIMETERS.items()):
            self._keeper.start(
                key,
                [
                    sys.executable, "-m", "drivers.devices.contec_cms50.simulator",
                    "--link", str(self._port_of(key)), "--generation", generation,
                    "--seed", str(self._script.seed + index), *self._pace.oximeter,
                ],
            )  # fmt: skip
        for key in OXIMETERS:
            await self._keeper.wait(self._port_of(key).exists, f"{key} to be plugged in")

    async def _start_air(self) -> None:
        devices = [
            f"{kind}={address},key={key}{self._pace.air[key]}" for key, (kind, address) in _IN_THE_AIR.items()
        ]
        self._keeper.start(
            _AIR,
            [
                sys.executable, "-m", "drivers.radio.world", "--listen", f"tcp:{self._air}",
                *(word for device in devices for word in ("--device", device)),
            ],
        )  # fmt: skip
        await self._keeper.wait(lambda: "ready" in self._keeper.log(_AIR).read_text(), "the air to be there")

    def _port_of(self, key: str) -> Path:
        return self.home / "devices" / key

    async def _start_centre(self) -> None:
        if self._tls:
            await self._run(
                *("central", "init", "--realm", REALM, "--broker", "mosquitto"),
                *("--port", str(self.broker_port), "--centre-port", str(self.spy_port)),
            )
            self._let_spy_in()
            await self._start_broker()
        else:
            address = f"{broker.LOOPBACK}:{self.broker_port}"
            async with asyncio.TaskGroup() as group:
                group.create_task(self._run("central", "init", "--realm", REALM, "--broker", address))
                group.create_task(self._start_broker())
        for name, word in {"collector": "collect", "exploder": "explode"}.items():
            self._keeper.start(name, qafila(self.home, "central", word, "--backoff-max", _BACKOFF_MAX_S))

    def _let_spy_in(self) -> None:
        """Give the stranger the rights of whoever runs the broker, and have the broker log all it can."""
        centre = CentreHome(self.central)
        authorities.issue_client(*(centre, REALM, _SPY, self.central / "spy", self._clock.now().wall_ms))
        with (self.central / "mosquitto" / "acl").open("a") as rights:
            rights.write(f"\nuser {_SPY}\ntopic read #\n")
        (self.central / "mosquitto" / "extra" / "log.conf").write_text("log_type all\n")

    def spy_tls(self) -> ssl.SSLContext | None:
        """What the stranger connects with, once there is a centre."""
        return authorities.context(CentreHome(self.central), "spy") if self._tls else None

    async def _start_broker(self) -> None:
        folder = self.home / "broker"
        folder.mkdir(exist_ok=True)
        command = (
            broker.own_command(self.central)
            if self._tls
            else broker.command(self._kind, self.broker_port, folder)
        )
        self._keeper.start("broker", command)
        await self._keeper.wait(lambda: broker.listening(self.broker_port), "the broker to listen")

    async def _start_link(self) -> int:
        self._keeper.start(
            "link",
            [
                sys.executable, "-m", "cli.rehearsal.link_cutter", "--to", str(self.broker_port),
                "--record", str(self.own / "link.bin"),
            ],
        )  # fmt: skip
        return int((await self._link_says("ready", after=0))["port"])

    async def _tell_link(self, word: str) -> dict[str, Any]:
        said = len(self._link_sayings())
        self._keeper.kept("link").say(word)
        return await self._link_says(word, after=said)

    async def _link_says(self, event: str, *, after: int) -> dict[str, Any]:
        await self._keeper.wait(lambda: len(self._link_sayings()) > after, f"the link to say {event}")
        saying = self._link_sayings()[after]
        if saying["event"] != event:
            raise RehearsalFailed(f"The link was told {event} and said {saying['event']}.")
        return saying

    def _link_sayings(self) -> list[dict[str, Any]]:
        """The whole lines of its log; one that is being written counts not yet."""
        lines = self._keeper.log("link").read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]
