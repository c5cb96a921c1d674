"""How the unit is, for anybody who may connect: nothing of a patient."""

import asyncio
from typing import Final, NamedTuple

from edge.agent import health, openmetrics, view
from edge.agent.capture import Capture
from edge.agent.commit import OpenStore, StoreRoom
from edge.agent.health import HealthLog, Kept
from edge.agent.keeping import ERASURE_WAITS
from edge.agent.ledger import Ledger
from edge.agent.locks import Locks
from edge.agent.mail import Refusals
from edge.agent.parts import Parts
from edge.agent.refusals import StoreLocked
from edge.agent.states import Progress
from edge.agent.supervisor import Supervisor
from edge.agent.unlocking import Unlocking
from edge.ports.caller import Answer, Call, Json
from edge.records.fields import Stream
from edge.store.errors import StoreError
from edge.store.rows import Fork

METRICS_EVERY_S: Final = 60.0
"""How often what the uplink publishes is written."""


class _Seen(NamedTuple):
    """What the open store tells of the unit."""

    progress: dict[Stream, Progress]
    waves: int
    problem: str | None
    forked: Fork | None
    erasures: bool
    kept: Kept


class StatusCommands:
    """The commands that need no session, and what the centre hears of a unit.

    Attributes:
        log: when the centre hears of it.
    """

    def __init__(
        self,
        parts: Parts,
        room: StoreRoom,
        ledger: Ledger,
        unlocking: Unlocking,
        supervisor: Supervisor,
        capture: Capture,
        locks: Locks,
        refusals: Refusals,
    ) -> None:
        self._parts = parts
        self._room = room
        self._ledger = ledger
        self._unlocking = unlocking
        self._supervisor = supervisor
        self._capture = capture
        self._locks = locks
        self._refusals = refusals
        self._written_s: float | None = None
        self.log: Final = HealthLog()

    async def status(self, call: Call) -> Answer:
        """What anybody may know who may connect; the place only for somebody who is signed in."""
        place = self._ledger.whereabouts.now(self._parts.clock.monotonic_s())
        return {**await self._facts(), "place": None if call.caller.person is None else view.place(place)}

    async def metrics(self, _call: Call) -> Answer:
        """The same as OpenMetrics text."""
        return {"text": openmetrics.text(await self._facts())}

    async def publish(self) -> None:
        """Put the text where the uplink finds it, every minute, where it is to be published.

        Raises:
            SpoolFailed: the spool takes no file.
        """
        now_s = self._parts.clock.monotonic_s()
        if not self._parts.publishes or (
            self._written_s is not None and now_s - self._written_s < METRICS_EVERY_S
        ):
            return
        text = openmetrics.text(await self._facts())
        await asyncio.to_thread(self._parts.outbox.note_metrics, text)
        self._written_s = now_s

    def keep_up(self, opened: OpenStore) -> None:
        """In the store's thread: let the centre hear how the unit is, where it is time.

        Raises:
            StoreError: it is not written; asked for again.
        """
        wrong: list[Json] = [*self._notes(opened), self._room.saves.problem or opened.sealing.problem]
        now_s = self._parts.clock.monotonic_s()
        if not self.log.due(opened, wrong, now_s):
            return
        moment = self._ledger.now()
        seen = self._look(opened)
        waits: list[Json] = [
            [stream.word, each.tip - each.opened, _age_s(seen.kept.oldest_ms[stream], moment.wall_ms)]
            for stream, each in seen.progress.items()
            if each.tip > each.opened
        ]
        devices: list[Json] = [
            [each["key"], each["kind"], each["state"], each.get("code") or ""]
            for each in self._supervisor.shown()
            if isinstance(each, dict)
        ]
        facts: dict[str, Json] = {
            "version": self._parts.version,
            "store_bytes": seen.kept.store_bytes,
            "free_bytes": seen.kept.free_bytes,
            "disk_days": seen.kept.days,
            "certificate_days": health.days_until(self._parts.certificate_until_ms(), moment),
            "waits": waits,
            "devices": devices,
            "refused": [[code, count] for code, count in sorted(self._refusals.counts.items())],
            "wrong": [each for each in wrong if each is not None],
        }
        self.log.tell(opened, facts, wrong, moment, now_s)

    async def _facts(self) -> dict[str, Json]:
        now = self._ledger.now()
        streams: dict[str, Json] = {}
        waves: Json = None
        history: Json = None
        disk: Json = None
        problem = self._room.saves.problem
        notes = await asyncio.to_thread(self._parts.notes)
        try:
            seen = await self._ledger.do(self._look)
            if seen.erasures:
                notes.append(ERASURE_WAITS)
            history = None if seen.forked is None else view.fork(seen.forked)
            streams = view.streams(seen.progress, seen.kept.oldest_ms)
            waves = {"saved": seen.waves, "recording": list(self._capture.recorder.recording)}
            disk = health.shown(seen.kept)
            problem = problem or seen.problem
        except StoreLocked:
            missing = await asyncio.to_thread(self._parts.preconditions)
            problem = problem if missing is None else missing.stable_code
        except StoreError as error:
            problem = error.stable_code
        return {
            "unit": self._parts.unit,
            "realm": self._parts.realm,
            "locked": self._unlocking.locked,
            "screen_lock_s": int(self._locks.screen_s),
            "version": self._parts.version,
            "clock": {
                "wall_ms": now.wall_ms,
                "quality": now.quality.name.lower(),
                "off_ms": self._ledger.better_clock.off_ms(now.boot),
            },
            "devices": self._supervisor.shown(),
            "streams": streams,
            "enrolled": self._parts.enrolled() is not None,
            "link": view.link(self._ledger.link),
            "visit_open": self._capture.visit is not None,
            "refusals": dict(self._refusals.counts),
            "problem": problem,
            "notes": notes,
            "waves": waves,
            "forked": history,
            "disk": disk,
            "receipt_ms": self.log.receipt_ms,
            "certificate_days": health.days_until(self._parts.certificate_until_ms(), now),
        }

    def _look(self, opened: OpenStore) -> _Seen:
        progress = self._ledger.progress(opened.store)
        return _Seen(
            progress,
            opened.store.count_waveforms(),
            opened.sealing.problem,
            opened.store.last_fork(),
            bool(opened.store.erasures_waiting()),
            health.look(opened.store, progress),
        )

    def _notes(self, opened: OpenStore) -> list[str]:
        return [*self._parts.notes(), *([ERASURE_WAITS] if opened.store.erasures_waiting() else [])]


def _age_s(since_ms: int | None, now_ms: int) -> int:
    """Seconds since then; -1 where nobody knows when it was."""
    return -1 if since_ms is None else max(0, (now_ms - since_ms) // 1000)
