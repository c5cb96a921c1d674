"""Every kind of device at once, in one visit, on a real terminal: whatever one of them says can be seen."""

import asyncio
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from drivers.registry import KINDS
from edge.localapi.client import Api
from tests.system.test_ble_scenario import (
    PATIENCE_S,
    PIN,
    home,
    present,
    process,
    show_no_number,
    signed_in,
    until,
)
from tests.tui.terminals import Terminal

__all__ = ["home"]
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        shutil.which("tmux") is None and "CI" not in os.environ, reason="tmux is not installed"
    ),
    pytest.mark.timeout(300),
]

WORN: Final = {
    "oximeter-1", "oximeter-2", "oximeter-3", "oximeter-4", "oximeter-5", "ring-1", "strap-1", "strap-2",
}  # fmt: skip
OMRON: Final = "cuff-3"
GPS: Final = "gps-1"
VALUE: Final = re.compile(r"\b(BP \d+/\d+|SpO₂ \d+|HR \d+|Temp \d+\.\d|Weight \d+\.\d|Glucose \d+)")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path, 160, 48)
    yield made
    made.end()


def sign_in_and_begin(terminal: Terminal, home: Path) -> None:
    terminal.type(f"{sys.executable} -m cli.main tui --language en --home {home}; echo rc=$?")
    terminal.keys("Enter")
    terminal.until("PIN")
    terminal.type("amina")
    terminal.keys("Enter")
    terminal.type(PIN)
    terminal.keys("Enter")
    terminal.until("F2 new")
    terminal.keys("F2")
    terminal.type("Alaoui")
    terminal.keys("Enter")
    terminal.type("Zahra")
    terminal.keys("Enter", "f", "Enter")
    terminal.type("1991")
    terminal.keys("F12")
    terminal.until("Readings saved")


def seen_in_list(terminal: Terminal, devices: set[str]) -> set[str]:
    """Devices whose entry, from its name to the next one's, holds a value; all pages of what is shown."""
    found: set[str] = set()
    for _ in range(40):
        for key, told in entries(terminal.shown(), devices):
            if VALUE.search(told):
                found.add(key)
        if "▼" not in terminal.shown():
            break
        terminal.keys("PageDown")
        time.sleep(0.1)
    terminal.keys("Home")
    return found


def entries(shown: str, devices: set[str]) -> Iterator[tuple[str, str]]:
    """The lines of the list of devices, each as its device and what is told of it."""
    key, told = "", ""
    for line in shown.splitlines():
        first = line.strip("│ ").split(" ")[0]
        if first in devices:
            if key:
                yield key, told
            key, told = first, ""
        told += line
    if key:
        yield key, told


async def clock_is_known(api: Api) -> bool:
    """Whether the receiver's time has been found to be the box's: what is sent before is not compared."""
    return bool((await api.call("status"))["clock"]["quality"] == "gnss")


async def all_of(wanted: set[str], look: Callable[[], set[str]], terminal: Terminal) -> None:
    """Look until each has been seen once."""
    give_up, seen = time.monotonic() + PATIENCE_S, set[str]()
    while True:
        seen |= await asyncio.to_thread(look)
        if seen >= wanted:
            return
        assert time.monotonic() < give_up, f"not seen: {wanted - seen}\n{terminal.shown()}"
        await asyncio.sleep(0.5)


