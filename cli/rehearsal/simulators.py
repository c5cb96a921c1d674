"""Every simulated device of a scenario, kept running: on pseudo-terminals, and in the simulated air.

Each serial device is a process of its own, all Bluetooth devices share one; all measure the patient of the
scenario, who began at one moment of the machine's monotonic clock. No agent is needed, and none disturbs
them: agents come and go on their ports.

Only the training realm has simulators. A folder whose unit is of the production realm, or cannot be read,
is refused before anything is started.
"""

import asyncio
import contextlib
import dataclasses
import fcntl
import heapq
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from pathlib import Path
from typing import ClassVar, Final

from cli.rehearsal.processes import Keeper, RehearsalFailed
from drivers.kinds import Medium
from drivers.registry import KINDS
from drivers.simulation.faults import Fault
from drivers.simulation.kept_secret import secret_file
from drivers.simulation.scenario import MINUTE_S, DeviceTable, FaultTable, Scenario
from drivers.transport.alongside import alongside
from edge.config import BLE_SCHEME, ConfigMissing, DeviceSection, Places, load
from edge.errors import QafilaError

AIR: Final = "air"
ALL: Final = "all"
"""The key under which every device is told at once."""
LONGEST_SOCKET_PATH: Final = 100
"""Bytes; the kernel takes 107."""
_ADDRESS: Final = "C0:FF:EE:00:01:{:02X}"
_BONDS: Final = "bonds.json"
_LOOK_EVERY_S: Final = 0.5


class SimulationRefused(QafilaError):
    """Simulators may not run here; nothing was started."""

    code: ClassVar[str] = "simulation-refused"


class SimulationFailed(QafilaError):
    """A simulator did not start, or ended by itself."""

    code: ClassVar[str] = "simulation-failed"


def places_for_training(home: Path | None) -> Places | None:
    """The unit for which devices are simulated, or None where there is none and none was named.

    Raises:
        SimulationRefused: ``simulation-in-production``: that unit is of the production realm.
        ConfigMissing: a folder was named, and there is no unit in it.
        ConfigRefused: its configuration cannot be read, so nobody knows its realm.
    """
    places = Places.at(home)
    try:
        realm = load(places.config).unit.realm
    except ConfigMissing:
        if home is None:
            return None
        raise
    if realm != "training":
        raise SimulationRefused(
            f"The unit at {places.base} is of the {realm} realm, where nothing is simulated.",
            next_step="Make a unit for training: qafila unit init --realm training --home DIR.",
            code="simulation-in-production",
        )
    return places


