"""The way to the broker, step by step: its name, TCP, TLS, MQTT, the unit's rights there, and receipts.

While the uplink runs nobody else connects in the unit's name: what it says of its connection is taken. Else
the doctor connects as the uplink would, hears what is retained for the unit, publishes nothing and leaves.
"""

import dataclasses
import json
import os
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cli.doctor.asked import Asked
from cli.doctor.finding import Finding, Word, code, failed, passed, warned
from cli.doctor.stores import holder_of
from edge.agent.link import read_link
from edge.config import Places
from edge.ports.sealing import ReceiptRefused
from sync.boxend.pinned import Enrolment
from sync.uplink import sentences
from sync.uplink.connection import OTHER_PROTOCOL, Connection, LinkDown, Protocol
from sync.uplink.credentials import Credentials, key_file
from sync.uplink.notes import LINK_NAME
from sync.uplink.settings import Settings, parse
from sync.wire import receipts, topics
from sync.wire.certificate import Certificate

NAMES: Final = (
    "uplink", "broker-name", "broker-tcp", "broker-tls", "broker-mqtt", "broker-rights", "receipts",
)  # fmt: skip
STEPS: Final = NAMES[1:6]
WITHIN_S: Final = 2.8
_TCP_WITHIN_S: Final = 1.2
_LISTEN_S: Final = 0.5
_TRIES: Final = 5
_DAY_MS: Final = 86_400_000
LATE_MS: Final = 2 * _DAY_MS


@dataclasses.dataclass(frozen=True, slots=True)
class Uplink:
    """What the uplink's note says.

    Attributes:
        runs: whether it runs; None where that cannot be seen.
        connected: whether the broker has accepted it and its subscriptions.
        why: the code of why not.
    """

    runs: bool | None
    connected: bool = False
    why: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """How far one came.

    Attributes:
        done: the steps that were passed, in order.
        broken: the step that was not, if one was tried in vain.
        why: its code.
        tls: whether the broker is reached by TLS.
        receipt_ms: the centre's time on the newest receipt that is retained for the unit.
        heard: whether retained receipts were listened for.
    """

    done: Sequence[str]
    broken: str = ""
    why: str = ""
    tls: bool = True
    receipt_ms: int | None = None
    heard: bool = False


def look_at_uplink(places: Places) -> Uplink:
    """Read its note. The lock on it is looked up in the kernel's list, so that none is taken."""
    note = places.spool_in / LINK_NAME
    try:
        raw = note.read_bytes()
    except FileNotFoundError:
        return Uplink(runs=False)
    except OSError:
        return Uplink(runs=None)
    held = holder_of(note)
    if not held:
        return Uplink(runs=None if held is None else False)
    said = read_link(raw)
    return Uplink(runs=True, connected=said.connected, why=said.code or "")


def look(places: Places, enrolled: Enrolment | None, held: Certificate | None, uplink: Uplink) -> Way | None:
    """Go the way to the first broker that is named; None before enrolment."""
    if enrolled is None:
        return None
    broker = enrolled.brokers[0]
    end_s = time.monotonic() + WITHIN_S
    way = _reach(broker.host, broker.port, tls=broker.tls)
    if way.broken or uplink.runs is not False:
        return way if way.broken or not uplink.runs else _as_the_uplink_says(way, uplink)
    if broker.tls and held is None:
        return dataclasses.replace(way, broken="broker-tls", why="certificate-missing")
    with tempfile.TemporaryDirectory(prefix="qafila-doctor-") as folder:
        try:
            settings = _settings(places, enrolled, Path(folder), held)
        except OSError:
            return dataclasses.replace(way, broken="broker-tls", why="uplink-key-not-seen")
        return _connect(settings, way, end_s)


def _reach(host: str, port: int, *, tls: bool) -> Way:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return Way((), "broker-name", "broker-name-unknown", tls)
    for family, kind, protocol, _, address in found[:2]:
        try:
            with socket.socket(family, kind, protocol) as knocking:
                knocking.settimeout(_TCP_WITHIN_S)
                knocking.connect(address)
                return Way(STEPS[:2], tls=tls)
        except OSError:
            continue
    return Way(STEPS[:1], "broker-tcp", "broker-unreachable", tls)


