"""A CMS50 on a pseudo-terminal, as a process of its own.

    python -m drivers.devices.contec_cms50.simulator --link /tmp/oximeter --generation new --seed 7

The link stands for the serial port. Lines on standard input, or in a script, play what happens to it::

    finger on|off     spo2 97     pulse 72     noise on|off     unplug     replug     power off     quit
    sensor on|off     motion on|off

When it is ready it prints one JSON line. It ends with ``quit``, and when whoever holds the other end of
standard input is gone. It outlives any number of agents on its port; for the training realm only.
"""

import argparse
import contextlib
import fcntl
import json
import os
import pty
import secrets
import select
import stat
import sys
import termios
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from drivers.devices.contec_cms50.codec import PACKETS_PER_SECOND, Generation
from drivers.devices.contec_cms50.unit import Unit
from drivers.simulation.patient_finger import PatientPulse
from drivers.simulation.person import add_options, person_of
from drivers.simulation.pulse import Pulse

TICK_S: Final = 0.05
"""Packets leave in bursts of three: few wake-ups, and early enough for any eye."""
GENERATIONS: Final = {"old": Generation.FIVE_BYTE, "new": Generation.NINE_BYTE}
_READ: Final = 1024
_SWITCHES: Final = {"finger": "finger", "sensor": "finger", "motion": "moving", "noise": "noisy"}
"""What orders switch on and off, and what the unit calls it."""


class Cable:
    """The pseudo-terminal and the link that leads to it.

    The far end is kept open here, so that an agent's death does not hang the line up. It also lets us
    undo that agent's exclusive hold, which a real port loses with its last user.
    """

    def __init__(self, link: Path) -> None:
        self._link = link
        self.near: int | None = None
        self._far: int | None = None

    @property
    def port(self) -> str:
        """The node the link leads to, empty when unplugged."""
        return "" if self._far is None else os.ttyname(self._far)

    def plug(self) -> None:
        if self.near is not None:
            return
        self.near, self._far = pty.openpty()
        tty.setraw(self._far)
        os.set_blocking(self.near, False)
        temporary = self._link.with_name(f".{self._link.name}-{secrets.token_hex(4)}")
        temporary.symlink_to(self.port)
        temporary.replace(self._link)

    def unplug(self) -> None:
        if self.near is None or self._far is None:
            return
        self._link.unlink(missing_ok=True)
        os.close(self.near)
        os.close(self._far)
        self.near = self._far = None

    def send(self, data: bytes) -> None:
        """Put bytes on the wire; what nobody reads is lost once the line is full.

        What is left in the line, an agent that opens it later flushes, as the driver does anyway.
        """
        if self.near is None or self._far is None:
            return
        fcntl.ioctl(self._far, termios.TIOCNXCL)
        with contextlib.suppress(BlockingIOError):
            os.write(self.near, data)

    def receive(self) -> bytes:
        if self.near is None:
            return b""
        with contextlib.suppress(BlockingIOError):
            return os.read(self.near, _READ)
        return b""


