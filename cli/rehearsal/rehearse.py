"""The rehearsal from beginning to end: build the stage, play the morning, wait, judge, search."""

import asyncio
import dataclasses
import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, Final

from cli.rehearsal import script as scripts
from cli.rehearsal.broker import BrokerChoice, BrokerKind, choose
from cli.rehearsal.nurse import Nurse
from cli.rehearsal.oracle import COUNTED, Centre, Verdict, captured, judge
from cli.rehearsal.processes import Keeper, RehearsalFailed
from cli.rehearsal.procfs import ProcessWatcher
from cli.rehearsal.progress import Progress
from cli.rehearsal.proof import Proof
from cli.rehearsal.recorder import Recorder, RecorderLog
from cli.rehearsal.scanner import Hit, Scanner, by_canary, spellings
from cli.rehearsal.script import Fault, Pause, Script, Visit
from cli.rehearsal.seat import Seat
from cli.rehearsal.spy import Spy
from cli.rehearsal.stage import REALM, Breakages, Stage
from edge.errors import QafilaError

ARRIVED_WITHIN_S: Final = 30.0
"""How long the centre is given, after the last visit, to hold what was captured."""
RECEIPTS_WITHIN_S: Final = 15.0
"""How long the unit is then given to hear of it."""
_LOOK_EVERY_S: Final = 0.25
_WATCH_EVERY_S: Final = 0.25


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """What a rehearsal is asked to be."""

    patients: int
    seed: int
    broker: BrokerChoice


class KeepRefused(QafilaError):
    """The rehearsal is not kept there; nothing was touched."""

    code: ClassVar[str] = "keep-not-empty"


def rehearse(options: Options, keep: Path | None) -> Proof:
    """Play one rehearsal, in ``keep`` or in a folder that is removed afterwards.

    Raises:
        KeepRefused: ``keep`` is there and holds something.
        QafilaError: the rehearsal could not be played to its end.
    """
    kind = choose(options.broker)
    with ExitStack() as cleanup:
        if keep is None:
            home = Path(cleanup.enter_context(TemporaryDirectory(prefix="qafila-demo-")))
        else:
            home = _empty_folder(keep.absolute())
        progress = Progress(options.patients + 2)
        cleanup.callback(progress.clear)
        try:
            return asyncio.run(_until_asked_to_end(Rehearsal(home, options, kind, progress)))
        except BaseExceptionGroup as group:
            raise _first(group) from group
        except asyncio.CancelledError as cancelled:
            raise RehearsalFailed(
                "The rehearsal was asked to end before it had ended.",
                next_step="run it again and let it end; half a rehearsal proves nothing.",
            ) from cancelled


def _empty_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        empty = not any(folder.iterdir())
    except OSError as error:
        raise KeepRefused(
            f"Nothing can be kept in {folder}: {error.strerror}.",
            next_step="name a folder that is absent or empty.",
            code="keep-unusable",
        ) from error
    if not empty:
        raise KeepRefused(
            f"{folder} is not empty, and a rehearsal writes over nothing.",
            next_step="name a folder that is absent or empty.",
        )
    return folder