def _as_the_uplink_says(way: Way, uplink: Uplink) -> Way:
    if uplink.connected:
        return dataclasses.replace(way, done=STEPS)
    return dataclasses.replace(way, broken=_step_of(uplink.why), why=uplink.why)


def _step_of(why: str) -> str:
    if why.startswith("certificate-") or why in {
        "broker-not-trusted",
        "broker-certificate-ended",
        "broker-tls-refused",
    }:
        return "broker-tls"
    return "broker-tcp" if why == "broker-unreachable" else "broker-mqtt"


def _settings(places: Places, enrolled: Enrolment, folder: Path, held: Certificate | None) -> Settings:
    """The uplink's own, but for its notes: what is written goes into a folder of ours, for a moment."""
    if held is not None:
        key = key_file(places.uplink, held.key)
        if not os.access(key, os.R_OK):
            raise PermissionError
        key_file(folder, held.key).symlink_to(key)
    settings = parse(
        json.dumps(
            {
                "unit": enrolled.unit,
                "realm": enrolled.realm,
                "spool_out": str(places.spool_out),
                "spool_in": str(places.spool_in),
                "notes": str(folder),
                "brokers": [{"host": b.host, "port": b.port, "tls": b.tls} for b in enrolled.brokers],
                "keyset": enrolled.keyset_raw.hex(),
                "roots": [root.hex() for root in enrolled.roots],
                "certificate": enrolled.certificate_raw.hex(),
                "patience": {"connect_s": _TCP_WITHIN_S},
            }
        )
    )
    return dataclasses.replace(settings, certificate=held)


def _connect(settings: Settings, way: Way, end_s: float) -> Way:
    """Connect, and once more while all that came back was a connection that closed.

    What a broker says before it hangs up is lost when we were speaking at that moment.
    """
    protocol = Protocol.MQTT_5
    broken = dataclasses.replace(way, broken="broker-tls", why="broker-silent")
    for _ in range(_TRIES):
        done = list(way.done)
        try:
            receipt_ms = _introduce(settings, protocol, done, end_s)
            return dataclasses.replace(way, done=STEPS, receipt_ms=receipt_ms, heard=True)
        except LinkDown as down:
            why = down.stable_code
            # TLS that hangs up without a word looks like TCP that does: the step is the one after the last.
            step = _step_of(why) if _step_of(why) == "broker-tls" else STEPS[min(len(done), len(STEPS) - 1)]
            broken = dataclasses.replace(way, done=STEPS[: STEPS.index(step)], broken=step, why=why)
            if down.reason == OTHER_PROTOCOL and protocol is Protocol.MQTT_5:
                protocol = Protocol.MQTT_311
            elif why not in {"broker-closed", "broker-unreachable"} or time.monotonic() > end_s - 1:
                break
    return broken


def _introduce(settings: Settings, protocol: Protocol, done: list[str], end_s: float) -> int | None:
    """As `sync.uplink.service` does, but for publishing; adds each step to ``done``.

    Raises:
        LinkDown: one step is not passed.
    """
    unit, broker = settings.unit, settings.brokers[0]
    will = json.dumps({"online": False, "connection": "", "keyset": settings.keyset.version}).encode()
    connection = Connection(
        broker,
        protocol,
        f"qafila-{unit}-up",
        (topics.state(unit), will),
        settings.patience,
        Credentials(settings),
    )
    silent, other = socket.socketpair()
    try:
        connection.open()
        done.append("broker-tls")
        _until(connection, silent, end_s, "accepted")
        done.append("broker-mqtt")
        connection.subscribe([topics.receipt(unit, level) for level in topics.LEVELS])
        _until(connection, silent, end_s, "subscribed")
        return _newest(connection, silent, settings, min(end_s, time.monotonic() + _LISTEN_S))
    finally:
        connection.close()
        silent.close()
        other.close()


def _until(connection: Connection, silent: socket.socket, end_s: float, what: str) -> None:
    while not getattr(connection, what):
        left_s = end_s - time.monotonic()
        if left_s <= 0:
            raise LinkDown("broker-silent")
        connection.pump(left_s, silent)


