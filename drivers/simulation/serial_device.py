"""A simulated serial device as a process of its own: the loop that joins unit, cable, clock and orders.

A device folder brings a unit (`SimulatedUnit`) and its options; everything else is here::

    python -m drivers.devices.NAME.simulator --link /tmp/port --seed 7 --script FILE

The link stands for the serial port. Lines on standard input, or in a script, play what happens to it: those
of `drivers.simulation.faults` for a serial device, ``power on|off``, ``quit`` and the unit's own. When it is
ready it prints one JSON line. It ends with ``quit``, and when whoever holds the other end of standard input
is gone. It outlives any number of agents on its port; for the training realm only.
"""

import argparse
import contextlib
import json
import os
import select
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from drivers.simulation import person
from drivers.simulation.cable import Cable, Noise
from drivers.simulation.vitals import Vitals

TICK_S: Final = 0.05
"""Bytes leave in bursts: few wake-ups, and early enough for any eye."""
_READ: Final = 1024


class SimulatedUnit(Protocol):
    """A device as it looks from its cable. It has no port and no clock: each call says what time it is.

    Times are seconds of the person it measures (`drivers.simulation.vitals`), and never run back.
    """

    def stream(self, at_s: float) -> bytes:
        """What it has sent by itself since it was last asked, until this moment."""
        ...

    def hear(self, data: bytes, at_s: float) -> bytes:
        """Take bytes from the host, in pieces of any size, and give what it answers at once."""
        ...

    def obey(self, order: list[str], at_s: float) -> bytes | None:
        """Let something happen to it and give what it says at that; None for an order it does not know."""
        ...


class Process:
    """The loop.

    Args:
        began_s: the person's time at the start.
        speed: seconds of device time in a second.
        script: orders, each with the second of device time since the start.
    """

    def __init__(
        self,
        unit: SimulatedUnit,
        cable: Cable,
        *,
        began_s: float = 0.0,
        speed: float = 1.0,
        script: list[tuple[float, str]] | None = None,
        seed: int = 0,
    ) -> None:
        self._unit = unit
        self._cable = cable
        self._began_s = began_s
        self._speed = speed
        self._script = sorted(script or [])
        self._noise = Noise(seed)
        self._noisy = False
        self._powered = True
        self._orders = b""
        self._running = True
        self._poll = select.poll()
        self._standard_input = _ends_with_its_owner()
        self._start_s = time.monotonic()

    @property
    def _at_s(self) -> float:
        return self._began_s + (time.monotonic() - self._start_s) * self._speed

    def run(self) -> None:
        """Play until told to quit."""
        tick_s = self._start_s = time.monotonic()
        if self._standard_input:
            self._poll.register(0, select.POLLIN)
        self._plug()
        while self._running:
            for fd, _ in self._poll.poll(max(0.0, tick_s - time.monotonic()) * 1000):
                if fd == 0:
                    self._take_orders()
                elif fd == self._cable.near:
                    heard = self._cable.receive()
                    if self._powered:
                        self._send(self._unit.hear(heard, self._at_s))
            now_s = time.monotonic()
            if now_s < tick_s:
                continue
            tick_s = now_s + TICK_S
            while self._script and self._script[0][0] <= self._at_s - self._began_s:
                self.obey(self._script.pop(0)[1])
            sent = self._unit.stream(self._at_s)
            if self._powered:
                self._send(sent)
        self._cable.unplug()

    def obey(self, order: str) -> None:
        """Carry out one line; an order that is not understood is named on standard error."""
        match order.split():
            case ["unplug"]:
                self._unplug()
            case ["replug"]:
                self._plug()
            case ["power", "on"]:
                self._powered = True
            case ["power", "off"]:
                self._send(self._unit.obey(["power", "off"], self._at_s) or b"")
                self._powered = False
            case ["quit"]:
                self._running = False
            case []:
                pass
            case words:
                said = self._unit.obey(words, self._at_s)
                if said is None and words in (["noise", "on"], ["noise", "off"]):
                    self._noisy = words[1] == "on"  # a unit that has no noise of its own
                elif said is None:
                    sys.stderr.write("This order is not understood. (code: order-unknown)\n")
                elif self._powered:
                    self._send(said)

    def _send(self, data: bytes) -> None:
        if data:
            self._cable.send(self._noise.disturb(data) if self._noisy else data)

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


def parser_for(kind: str, title: str) -> argparse.ArgumentParser:
    """The options that every serial simulator has; a device adds its own."""
    parser = argparse.ArgumentParser(prog=f"{kind}-simulator", description=f"A simulated {title}.")
    parser.add_argument("--link", type=Path, required=True, help="path that stands for the serial port")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=1.0, help="seconds of device time in a second")
    parser.add_argument("--script", type=Path, help="file of lines: SECONDS ORDER")
    person.add_options(parser)
    return parser


MakeUnit = Callable[[Vitals, float], SimulatedUnit]
"""``make(vitals, at_s)``: the unit, switched on at that second of the person's."""


def play(options: argparse.Namespace, make_unit: MakeUnit, **usual: float) -> None:
    """Be the device that the options describe, until it ends.

    Args:
        options: as parsed by `parser_for`.
        make_unit: makes it for the person whom the options name.
        usual: numbers of the person who is measured when no scenario is named.
    """
    patient = person.person_of(options, time.monotonic(), **usual)
    began_s = patient.at_s(time.monotonic())
    unit = make_unit(patient.vitals, began_s)
    script: list[tuple[float, str]] = []
    if options.script:
        with options.script.open() as lines:
            script = read_script(lines)
    cable = Cable(options.link)
    cable.plug()
    ready = {"event": "ready", "link": str(options.link), "port": cable.port, "pid": os.getpid()}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    process = Process(unit, cable, began_s=began_s, speed=options.speed, script=script, seed=options.seed)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            process.run()
    finally:
        cable.unplug()  # a link left behind would lead to whatever terminal is opened next
