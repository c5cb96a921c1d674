"""An old copy is put back, again and again: the store alone, the store with its spool, or a backup of it.

The agent is the real process, killed before its files are copied and before they are put back; the centre is
the collector's and the exploder's own code on a real database, fed with the files of the spool in the order
in which the uplink sends them, up to a moment that the dice choose. Receipted files go meanwhile, and what
was opened long ago by the centre's time is purged from the store.

What must be at the centre in the end, once each: everything that anybody was told is saved and that was
still somewhere after the copy had been put back (in the copy, in the spool, landed), and everything since.
"""

import asyncio
import dataclasses
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from edge.clock import Moment, SystemClock
from edge.config import Places
from edge.localapi.client import Api, new_request_id
from edge.records.fields import Stream
from edge.records.identity import request_digest
from edge.spool import SpoolName, parse
from edge.store import Store
from sync.central import database
from sync.central.exploder import Exploder
from sync.central.home import CentreHome, read_file
from sync.central.landing import Lander, Upward
from sync.central.receipts import ReceiptWriter, SignedReceipt
from sync.wire import batches, receipts, topics
from torture import unit
from torture.nurse import ALERT, Identity, identities
from torture.progress import Done, nobody
from torture.tally import Tally
from torture.unit import Agent

UNIT: Final = "van-07"
VISITS: Final = 20
"""After each time that a copy was put back."""
COPIES: Final = 4
"""So many are kept; any of them may be put back, also one from before an earlier time."""
_BACKED_UP: Final = 0.25
"""How many of them are backups, put back by the command; the others are copies of files."""
_PATIENCE_S: Final = 180.0
PROJECTED: Final = """
SELECT e.request, count(*) FROM entries AS e JOIN (
    SELECT unit, epoch, stream, seq, leaf FROM patients
    UNION ALL SELECT unit, epoch, stream, seq, leaf FROM encounters
    UNION ALL SELECT unit, epoch, stream, seq, leaf FROM observations
    UNION ALL SELECT unit, epoch, stream, seq, leaf FROM alerts
) AS p ON p.unit = e.unit AND p.epoch = e.epoch AND p.stream = e.stream AND p.seq = e.seq AND p.leaf = e.leaf
WHERE e.request IS NOT NULL GROUP BY e.request
"""
"""How many rows of care there are for each request, on either database."""


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """One request that was answered: which entries are saved under it."""

    request: str
    entries: frozenset[Identity]