async def _until_asked_to_end(rehearsal: "Rehearsal") -> Proof:
    """Play; a request to end this process ends the play in order, as Ctrl-C does."""
    playing = asyncio.current_task()
    if playing is not None:  # pragma: no branch  there is always one
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)
    return await rehearsal.play()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one that tells a person most: trouble in words before anything else."""
    leaves = list(_leaves(group))
    return next((leaf for leaf in leaves if isinstance(leaf, QafilaError)), leaves[0])


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        inner: BaseExceptionGroup[BaseException] = error
        for nested in inner.exceptions:
            yield from _leaves(nested)
    else:
        yield error


@dataclasses.dataclass(frozen=True, slots=True)
class _Morning:
    """What only the living system can say, asked before it is stopped."""

    store_valid: bool
    bytes_up: int
    unit_knows: bool
    nurse: Nurse
    recorder: Recorder


class Rehearsal:
    """One rehearsal in one folder, which must exist and be empty.

    Args:
        home: the folder; ``central`` and ``rehearsal`` in it are the centre's and the rehearsal's own.
    """

    def __init__(self, home: Path, options: Options, kind: BrokerKind, progress: Progress) -> None:
        self._home = home
        self._options = options
        self._kind: BrokerKind = kind
        self._progress = progress
        self._script = scripts.write(options.seed, options.patients)
        self._own = home / "rehearsal"
        self._log = self._own / "recorder.jsonl"
        self._centre = Centre(home / "central" / "central.db")
        self._scanner = Scanner(self._script.canaries)
        self._hits: set[Hit] = set()

    async def play(self) -> Proof:
        """Play it all; every process is ended when this returns, however it ends.

        Raises:
            QafilaError: it could not be played to its end; what failed and where to look.
        """
        began = time.monotonic()
        self._own.mkdir()
        self._script.save(self._own / "script.json")
        with ProcessWatcher() as watcher:
            with Keeper(self._home / "log", watcher.add) as keeper:
                stage = Stage(self._home, self._script, self._kind, keeper)
                spy = Spy(stage.spy_port, self._own / "spy.bin", stage.spy_tls)
                async with asyncio.TaskGroup() as group:
                    watching = group.create_task(_keep_an_eye_on(keeper))
                    self._progress.say("making a unit and a centre")
                    stage.tell("curtain")
                    await stage.build()
                    with spy:
                        await keeper.wait(lambda: spy.listening, "the stranger to listen on the broker")
                        morning = await self._morning(stage)
                    watching.cancel()
            self._progress.step("searching for what must not be there")
            self._search_processes(watcher)
        self._search_files()
        control = self._control()
        proof = Proof(
            verdict=self._judge(),
            breakages=stage.breakages,
            planned=Breakages.planned(self._script),
            store_valid=morning.store_valid,
            wrong_values=_wrong_values(self._script, self._centre),
            plaintext_hits=len(self._hits),
            scanner_control=control,
            spied_messages=spy.messages,
            bytes_up=morning.bytes_up,
            claims=morning.recorder.claims,
            too_early=morning.recorder.too_early,
            unit_knows=morning.unit_knows,
            slips_refused=morning.nurse.slips_refused,
            confirmed=morning.nurse.confirmed,
            repeats_agreed=morning.nurse.repeats_agreed,
            broker=self._kind,
            patients=self._options.patients,
            seed=self._options.seed,
            seconds=time.monotonic() - began,
            canaries=self._script.canaries,
        )
        self._keep(proof)
        return proof

    async def _morning(self, stage: Stage) -> _Morning:
        """The visits, with a recorder beside."""
        log = RecorderLog(self._log)

        async def interrupt(visit: Visit, pause: Pause) -> None:
            for when, fault in visit.faults:
                if when is pause:
                    await stage.do(fault)
                    if fault is Fault.KILL_AGENT:
                        self._search_files()  # what a killed agent leaves behind it had no time to tidy

        user, pin = self._script.user, self._script.pin
        try:
            async with (
                Seat(stage.socket, user=user, pin=pin, topics=["saved"]) as her_seat,
                Seat(stage.socket, user=user, pin=pin, topics=Recorder.TOPICS) as its_seat,
                asyncio.TaskGroup() as group,
            ):
                recorder = Recorder(its_seat, log, self._centre)
                listening = group.create_task(recorder.listen())
                await recorder.ready.wait()
                nurse = Nurse(her_seat, log, stage.order, interrupt)
                for number, visit in enumerate(self._script.visits, start=1):
                    self._progress.step(f"patient {number} of {self._options.patients}")
                    stage.tell(f"patient {number}")
                    await nurse.visit(visit)
                self._progress.step("waiting for the centre")
                stage.tell("the last patient has gone")
                await recorder.take_snapshot()
                await self._until_received()
                stage.tell("the centre has what it is to have, or its time is up")
                unit_knows = await _until_the_unit_knows(her_seat)
                verified = await her_seat.ask("store.verify")
                bytes_up = await stage.bytes_up()
                listening.cancel()
                return _Morning(bool(verified["valid"]), bytes_up, unit_knows, nurse, recorder)
        finally:
            log.close()

    async def _until_received(self) -> None:
        """Until the centre's tables hold what was captured, or the time is up; the verdict will tell."""
        said = captured(self._log)
        give_up = time.monotonic() + ARRIVED_WITHIN_S
        while time.monotonic() < give_up:
            if said <= {row.identity for row in self._centre.rows()}:
                return
            await asyncio.sleep(_LOOK_EVERY_S)

    def _judge(self) -> Verdict:
        return judge(self._log, self._centre, realm=REALM)

    def _search_files(self) -> None:
        """Every file of unit, spool, devices, broker and logs as it is now; the PIN nowhere either."""
        leave_out = [self._own, self._home / "central"]
        secrets = Scanner(self._script.secrets)
        for scanner in (self._scanner, secrets):
            self._hits |= scanner.search_tree(self._home, leave_out=leave_out)
            self._hits |= scanner.search_file(self._own / "spy.bin", "what the stranger saw")
            self._hits |= scanner.search_file(self._own / "link.bin", "what went up the link")

    def _search_processes(self, watcher: ProcessWatcher) -> None:
        secrets = Scanner(self._script.secrets)
        for place, content in watcher.sightings():
            self._hits |= self._scanner.search(content, place) | secrets.search(content, place)

    def _control(self) -> bool:
        """Whether this scanner finds what is there: each spelling planted, each canary in the tables."""
        planted = self._own / "planted.txt"
        wanted = {canary: spellings(canary) for canary in self._script.canaries}
        planted.write_bytes(
            b"\n".join(
                needle for forms in wanted.values() for needles in forms.values() for needle in needles
            )
        )
        in_file = by_canary(self._scanner.search_file(planted, "planted"))
        in_tables = by_canary(
            hit
            for table, content in self._centre.everything()
            for hit in self._scanner.search(content, table)
        )
        return all(in_file.get(canary) == set(forms) for canary, forms in wanted.items()) and set(
            in_tables
        ) == set(wanted)

    def _keep(self, proof: Proof) -> None:
        (self._own / "proof.json").write_text(
            json.dumps(proof.as_json(), ensure_ascii=False, indent=1) + "\n"
        )
        (self._own / "proof.txt").write_text(proof.as_text() + "\n")
        hits = "".join(f"{hit.place}: {hit.encoding} of {hit.canary}\n" for hit in sorted(self._hits))
        (self._own / "hits.txt").write_text(hits)


async def _until_the_unit_knows(seat: Seat) -> bool:
    """Wait for the last signed receipts to come back; whether the unit now calls everything received."""
    give_up = time.monotonic() + RECEIPTS_WITHIN_S
    while time.monotonic() < give_up:
        streams = (await seat.ask("status"))["streams"]
        if all(streams[stream]["opened"] == streams[stream]["tip"] for stream in COUNTED):
            return True
        await asyncio.sleep(_LOOK_EVERY_S)
    return False


async def _keep_an_eye_on(keeper: Keeper) -> None:
    """Notice when a process ends by itself, so that nobody waits for it in vain."""
    while True:
        keeper.check_alive()
        await asyncio.sleep(_WATCH_EVERY_S)


def _wrong_values(script: Script, centre: Centre) -> int:
    """How many typed or measured values the centre does not show, once, under the person they are of."""
    shown = centre.values()
    return sum(
        not expected.fits(shown.get(visit.person.identifier, {}).get(expected.code, []))
        for visit in script.visits
        for expected in visit.expected
    )
