"""What somebody does with one device that is there: listen, test, record, measure."""

import asyncio
import base64
import contextlib
from typing import Final

from edge.agent.audience import Audience
from edge.agent.commands.devices import (
    LOOK_EVERY_S,
    USELESS,
    DeviceCommands,
    is_bluetooth,
    no_such_device,
)
from edge.agent.ledger import Ledger
from edge.agent.permissions import Role
from edge.agent.refusals import CannotMeasure, DeviceBusy, NotAllowed
from edge.agent.selfcheck import Seen, judged, passed
from edge.agent.supervisor import Look
from edge.ports.caller import Answer, Call
from edge.ports.driver import CuffMode, Measures
from edge.security.recordings import SUPERVISOR, TECHNICIAN, About, Writer, about_of, unwrap

CHUNK_EVERY_S: Final = 0.5
MOST_WAITING: Final = 512 * 1024
"""Bytes of trace between two chunks: a hundred times what the fastest device sends."""


class WatchCommands:
    """Commands on one device."""

    def __init__(self, ledger: Ledger, audience: Audience, bench: DeviceCommands, unit: str) -> None:
        self._ledger = ledger
        self._audience = audience
        self._bench = bench
        self._unit = unit
        self._recorded: set[str] = set()

    async def listen(self, call: Call, *, device: str) -> Answer:
        """Send this connection what the device says from now on; to a technician only between visits."""
        self._bench.known(device)
        if not _cares(call):
            self._bench.refuse_during_visit()
        await self._ledger.audit(call, call.method, device)
        self._audience.listen(call.caller, device)
        return {}

    async def measure(self, call: Call, *, device: str, mode: str) -> Answer:
        """Tell the device to measure; what comes of it comes as its readings."""
        driver = self._measuring(device)
        await self._ledger.audit(call, call.method, device)
        await driver.measure(CuffMode(mode))
        return {}

    async def stop(self, call: Call, *, device: str) -> Answer:
        """Let the air out now. Told first, written down after: an arm does not wait for a disk."""
        await self._measuring(device).stop()
        await self._ledger.audit(call, call.method, device)
        return {}

    def _measuring(self, device: str) -> Measures:
        driver = self._bench.known(device).driver
        if not isinstance(driver, Measures):
            raise CannotMeasure
        return driver

    async def test(self, call: Call, *, device: str, seconds: int) -> Answer:
        """Open the device anew and see how far it comes."""
        known = self._bench.known(device)
        self._bench.refuse_during_visit()
        await self._ledger.audit(call, call.method, device)
        self._bench.workshop.try_again(known.port)
        look = await self._bench.supervisor.reopen(device)
        ready = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while _silent(look) and not _useless(look) and not call.caller.closed:
                    ready = ready or (look.ended == 0 and self._bench.supervisor.ready(device))
                    await asyncio.sleep(LOOK_EVERY_S)
        if device not in self._bench.devices:
            raise no_such_device()
        checked = judged(
            Seen(
                is_bluetooth(known.port),
                ready,
                look.error,
                self._bench.supervisor.identity(device),
                look.reading,
                look.place,
            )
        )
        return {
            "device": device,
            "passed": passed(checked),
            "steps": [
                {
                    "step": each.step.value,
                    "result": each.result.value,
                    "code": each.code,
                    "sentence": each.sentence,
                    "hint": each.hint,
                }
                for each in checked
            ],
        }

    # ── recordings ───────────────────────────────────────────────────────────────────────────────

    async def record(self, call: Call, *, device: str, seconds: int) -> Answer:
        """Record what passes between a device and its driver, and send it sealed, chunk by chunk.

        The device is opened anew, so that the recording begins with how it is met. A technician's
        recording ends when a visit begins.
        """
        known = self._bench.known(device)
        by_technician = not _cares(call)
        if by_technician or self._bench.capture.visit is None:
            self._bench.refuse_during_visit()
        if device in self._recorded:
            raise DeviceBusy("The device is being recorded already.", next_step="Wait until that is over.")
        await self._ledger.audit(call, call.method, device)
        opens = TECHNICIAN if by_technician else SUPERVISOR
        about = About(self._unit, device, known.driver.kind, self._ledger.now().wall_ms, opens)
        writer = await self._ledger.do(lambda opened: Writer(about, opened.key))
        recording = _Recording(call, device, writer)
        self._recorded.add(device)
        self._bench.workshop.record(device, recording.take)
        try:
            recording.post(writer.start)
            await self._bench.supervisor.reopen(device)
            why = await self._until_over(recording, call, seconds, by_technician=by_technician)
        finally:
            self._bench.workshop.record(device, None)
            self._recorded.discard(device)
        recording.flush(last=True)
        return {
            "device": device,
            "kind": about.kind,
            "lines": recording.lines,
            "pieces": recording.pieces,
            "ended": why,
        }

    async def open_recording(self, call: Call, *, head: str) -> Answer:
        """The key of a recording that was made here, for whom it may be opened by."""
        raw = base64.b64decode(head)
        about = about_of(raw)
        if about.opens != TECHNICIAN and not _cares(call):
            raise NotAllowed
        await self._ledger.audit(call, call.method, about.device)
        key = await self._ledger.do(lambda opened: unwrap(raw, opened.key))
        return {"key": key.hex()}

    async def _until_over(
        self, recording: "_Recording", call: Call, seconds: int, *, by_technician: bool
    ) -> str:
        now_s = asyncio.get_running_loop().time
        until_s = now_s() + seconds
        while now_s() < until_s:
            if call.caller.closed:
                return "closed"
            if by_technician and self._bench.capture.visit is not None:
                return "visit-opened"
            if recording.overrun:
                return "too-much"
            await asyncio.sleep(min(CHUNK_EVERY_S, max(0.0, until_s - now_s())))
            recording.flush()
        return "time"


class _Recording:
    """Collects a trace and posts it sealed."""

    def __init__(self, call: Call, device: str, writer: Writer) -> None:
        self.lines = 0
        self.pieces = 0
        self.overrun = False
        self._call = call
        self._device = device
        self._writer = writer
        self._waiting = bytearray()

    def take(self, line: bytes) -> None:
        """One line of the trace."""
        if len(self._waiting) + len(line) > MOST_WAITING:
            self.overrun = True
            return
        self._waiting += line
        self.lines += 1

    def flush(self, *, last: bool = False) -> None:
        if self._waiting or last:
            self.post(self._writer.chunk(bytes(self._waiting), last=last))
            self._waiting.clear()

    def post(self, piece: bytes) -> None:
        self.pieces += 1
        data = {"device": self._device, "piece": base64.b64encode(piece).decode()}
        self._call.caller.post("recorded", data)


def _silent(look: Look) -> bool:
    return look.reading is None and look.place is None


def _useless(look: Look) -> bool:
    return look.error is not None and look.error.stable_code in USELESS


def _cares(call: Call) -> bool:
    person = call.caller.person
    return person is not None and person.role in {Role.NURSE, Role.SUPERVISOR}
