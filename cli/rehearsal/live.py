"""A live training screen in one command: everything as in the demo, at a person's pace and unbroken."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cli.rehearsal import script as scripts
from cli.rehearsal.broker import BrokerChoice, choose
from cli.rehearsal.processes import Keeper, screen
from cli.rehearsal.script import STRAP, Script
from cli.rehearsal.seat import Seat
from cli.rehearsal.stage import LIVE, Stage

PATIENTS: Final = 6
_TYPED: Final = (("bp.sys", 128), ("bp.dia", 79), ("temp", 371), ("rr", 16))
"""What the first patients brought along; a decimal of tenths for the temperature."""


def open_live_screen(*, language: str, seed: int, broker: BrokerChoice) -> int:
    """Build everything in a folder that is removed afterwards, and show the screen on it.

    Returns:
        The screen's exit status.

    Raises:
        QafilaError: it could not be built; which part failed and where to look.
    """
    kind = choose(broker)
    script = scripts.write(seed, PATIENTS)
    for number in (signal.SIGTERM, signal.SIGHUP):  # a closed window must not leave a broker running
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    with TemporaryDirectory(prefix="qafila-screen-") as folder:
        home = Path(folder)
        (home / "rehearsal").mkdir()
        with Keeper(home / "log", lambda _pid: None) as keeper:
            print(
                "A unit, its devices, a broker and a centre are being made ...", file=sys.stderr, flush=True
            )
            asyncio.run(_prepare(Stage(home, script, kind, keeper, LIVE), script))
            return _show(home, script, language)


async def _prepare(stage: Stage, script: Script) -> None:
    await stage.build()
    async with Seat(stage.socket, user=script.user, pin=script.pin, topics=[]) as seat:
        await seat.sit()
        *earlier, present = script.visits
        for visit in earlier:
            encounter = await _begin(seat, visit)
            values = [
                {"code": code, "value": f"{number / 10:.1f}" if code == "temp" else str(number)}
                for code, number in _TYPED
            ]
            await seat.ask("observe", encounter=encounter, values=values)
            await seat.ask("encounter.close", encounter=encounter)
        await _begin(seat, present)
        # What is put on before a visit begins belongs to nobody yet, so the sensors come now.
        stage.order(present.oximeter, "finger on")
        stage.order(STRAP, "contact on")


async def _begin(seat: Seat, visit: scripts.Visit) -> str:
    person = visit.person
    patient = await seat.ask(
        "patient.register",
        family=person.family,
        given=person.given,
        sex=person.sex,
        birth=person.birth,
        identifiers=[{"system": "cnie", "value": person.identifier}],
        phone=person.phone,
        village=person.village,
    )
    return str((await seat.ask("encounter.open", patient=patient["patient"]))["encounter"])


def _show(home: Path, script: Script, language: str) -> int:
    """The PIN goes through a pipe: neither arguments nor environment ever hold it."""
    reading, writing = os.pipe()
    os.write(writing, f"{script.user}\n{script.pin}\n".encode())
    os.close(writing)
    command = screen(home, "--language", language, "--sign-in-fd", str(reading))
    try:
        return subprocess.run(command, pass_fds=(reading,), check=False).returncode
    finally:
        os.close(reading)