@contextlib.contextmanager
def folder_of_its_own(folder: Path) -> Generator[Path]:
    """The folder of the simulators, which only one run at a time has.

    Raises:
        SimulationRefused: ``simulation-running``; or the folder cannot be made, or is too deep.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SimulationRefused(
            f"{folder} takes no files: {error.strerror}.", next_step="Choose another folder with --home."
        ) from error
    try:
        if len(os.fsencode(folder / AIR)) > LONGEST_SOCKET_PATH:
            raise SimulationRefused(
                f"{folder} is too long a name for a socket in it.",
                next_step="Choose a shorter folder with --home.",
            )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SimulationRefused(
                f"A simulation is running in {folder} already.",
                next_step="End that one first, or choose another folder with --home.",
                code="simulation-running",
            ) from None
        yield folder
    finally:
        os.close(descriptor)


@dataclasses.dataclass(frozen=True, slots=True)
class Simulated:
    """One device of a scenario with its place on this machine."""

    device: DeviceTable
    medium: Medium
    port: str

    @property
    def section(self) -> DeviceSection:
        """As it stands in ``unit.toml``."""
        return DeviceSection(key=self.device.key, kind=self.device.kind, port=self.port, simulated=True)


def placed(scenario: Scenario, folder: Path) -> list[Simulated]:
    """Where each device will be: on a link in the folder, or at an address in the air."""
    result: list[Simulated] = []
    for number, device in enumerate(scenario.device, 1):
        medium = KINDS[device.kind].transport
        in_the_air = f"{BLE_SCHEME}{_ADDRESS.format(number)}"
        port = in_the_air if medium is Medium.BLE else str(folder / device.key)
        result.append(Simulated(device, medium, port))
    return result


def to_be_paired(devices: Sequence[Simulated], folder: Path) -> list[str]:
    """Those that nobody has paired with yet, and that an agent does not pair with by itself."""
    return [
        each.device.key
        for each in devices
        if KINDS[each.device.kind].secret is not None
        and not secret_file(folder / _BONDS, each.port.removeprefix(BLE_SCHEME)).exists()
    ]


# ── What happens, and when ───────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Event:
    """An order to a device at a second of real time since the beginning."""

    at_s: float
    device: str
    order: str


def events_of(scenario: Scenario, *, pace: float) -> list[Event]:
    """Everything the scenario does to its devices, in order of time."""
    events = [Event(each.at_min * MINUTE_S / pace, each.device, each.say) for each in scenario.order]
    for fault in scenario.fault:
        at_s = fault.at_min * MINUTE_S / pace
        begin, end = _orders(fault)
        events.append(Event(at_s, fault.device or ALL, begin))
        if end and fault.lasts_s is not None:
            events.append(Event(at_s + fault.lasts_s, fault.device or ALL, end))
    return sorted(events)


def _orders(fault: FaultTable) -> tuple[str, str]:
    """What is said when it begins, and when it ends; empty for what ends by itself or never."""
    return {
        Fault.SENSOR_OFF: ("sensor off", "sensor on"),
        Fault.MOTION: ("motion on", "motion off"),
        Fault.NOISE: ("noise on", "noise off"),
        Fault.UNPLUG: ("unplug", "replug"),
        Fault.OUT_OF_REACH: ("leave", "return"),
        Fault.HANG_UP: ("hang-up", ""),
        Fault.BOND_LOST: ("forget", ""),
        Fault.LOW_BATTERY: (f"battery {fault.percent}", ""),
        Fault.WRONG_CLOCK: (f"clock {fault.seconds}", ""),
    }[fault.fault]


# ── The processes ────────────────────────────────────────────────────────────────────────────────


class Simulators:
    """The processes of one run, given by `started`.

    Attributes:
        devices: each with its port.
        air: where the Bluetooth devices are, as ``radio.virtual``; None when there are none.
    """

    def __init__(self, devices: Sequence[Simulated], air: str | None, keeper: Keeper) -> None:
        self.devices: Final = devices
        self.air: Final = air
        self._keeper = keeper

    def tell(self, key: str, order: str) -> bool:
        """Give an order to a device, or to all; False when there is no such device."""
        told = [each for each in self.devices if key in {each.device.key, ALL}]
        for each in told:
            with contextlib.suppress(BrokenPipeError):  # one that has ended is noticed by `watch`
                if each.medium is Medium.BLE:
                    self._keeper.kept(AIR).say(f"{each.device.key} {order}")
                else:
                    self._keeper.kept(each.device.key).say(order)
        return bool(told)

    async def play(self, events: Sequence[Event], tell: Callable[[Event], None]) -> None:
        """Let everything happen at its time; ``tell`` hears of it."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        waiting = list(events)
        heapq.heapify(waiting)
        while waiting:
            event = heapq.heappop(waiting)
            await asyncio.sleep(max(0.0, began_s + event.at_s - loop.time()))
            self.tell(event.device, event.order)
            tell(event)

    async def watch(self) -> None:
        """Look after the processes until cancelled.

        Raises:
            SimulationFailed: one ended by itself.
        """
        while True:
            with _as_failure():
                self._keeper.check_alive()
            await asyncio.sleep(_LOOK_EVERY_S)


