"""One van: a unit's agent and uplink as real processes, its own link, and a nurse who never stops asking."""

import asyncio
import contextlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from chaos.hostile import Material, hostile_uplink
from cli.rehearsal.link_cutter import LinkCutter
from cli.rehearsal.processes import Keeper, qafila
from edge.config import Places
from edge.localapi.client import AgentUnreachable, Api, connect
from edge.records.identity import request_digest
from torture.nurse import ALERT, Identity, Nurse, identities
from torture.unit import PIN, USER

_AGAIN_S: Final = 0.05
_BACKOFF_MAX_S: Final = "1"
_COMES_AGAIN: Final = 0.4
"""The part of the visits whose patient was here before; only of those may values be purged."""
_KEEPING: Final = "\n[keeping]\nvalues_days = 30\nwaves_days = 1\nframes_days = 1\n"


class Worker(Nurse):
    """Registers, measures and closes; some people come more than once.

    Attributes:
        told: which entries were said to be saved, by the request's digest, in hex.
    """

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self.told: dict[str, frozenset[Identity]] = {}
        super().__init__()

    def _work(self) -> Iterator[tuple[str, dict[str, Any]]]:
        patient: str | None = None
        while True:
            if patient is None or self._dice.random() >= _COMES_AGAIN:
                yield (
                    "patient.register",
                    {"family": f"Family {self.visits}", "given": "Zahra", "sex": "female"},
                )
                patient = str(self._answer["patient"])
            yield "encounter.open", {"patient": patient}
            encounter = self._answer["encounter"]
            for tenth in range(self._dice.randint(1, 4)):
                values = [{"code": "temp", "value": f"36.{tenth}"}, {"code": "pain", "value": str(tenth)}]
                yield "observe", {"encounter": encounter, "values": values}
            if self._dice.random() < 0.3:
                yield "alert.raise", {"patient": patient, "encounter": encounter, "code": ALERT}
            yield "encounter.close", {"encounter": encounter}
            self.visits += 1

    async def ask(self, api: Api) -> None:
        """One request, to its answer; what is told is kept."""
        await super().ask(api)
        saved = frozenset(identities(self._answer["saved"]))
        self.told[request_digest(self.request).hex()] = saved


class Van:
    """A unit with everything that runs in it.

    Args:
        home: the unit's home, already enrolled.
        link: what stands between it and the broker.
    """

    def __init__(self, name: str, home: Path, keeper: Keeper, link: LinkCutter, dice: random.Random) -> None:
        self.name = name
        self.home = home
        self.places = Places.at(home)
        self.link = link
        self.worker = Worker(dice)
        self._keeper = keeper
        self._dice = dice
        with self.places.config.open("a", encoding="utf-8") as config:
            config.write(_KEEPING)

    @property
    def agent(self) -> str:
        """What its agent's process is called."""
        return f"{self.name}-agent"

    @property
    def uplink(self) -> str:
        """What its uplink's process is called."""
        return f"{self.name}-uplink"

    def start(self) -> None:
        """Start both processes."""
        self._keeper.start(self.agent, qafila(self.home, "agent"))
        self._keeper.start(self.uplink, qafila(self.home, "uplink", "--backoff-max", _BACKOFF_MAX_S))

    async def work(self, pause_s: float, stop: asyncio.Event) -> None:
        """Ask until told to stop; after a kill sign in again and ask again what was not answered."""
        while not stop.is_set():
            with contextlib.suppress(AgentUnreachable):
                async with connect(self.places.socket) as api:
                    await api.call("sign-in", user=USER, pin=PIN)
                    while not stop.is_set():
                        await self.worker.ask(api)
                        await asyncio.sleep(self._dice.uniform(0, 2 * pause_s))
            await asyncio.sleep(_AGAIN_S)
        await self._finish()

    async def streams(self) -> dict[str, Any]:
        """How far each stream is, as the agent says."""
        async with connect(self.places.socket) as api:
            await api.call("sign-in", user=USER, pin=PIN)
            return dict((await api.call("status"))["streams"])

    async def verify(self) -> bool:
        """Whether its chain verifies."""
        async with connect(self.places.socket) as api:
            await api.call("sign-in", user=USER, pin=PIN)
            return bool((await api.call("store.verify"))["valid"])

    def lose_notes(self) -> None:
        """The uplink's own notes are gone; it is not running."""
        (self.places.uplink / "brokers.json").unlink(missing_ok=True)

    def lose_files(self) -> None:
        """Some files of the spool are gone, as after a check of a damaged card: a cache, not a truth."""
        for path in list(self.places.spool_out.iterdir()):
            if path.is_file() and self._dice.random() < 0.5:
                path.unlink(missing_ok=True)

    def lose_receipts(self) -> None:
        """What has come and was not read yet is gone."""
        for path in list(self.places.spool_in.iterdir()):
            if path.is_file() and "-" in path.name:
                path.unlink(missing_ok=True)

    def deceive(self, material: Material) -> None:
        """The uplink is in a stranger's hands for a moment."""
        hostile_uplink(self.places.spool_in, self._dice.randbytes(8).hex(), material, self._dice)

    async def _finish(self) -> None:
        """Ask what is open once more, to its answer."""
        while self.worker.pending is not None:
            with contextlib.suppress(AgentUnreachable):
                async with connect(self.places.socket) as api:
                    await api.call("sign-in", user=USER, pin=PIN)
                    await self.worker.ask_what_is_open(api)
            await asyncio.sleep(_AGAIN_S)