class Simulator:
    """The loop that joins unit, cable, clock and orders."""

    def __init__(self, unit: Unit, cable: Cable, *, speed: float, script: list[tuple[float, str]]) -> None:
        self._unit = unit
        self._cable = cable
        self._speed = speed
        self._script = sorted(script)
        self._orders = b""
        self._running = True
        self._poll = select.poll()
        self._standard_input = _ends_with_its_owner()

    def run(self) -> None:
        start_s = time.monotonic()
        packets = 0
        tick_s = start_s
        if self._standard_input:
            self._poll.register(0, select.POLLIN)
        self._plug()
        while self._running:
            for fd, _ in self._poll.poll(max(0.0, tick_s - time.monotonic()) * 1000):
                if fd == 0:
                    self._take_orders()
                elif fd == self._cable.near:
                    self._cable.send(self._unit.hear(self._cable.receive(), time.monotonic()))
            now_s = time.monotonic()
            if now_s < tick_s:
                continue
            tick_s = now_s + TICK_S
            device_s = (now_s - start_s) * self._speed
            while self._script and self._script[0][0] <= device_s:
                self.obey(self._script.pop(0)[1])
            due = min(int(device_s * PACKETS_PER_SECOND) - packets, PACKETS_PER_SECOND * 60)
            packets = int(device_s * PACKETS_PER_SECOND)
            self._cable.send(self._unit.stream(due, now_s))
        self._cable.unplug()

    def obey(self, order: str) -> None:
        """Carry out one line; an order that is not understood is named on standard error."""
        match order.split():
            case ["finger" | "sensor" | "motion" | "noise" as what, "on" | "off" as state]:
                setattr(self._unit, _SWITCHES[what], state == "on")
            case ["spo2", number] if number.isdecimal() and 0 < int(number) <= 100:
                self._unit.pulse.saturation_target = int(number)
            case ["pulse", number] if number.isdecimal() and 0 < int(number) < 255:
                self._unit.pulse.rate_target = int(number)
            case ["unplug"]:
                self._unplug()
            case ["replug"]:
                self._plug()
            case ["power", "off"]:
                self._cable.send(self._unit.switch_off())
            case ["quit"]:
                self._running = False
            case []:
                pass
            case _:
                sys.stderr.write("This order is not understood. (code: order-unknown)\n")

    def _take_orders(self) -> None:
        data = os.read(0, _READ)
        if not data:
            self._running = False
        *lines, self._orders = (self._orders + data).split(b"\n")
        for line in lines:
            self.obey(line.decode("utf-8", "replace"))

    def _plug(self) -> None:
        self._cable.plug()
        if self._cable.near is not None:
            self._poll.register(self._cable.near, select.POLLIN)

    def _unplug(self) -> None:
        if self._cable.near is not None:
            self._poll.unregister(self._cable.near)
        self._cable.unplug()


def _ends_with_its_owner() -> bool:
    """Whether standard input is held by somebody; of /dev/null, an end says nothing."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(0)


def read_script(lines: Iterator[str]) -> list[tuple[float, str]]:
    """Read ``SECONDS ORDER`` lines, seconds of device time; ``#`` begins a comment.

    Raises:
        ValueError: a line that does not begin with a number.
    """
    script: list[tuple[float, str]] = []
    for line in lines:
        seconds, _, order = line.partition("#")[0].strip().partition(" ")
        if seconds:
            script.append((float(seconds), order))
    return script


def _pulse(options: argparse.Namespace) -> Pulse:
    """A patient's, or one with numbers of its own."""
    if not options.scenario:
        return Pulse(options.seed, saturation=options.spo2, rate=options.pulse)
    now_s = time.monotonic()
    person = person_of(options, now_s)
    return PatientPulse(person.vitals, person.at_s(now_s))


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="contec-cms50-simulator", description="A simulated Contec CMS50.")
    parser.add_argument("--link", type=Path, required=True, help="path that stands for the serial port")
    parser.add_argument("--generation", choices=sorted(GENERATIONS), default="new")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=1.0, help="seconds of device time in a second")
    parser.add_argument("--spo2", type=int, default=97)
    parser.add_argument("--pulse", type=int, default=72)
    parser.add_argument("--no-pi", action="store_true", help="a unit without perfusion index, as the D+")
    parser.add_argument("--finger", choices=["on", "off"], default="off", help="at the start")
    parser.add_argument("--script", type=Path, help="file of lines: SECONDS ORDER")
    add_options(parser)
    options = parser.parse_args()
    pulse = _pulse(options)
    unit = Unit(GENERATIONS[options.generation], pulse, seed=options.seed, perfusion=not options.no_pi)
    unit.finger = options.finger == "on"
    script: list[tuple[float, str]] = []
    if options.script:
        with options.script.open() as lines:
            script = read_script(lines)
    cable = Cable(options.link)
    cable.plug()
    ready = {"event": "ready", "link": str(options.link), "port": cable.port, "pid": os.getpid()}
    sys.stdout.write(json.dumps(ready | {"generation": options.generation}) + "\n")
    sys.stdout.flush()
    try:
        Simulator(unit, cable, speed=options.speed, script=script).run()
    except KeyboardInterrupt:
        cable.unplug()


if __name__ == "__main__":
    main()