@contextlib.asynccontextmanager
async def started(
    scenario: Scenario, path: Path, folder: Path, *, began_s: float, pace: float
) -> AsyncGenerator[Simulators]:
    """Start every device of the scenario, and end them all when the context is left.

    Args:
        scenario: as read from ``path``.
        path: its file, which each process reads again.
        folder: theirs alone; links, socket, bonds and logs lie in it.
        began_s: when the patient began, by the monotonic clock.
        pace: how much faster than real the patient changes.

    Raises:
        SimulationFailed: one of them did not start.
    """
    devices = placed(scenario, folder)
    whom = ["--scenario", str(path), "--began", repr(began_s), "--pace", repr(pace)]
    with Keeper(folder / "log", lambda _pid: None) as keeper, _as_failure():
        by_cable = [each for each in devices if each.medium is Medium.SERIAL]
        by_air = [each for each in devices if each.medium is Medium.BLE]
        commands = {each.device.key: _serial_command(each, scenario.patient.seed) for each in by_cable}
        if by_air:
            commands[AIR] = _air_command(by_air, folder)
        for name, command in commands.items():
            keeper.log(name).unlink(missing_ok=True)  # of an earlier run: its "ready" is not ours
            keeper.start(name, [*command, *whom])
        for name in commands:
            await _until_ready(keeper, name)
        yield Simulators(devices, f"unix:{folder / AIR}" if by_air else None, keeper)


async def _until_ready(keeper: Keeper, name: str) -> None:
    def ready() -> bool:
        keeper.check_alive()
        return '"ready"' in keeper.log(name).read_text(errors="replace")

    await keeper.wait(ready, f"{name} to be ready")


def _serial_command(each: Simulated, seed: int) -> list[str]:
    words = [sys.executable, "-m", _module(each.device.kind), "--link", each.port, "--seed", str(seed)]
    for name, value in each.device.options.items():
        if value is True:
            words.append(f"--{name}")
        elif value is not False:
            words += [f"--{name}", str(value)]
    return words


def _air_command(devices: Sequence[Simulated], folder: Path) -> list[str]:
    words = [sys.executable, "-m", "drivers.radio.world", "--listen", f"unix:{folder / AIR}"]
    words += ["--bonds", str(folder / _BONDS)]
    for each in devices:
        options = "".join(f",{name}={_plain(value)}" for name, value in each.device.options.items())
        address = each.port.removeprefix(BLE_SCHEME)
        words += ["--device", f"{each.device.kind}={address},key={each.device.key}{options}"]
    return words


def _plain(value: str | float) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _module(kind: str) -> str:
    return f"drivers.devices.{kind.replace('-', '_')}.simulator"


@contextlib.contextmanager
def _as_failure() -> Generator[None]:
    """What the keeper says of a rehearsal, said of a simulation."""
    try:
        yield
    except RehearsalFailed as error:
        raise SimulationFailed(
            error.sentence, next_step="Read the log of that device in the folder of the simulation."
        ) from error


async def run(simulators: Simulators, events: Sequence[Event], tell: Callable[[Event | str], None]) -> None:
    """Play, look after the processes and take orders, until told to end.

    Args:
        simulators: as `started` gives them.
        events: what happens by itself.
        tell: hears of each event when it happens, and of each line that is no order here.

    Raises:
        SimulationFailed: a device ended by itself.
    """

    def obey(line: str) -> None:
        key, _, order = line.partition(" ")
        if not order or not simulators.tell(key, order):
            tell(line)

    lives = {"devices": simulators.watch(), "scenario": simulators.play(events, tell)}
    async with alongside(lives, patience_s=1.0):
        await until_told(obey)


# ── Until told to end ────────────────────────────────────────────────────────────────────────────


async def until_told(obey: Callable[[str], None]) -> None:
    """Take lines of standard input until ``quit``, its end, SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    rest = b""

    def hear() -> None:
        nonlocal rest
        data = os.read(0, 4096)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            text = line.decode("utf-8", "replace").strip()
            if text == "quit":
                ended.set()
            elif text:
                obey(text)
        if not data:
            loop.remove_reader(0)
            ended.set()

    with contextlib.suppress(OSError, ValueError):  # a file or /dev/null, of which no news is to be expected
        loop.add_reader(0, hear)
    try:
        await ended.wait()
    finally:
        with contextlib.suppress(OSError, ValueError):
            loop.remove_reader(0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