async def test_each_of_seventeen_devices_is_seen_with_its_value(home: Path, terminal: Terminal) -> None:
    with process(home, "sim", "run", "every-device", "--write", "--json") as sim:
        ready = sim.first_line()
        devices = {device["key"]: device["kind"] for device in ready["devices"]}
        assert set(devices.values()) == set(KINDS)
        assert ready["to_be_paired"] == [OMRON]
        async with asyncio.timeout(2 * PATIENCE_S):
            with process(home, "agent"):
                async with signed_in(home) as api:
                    await api.call("device.pair", device=OMRON)
                    await until(lambda: present(api, {*WORN, "board-1", "monitor-1", "cuff-2"}))
                    await until(lambda: clock_is_known(api))
                    await asyncio.to_thread(sign_in_and_begin, terminal, home)
                    # what was put on before the visit began belongs to nobody; all of it is put on now
                    sim.say("all sensor off")
                    await show_no_number(api, WORN)
                    sim.say("all sensor on")
                    terminal.keys("F3")  # nothing is asked: by the receiver's time she is grown up
                    await asyncio.to_thread(terminal.until, "F3 STOP BP")
                    sim.say("all measure")  # F3 would stop a cuff that was begun at its own button
                    terminal.keys("F6")
                    await asyncio.to_thread(terminal.until, "Devices: 17")
                    # an Omron cuff's measurement has a time of its own, and nobody has told ours: it may be
                    # anyone's, and a person says whose it is
                    telling = devices.keys() - {GPS, OMRON}
                    await all_of(telling, lambda: seen_in_list(terminal, set(devices)), terminal)
                    shown = terminal.until(
                        lambda shown: re.search(r"Place: -?\d+\.\d{3}; -?\d", shown) is not None
                    )
                    assert re.search(rf"{GPS}  nmea-gps  present", shown)
                    # and each is stored in this visit, and reached in the list of what is
                    terminal.keys("Escape")
                    await asyncio.to_thread(terminal.until, "Readings saved")
                    await asyncio.to_thread(give_from_tray, terminal, OMRON)
                    await all_of(telling | {OMRON}, lambda: seen_stored(terminal, set(devices)), terminal)
                    shown = terminal.shown()
                    for tile in (
                        "BP mmHg",
                        "SpO₂ %",
                        "Pulse /min",
                        "HR /min",
                        "Temp °C",
                        "RR /min",
                        "Glucose mg/dL",
                    ):
                        assert tile in shown
                    assert "Weight 64" in shown
                    await api.call("sign-in", user="amina", pin=PIN)  # nobody asked for long
                    encounter = (await api.call("snapshot"))["encounter"]
                    tell_of_one_person(await api.call("encounter.show", encounter=encounter))
                    terminal.keys("F10", "F10")
                    await asyncio.to_thread(terminal.until, "Quit?")
                    terminal.keys("Enter")
                    await asyncio.to_thread(terminal.until, "rc=0")
    assert terminal.sane()


def tell_of_one_person(visit: dict[str, Any]) -> None:
    """The woman of the scenario, by whatever measured her."""
    of: dict[str, list[float]] = {}
    for each in visit["observations"]:
        assert each["source"] == "simulated"
        if "value" in each:
            of.setdefault(each["code"], []).append(float(each["value"]))
    for code, expected, within in (
        ("spo2", 98, 2), ("pulse.spo2", 71, 9), ("hr", 71, 12), ("pulse.nibp", 71, 12), ("bp.sys", 118, 12),
        ("bp.dia", 76, 9), ("temp", 36.7, 0.4), ("weight", 64.2, 0.4), ("glucose", 91, 9), ("rr", 15, 4),
    ):  # fmt: skip
        assert of[code], code
        assert all(abs(value - expected) <= within for value in of[code]), (code, of[code])
    assert len(of["spo2"]) >= 6


def give_from_tray(terminal: Terminal, device: str) -> None:
    """Mark the entry of this device, and say that it is the patient's."""
    terminal.keys("t")
    shown = terminal.until(f" {device} ")
    number = 0
    for line in shown.splitlines():
        begun = re.search(r"\[ \] +(\d+) ", line)
        number = int(begun[1]) if begun else number
        if f" {device} " in line:
            break
    assert number
    terminal.keys(*["Down"] * (number - 1), "Space")
    terminal.until("[x]")
    terminal.keys("Enter")
    terminal.until(lambda shown: "BP 1" in shown and "yes, these are theirs" in shown)
    terminal.keys("Enter")
    terminal.until(lambda shown: "yes, these are theirs" not in shown and f" {device} " not in shown)
    terminal.keys("Escape")
    terminal.until("Readings saved")


def seen_stored(terminal: Terminal, devices: set[str]) -> set[str]:
    found: set[str] = set()
    for _ in range(60):
        shown = terminal.shown()
        found |= {key for key in devices if re.search(rf"\b{key} ", shown)}
        if "▼" not in shown:
            break
        terminal.keys("PageDown")
        time.sleep(0.1)
    terminal.keys("Home")
    return found
