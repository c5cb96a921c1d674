"""Recording a device into a sealed file, opening it again, and playing it through the driver."""

import asyncio
import base64
import os
from pathlib import Path
from typing import Any, Final

from cli.asking import agent_runs, ask_agent_as
from cli.device_calls import ask, signed_in
from cli.files import FileRefused, write_new_file
from cli.signed_in import unlocked
from cli.waiting import waiting
from cli.workshop import checked_options, known_kind
from drivers.decoding import Decoded
from drivers.kinds import DriverContext
from drivers.setup import trace as traces
from drivers.setup.replay import OVER, ReplayLines
from edge.agent import payloads
from edge.clock import SystemClock
from edge.config import Places, load
from edge.errors import QafilaError
from edge.ports.driver import DeviceError, DeviceEvent
from edge.records.fields import Kind, Stream
from edge.records.people import user_id
from edge.security.recordings import MAGIC, RecordingRefused, Sealed, unwrap
from edge.vitals.place import Place
from edge.vitals.reading import Reading, Wave

MOST_BYTES: Final = 1 << 28


def record_to(places: Places, user: str, pin: str, key: str, file: Path, seconds: int) -> dict[str, Any]:
    """Record into a new file; what has come until Ctrl+C stays in it.

    Raises:
        FileRefused: something is there already, or the disk takes nothing.
        QafilaError: no agent, no such device, or not now; then there is no file.
    """
    descriptor = _new_file(file)
    pieces = 0
    with os.fdopen(descriptor, "wb") as written:

        async def on_event(name: str, data: dict[str, Any]) -> None:
            nonlocal pieces
            if name == "recorded" and data["device"] == key:
                written.write(base64.b64decode(data["piece"]))
                written.flush()
                pieces += 1

        async def run() -> dict[str, Any]:
            async with signed_in(places, user, pin) as api:
                return await ask(
                    api,
                    "device.record",
                    {"device": key, "seconds": seconds},
                    on_event=on_event,
                    until=lambda answer: pieces >= answer["pieces"],
                    for_s=seconds,
                )

        try:
            with waiting(
                f"Recording {key} into {file}. Ctrl+C ends it; what has come by then stays.", seconds
            ):
                answer = asyncio.run(run())
        except BaseException:
            if pieces == 0:
                file.unlink(missing_ok=True)
            raise
        written.flush()
        os.fsync(written.fileno())
    return {**answer, "file": str(file)}


def open_file(file: Path) -> tuple[bytes, Sealed | None]:
    """The file's content; taken apart when it is sealed.

    Raises:
        FileRefused, RecordingRefused.
    """
    try:
        if file.stat().st_size > MOST_BYTES:
            raise FileRefused(f"{file} is larger than a recording is.", next_step="Check the path.")
        content = file.read_bytes()
    except FileNotFoundError:
        raise FileRefused(
            f"There is no file {file}.", next_step="Check the path.", code="file-missing"
        ) from None
    except OSError as error:
        raise FileRefused(
            f"{file} cannot be read: {error.strerror}.", next_step="Check the medium."
        ) from None
    return content, Sealed.of_file(content) if content.startswith(MAGIC) else None


def unseal(places: Places, user: str, pin: str, sealed: Sealed) -> tuple[bytes, bool]:
    """The trace inside, and whether it is whole; by the agent, or with its lock while it is stopped.

    Raises:
        RecordingRefused: it was made on another unit, or is damaged.
        QafilaError: this person may not.
    """
    if agent_runs(places):
        head = base64.b64encode(sealed.head).decode()
        key = bytes.fromhex(ask_agent_as(places, user, pin, "recording.open", head=head)["key"])
    else:
        if sealed.about.opens == "supervisor":
            raise QafilaError(
                "A patient may be in this recording, and the agent that decides who may see it is stopped.",
                next_step="Start it with `qafila agent`.",
                code="agent-unreachable",
            )
        with unlocked(places, user, pin, "recording.open") as (_, store, store_key):
            key = unwrap(sealed.head, store_key)
            entry = payloads.stamp(SystemClock().now(), user_id(user))
            with store.write() as tx:
                access = payloads.access("recording.open", sealed.about.device)
                tx.append(Stream.AUDIT, Kind.ACCESS, entry | access)
    return sealed.open(key)


def write_trace(places: Places, file: Path, text: bytes) -> None:
    """Write an opened trace, in training only: of a production unit it is health data in the clear.

    Raises:
        QafilaError: it is a production unit.
        FileRefused: something is there already, or the disk takes nothing.
    """
    if load(places.config).unit.realm == "production":
        raise QafilaError(
            "A recording of a production unit is not written in the clear.",
            next_step="leave out --write-trace; make the recording for a regression test in training.",
            code="trace-refused",
        )
    write_new_file(file, text, mode=0o600)


def play(text: bytes, *, real_time: bool) -> dict[str, Any]:
    """Play a trace through its kind's driver; what came of it, as JSON.

    What unlocks a device is not in a trace (`drivers.setup.tap`), so the driver has as many zeros.

    Raises:
        RecordingRefused: it is no trace, or nothing passed while it was made (``recording-empty``).
        QafilaError: its kind is not known here.
    """
    if not text.strip():
        raise RecordingRefused(
            "The recording is empty: the device was not met while it was made.",
            next_step="Record again for longer, and use the device meanwhile.",
            code="recording-empty",
        )
    try:
        trace = traces.read(text)
    except traces.NoTrace as error:
        raise RecordingRefused(
            f"The file is no trace: {error}.",
            next_step="name a file of qafila devices record, or of replay --write-trace.",
            code="not-a-recording",
        ) from None
    kind = known_kind(trace.kind)
    lines = ReplayLines(trace, pace=1.0 if real_time else 0.0)
    first = str(trace.sessions[0][0].get("address") or "") if trace.sessions else ""
    port = first if first.startswith("/") else f"ble:{first}"
    context = DriverContext(
        "replay", port, lines=lines, options=checked_options(kind, trace.options), secret=kind.no_secret
    )
    driver = kind.make_driver(context)
    events: list[DeviceEvent] = []
    refused: list[str] = []

    async def run() -> str:
        for _ in trace.sessions:
            try:
                async with driver.session() as source:
                    async for event in source:
                        events.append(event)  # noqa: PERF401  what came before an error counts
            except DeviceError as error:
                if error.stable_code != OVER:
                    refused.append(error.stable_code)
        return refused[-1] if refused else OVER

    if real_time:
        with waiting(f"Playing {trace.kind} as fast as it was recorded.", trace.lasts_s):
            ended = asyncio.run(run())
    else:
        ended = asyncio.run(run())
    said = Decoded(
        tuple(event for event in events if isinstance(event, Reading)),
        waves=tuple(event for event in events if isinstance(event, Wave)),
        places=tuple(event for event in events if isinstance(event, Place)),
    )
    return {
        **said.as_json(trace.kind),
        "sessions": len(trace.sessions),
        "lasts_s": round(trace.lasts_s, 1),
        "differences": lines.differences,
        "ended": ended,
    }


def _new_file(file: Path) -> int:
    try:
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise FileRefused(
            f"{file} exists already and is never written over.",
            next_step="Choose another name.",
            code="file-exists",
        ) from None
    except OSError as error:
        raise FileRefused(
            f"{file} cannot be written: {error.strerror}.", next_step="Check the medium."
        ) from None