class LeapingClock(SystemClock):
    """The centre's time, in which weeks pass at once: what was opened long ago is purged on the box."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead_ms = 0

    def leap(self, days: int) -> None:
        self._ahead_ms += days * 86_400_000

    def now(self) -> Moment:
        moment = super().now()
        return dataclasses.replace(moment, wall_ms=moment.wall_ms + self._ahead_ms)


class Centre:
    """Collector and exploder, their broker left out."""

    def __init__(self, directory: Path, spool: tuple[Path, Path]) -> None:
        home = CentreHome(Places.at(directory).central)
        settings = home.read_settings()
        realm = settings.realm
        clock = self.clock = LeapingClock()
        self._keyset = home.read_keyset(realm)
        self._out, self._in = spool
        landed, opened = (
            ReceiptWriter(level, realm, settings.generation, read_file(path))
            for level, path in (("landed", home.landed_key), ("opened", home.opened_key))
        )
        self._connection = database.connect(home.database)
        self._lander = Lander(self._connection, realm, clock, landed)
        self._exploder = Exploder(
            database.connect(home.database), realm, clock, read_file(home.seal_to_key), opened
        )

    def spooled(self) -> list[SpoolName]:
        """What lies in the spool, in order of sending."""
        return sorted(name for path in self._out.iterdir() if (name := parse(path.name)) is not None)

    def take(self, most: int) -> None:
        """Take so many files, and answer."""
        messages: list[Upward] = []
        for name in self.spooled()[:most]:
            try:
                content = (self._out / str(name)).read_bytes()
            except FileNotFoundError:
                continue  # receipted or merged meanwhile
            messages.append(Upward(topics.up(UNIT, name.word), content))
        self._answer(self._lander.land(messages))
        self._answer(self._exploder.round())
        while self._exploder.pending:
            self._answer(self._exploder.round())

    def remind(self) -> None:
        """What a broker has retained comes with every connection."""
        rows = self._connection.execute("SELECT unit, epoch, raw FROM receipts ORDER BY made_ms").fetchall()
        self._answer([SignedReceipt(*row) for row in rows])

    def reach(self, epoch: str) -> dict[str, int]:
        """The last entry of each stream of an epoch that has landed."""
        return dict(
            self._connection.execute(
                "SELECT stream, max(last) FROM landing WHERE epoch = ? GROUP BY 1", (epoch,)
            ).fetchall()
        )

    def landed(self) -> set[Identity]:
        """Every entry that has landed, opened or not."""
        rows = self._connection.execute("SELECT epoch, stream, first, last FROM landing").fetchall()
        return {(UNIT, epoch, stream, seq) for epoch, stream, a, z in rows for seq in range(a, z + 1)}

    def projected(self) -> Counter[str]:
        """How many rows there are for each request."""
        return Counter(dict(self._connection.execute(PROJECTED).fetchall()))

    def _answer(self, answers: list[SignedReceipt]) -> None:
        for answer in answers:
            receipt = receipts.verify(answer.raw, self._keyset, UNIT)
            name = f"{receipt.level}-{answer.epoch}-{receipt.generation}-{receipt.rseq:012d}"
            temporary = self._in / f".tmp-{name}"
            temporary.write_bytes(answer.raw)
            temporary.rename(self._in / name)


class Van:
    """One unit with its centre, through all its restorations."""

    def __init__(self, base: Path, seed: str) -> None:
        self._dice = random.Random(seed)  # noqa: S311  a seed, so that a round can be played again
        self._home = unit.make_unit(base)
        self._key = unit.store_key(self._home)
        with Places.at(self._home).config.open("a", encoding="utf-8") as config:
            config.write("\n[keeping]\nvalues_days = 30\nwaves_days = 1\nframes_days = 1\n")
        places = Places.at(self._home)
        self._store, self._database, self._out = places.store, places.database, places.spool_out
        self._centre = Centre(base / "centre", (places.spool_out, places.spool_in))
        self._in = places.spool_in
        self._copies: list[tuple[Path, list[Told]]] = []
        self._told: list[Told] = []
        self._delivered: set[str] = set()
        self._visits = 0
        self._round = 0
        self.acknowledged = 0
        self.forks = 0
        self.purged = 0
        self.broken: list[str] = []

    @property
    def expected(self) -> dict[str, int]:
        """How many rows each request is to have."""
        return {told.request: len(told.entries) for told in self._told}

    async def round(self) -> None:
        """Work, copy, work, put a copy back, work; in the end the centre has it all."""
        self._round += 1
        async with _agent(self._home) as api:
            await self._work(api, self._dice.randint(1, 3))
        kept = self._home.parent / f"copy-{self._round}"
        await asyncio.to_thread(shutil.copytree, self._store, kept / "store")
        await asyncio.to_thread(shutil.copytree, self._out, kept / "out")
        if self._dice.random() < _BACKED_UP:
            await asyncio.to_thread(self._qafila, "backup", str(kept))
        self._copies.append((kept, list(self._told)))
        async with _agent(self._home) as api:
            await self._work(api, self._dice.randint(0, 3))
            if self._dice.random() < 0.6:
                await self._carry(10_000)
        evident = self._put_back()
        async with _agent(self._home) as api:
            epoch = (await api.call("snapshot"))["epoch"]
            noticed = await self._forks(api) if evident else None
            if evident and noticed is None:
                await self._work(api, self._dice.choice((0, 3)), link=False)
                self._centre.remind()
                await self._read()
                noticed = await self._forks(api)
            if evident and noticed is None:
                self.broken.append(f"round {self._round}: nobody noticed, epoch {epoch}")
            self.forks += noticed is not None
            await self._work(api, VISITS)
            await self._deliver_all(api)
            purges = self._purges()
            for days in (2, 40):  # once a day is noted what has been opened by then; periods count from there
                self._centre.clock.leap(days)
                await self._work(api, 1)
                await self._deliver_all(api)
            await _until(lambda: self._purges() > purges, "the agent to purge")
            self._delivered = {each.request for each in self._told}
            if not (await api.call("store.verify"))["valid"]:
                self.broken.append(f"round {self._round}: the chain does not verify")
        await asyncio.to_thread(self._count_purged)
        for old, _ in self._copies[:-COPIES]:
            shutil.rmtree(old)
        del self._copies[:-COPIES]

    def _purges(self) -> int:
        """How often its agents said that they purged."""
        return (self._home.parent / "agent.log").read_text().count("old records purged")

    def _count_purged(self) -> None:
        store = Store.open(self._database, self._key)
        try:
            for stream in (Stream.VITALS, Stream.AUDIT):
                entries = store.entries(stream, 1, store.watermark(stream).tip)
                self.purged += sum(entry.payload is None for entry in entries)
        finally:
            store.close()

    def count(self) -> tuple[int, int]:
        """How many of the told entries have no row at the centre, and how many rows are too many."""
        there, expected = self._centre.projected(), self.expected
        lost = sum(max(0, n - there[request]) for request, n in expected.items())
        return lost, sum(max(0, n - expected.get(request, n)) for request, n in there.items())

    async def _work(self, api: Api, visits: int, *, link: bool = True) -> None:
        open_visit = (await api.call("snapshot"))["encounter"]
        if open_visit is not None:
            await self._ask(api, "encounter.close", encounter=open_visit)
        patient: str | None = None
        for number in range(visits):
            self._visits += 1
            family = f"Family {self._visits}"
            if patient is None or self._dice.random() < 0.7:  # else the same person comes once more
                name = {"family": family, "given": "Zahra", "sex": "female"}
                patient = (await self._ask(api, "patient.register", **name))["patient"]
            encounter = (await self._ask(api, "encounter.open", patient=patient))["encounter"]
            values = [{"code": "temp", "value": "36.9"}, {"code": "pain", "value": "2"}]
            await self._ask(api, "observe", encounter=encounter, values=values)
            if self._dice.random() < 0.5:
                await self._ask(api, "alert.raise", patient=patient, encounter=encounter, code=ALERT)
            if link and self._dice.random() < 0.3:
                await self._carry(self._dice.randint(1, 12))
            if number < visits - 1 or self._dice.random() < 0.7:  # else the battery dies during a visit
                await self._ask(api, "encounter.close", encounter=encounter)

    async def _ask(self, api: Api, method: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  as the call
        request = new_request_id()
        answer = await api.call(method, **fields, request_id=request)
        saved = frozenset(identities(answer["saved"]))
        self._told.append(Told(request_digest(request).hex(), saved))
        self.acknowledged += len(saved)
        return answer

    async def _carry(self, most: int) -> None:
        self._centre.take(most)
        await self._read()

    async def _read(self) -> None:
        await _until(lambda: not any(self._in.glob("*ed-*")), "the agent to read its receipts")

    async def _deliver_all(self, api: Api) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                await self._carry(10_000)
                streams = (await api.call("status"))["streams"]
                if all(streams[word]["opened"] == streams[word]["tip"] for word in ("alert", "vitals")):
                    return

    async def _forks(self, api: Api) -> dict[str, Any] | None:
        """What the agent says of the last time, if that is this one: the copy had said nothing of it."""
        forked: dict[str, Any] | None = (await api.call("status"))["forked"]
        return None if forked is None or forked["at_ms"] < self._put_back_ms else forked

    def _put_back(self) -> bool:
        """Put a copy back; whether anything shows that it is old."""
        self._put_back_ms = SystemClock().now().wall_ms
        copy, told = self._copies[-1] if self._dice.random() < 0.6 else self._dice.choice(self._copies)
        with_spool = self._dice.random() < 0.5
        backups = list(copy.glob("*.backup"))
        if backups:
            for file in self._store.glob(f"{self._database.name}*"):
                file.unlink()
            self._qafila("restore", str(backups[0]))
        else:
            shutil.rmtree(self._store)
            shutil.copytree(copy / "store", self._store)
        if with_spool:
            shutil.rmtree(self._out)
            shutil.copytree(copy / "out", self._out)
        store = Store.open(self._database, self._key)
        try:
            ahead, spooled = self._look_at_spool(store)
            reach = self._centre.reach(store.epoch.hex())
            tips = {stream.word: mark.tip for stream, mark in store.watermarks().items()}
        finally:
            store.close()
        still = self._centre.landed() | spooled
        kept = {each.request for each in told} | self._delivered
        self._told = [each for each in self._told if each.request in kept or each.entries <= still]
        return bool(backups) or ahead or any(last > tips[word] for word, last in reach.items())

    def _qafila(self, *words: str) -> None:
        """One of the commands on copies of the store, while no agent runs."""
        subprocess.run(
            [unit.QAFILA, "store", *words, "--user", unit.USER, "--pin-stdin", "--home", str(self._home)],
            input=unit.PIN + "\n",
            text=True,
            check=True,
            capture_output=True,
            timeout=120,
        )

    def _look_at_spool(self, store: Store) -> tuple[bool, set[Identity]]:
        ahead, there = False, set[Identity]()
        for name in self._centre.spooled():
            header = batches.read_header((self._out / str(name)).read_bytes())
            epoch, stream = header.epoch, header.stream
            if stream is None or header.first is None or header.last is None:
                ahead |= not store.has_epoch(epoch)
                continue
            there |= {(UNIT, epoch.hex(), stream.word, seq) for seq in range(header.first, header.last + 1)}
            if epoch == store.epoch:
                ahead |= header.last > store.watermark(Stream(stream)).tip
            else:
                ahead |= not store.has_epoch(epoch)
        return ahead, there


class _agent:  # noqa: N801  used like a function
    """The agent with somebody signed in, killed in the end as by a battery that dies."""

    def __init__(self, home: Path) -> None:
        self._agent = Agent(home)
        self._session = self._agent.signed_in()

    async def __aenter__(self) -> Api:
        return await self._session.__aenter__()

    async def __aexit__(self, *why: Any) -> None:  # noqa: ANN401, PYI036  handed on as they came
        try:
            await self._session.__aexit__(*why)
        finally:
            await asyncio.to_thread(self._agent.kill)


async def restore(base: Path, rounds: int, seed: str, done: Done = nobody) -> Tally:
    """Put copies back ``rounds`` times."""
    van = Van(base, seed)  # its database belongs to this thread
    for _ in range(rounds):
        await van.round()
        done()
    lost, doubled = van.count()
    broken = [f"{seed}: {what}" for what in van.broken]
    broken += [] if van.purged else [f"{seed}: nothing was purged"]
    broken += [f"{seed}: {lost} lost, {doubled} doubled"] if lost or doubled else []
    return Tally(rounds, van.acknowledged, lost, doubled, tuple(broken), van.forks)


async def _until(true: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while not true():  # noqa: ASYNC110  it is another process that does it
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited in vain for {what}") from None