def _newest(connection: Connection, silent: socket.socket, settings: Settings, end_s: float) -> int | None:
    heard: list[int] = []
    while len(heard) < len(topics.LEVELS) and (left_s := end_s - time.monotonic()) > 0:
        connection.pump(left_s, silent)
        while connection.messages:
            _, raw = connection.messages.popleft()
            try:
                heard.append(receipts.verify(raw, settings.keyset, settings.unit).centre_ms)
            except ReceiptRefused:
                continue
    return max(heard, default=None)


def judge(uplink: Uplink, way: Way | None, asked: Asked, wall_ms: int) -> list[Finding]:
    if way is None:
        return []  # said once, by the enrolment
    return [
        _judge_uplink(uplink),
        *(_judge_step(step, way, uplink) for step in STEPS),
        _receipts(way, asked, wall_ms),
    ]


def _judge_uplink(uplink: Uplink) -> Finding:
    if uplink.runs is None:
        return warned("uplink", "Not known: its note cannot be seen.", "Run it as root or the unit's user.")
    if not uplink.runs:
        return warned("uplink", "It does not run: nothing leaves by the link.", "Start it: qafila uplink.")
    return passed("uplink", "It runs.")


def _judge_step(step: str, way: Way, uplink: Uplink) -> Finding:
    if step == "broker-tls" and not way.tls and (step in way.done or "broker-tcp" in way.done):
        return passed(step, "None: a training unit reaches this broker on its own machine.")
    if step in way.done:
        who = "as the running uplink says" if uplink.runs and step in STEPS[2:] else "tried just now"
        return passed(step, "Good, {who}.", who=Word(who))
    if step == way.broken:
        return _broken(step, way.why)
    if way.broken:
        return warned(step, "Not known: the way ends before.", "Mend what is named above first.")
    return warned(step, "Not known: the uplink alone can say.", "Run it as root or the unit's user.")


_OWN_WORDS: Final = {
    "broker-name-unknown": ("Its name has no address here.", "Check the network and its name server."),
    "uplink-key-not-seen": ("Not known: this user may not read the uplink's key.", "Run it as root."),
}
_OF_THE_NETWORK: Final = {
    "broker-name-unknown", "uplink-key-not-seen", "broker-unreachable", "broker-silent", "broker-closed",
}  # fmt: skip
"""A van is often where there is no network: no fault of the unit's, and nothing is lost."""


def _broken(step: str, why: str) -> Finding:
    sentence, after = _OWN_WORDS.get(why) or sentences.LINK.get(
        why, ("Not known: the uplink does not say why.", "Look at its log.")
    )
    judge_as = warned if why in _OF_THE_NETWORK or why not in sentences.LINK else failed
    said = {
        "sentence": Word(sentence),
        "step": Word(after),
        "code": Word(why) if why in _OWN_WORDS else code(why),
    }
    return judge_as(step, "{sentence} ({code})" if why else "{sentence}", "{step}", **said)


def _receipts(way: Way, asked: Asked, wall_ms: int) -> Finding:  # noqa: PLR0911  a return for each finding
    name = "receipts"
    if way.receipt_ms is not None:
        age_ms = wall_ms - way.receipt_ms
        if age_ms < -LATE_MS:
            return warned(name, "Not known: the newest is of later than the clock says.", "Set the clock.")
        said = {"hours": max(0, age_ms) // 3_600_000}
        if age_ms > LATE_MS:
            step = "If something waits here, ask the centre whether it collects: qafila central units."
            return warned(name, "The newest at the broker is {hours} h old.", step, **said)
        return passed(name, "The newest at the broker is {hours} h old.", **said)
    if asked.status is not None and asked.unlocked:
        streams: Any = asked.status["streams"].values()
        waits = sum(stream["tip"] - stream["landed"] for stream in streams)
        if asked.status["link"].get("code") == "receipt-overdue":
            step = "Ask the centre whether it collects (qafila central collect)."
            return warned(name, "{waits} entries were handed over and none comes.", step, waits=waits)
        if not waits and any(stream["tip"] for stream in streams):
            return passed(name, "Everything that was saved has arrived at the centre.")
        return warned(
            name, "{waits} entries have none yet.", "qafila sync status says what waits.", waits=waits
        )
    if way.heard:
        return warned(name, "The broker keeps none for this unit.", "Let it deliver once: agent and uplink.")
    return warned(name, "Not known: only the unlocked agent can say.", "Sign in, then run it again.")
