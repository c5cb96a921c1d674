"""The uplink's one loop: connect, subscribe, hear what has landed, send the rest, wait, begin again."""

import contextlib
import dataclasses
import json
import logging
import os
import random
import select
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Final

from edge import notify
from edge.clock import Clock
from edge.ports.sealing import Receipt
from sync.uplink import sentences
from sync.uplink.connection import OTHER_PROTOCOL, Connection, Limits, LinkDown, Protocol
from sync.uplink.coverage import Coverage
from sync.uplink.credentials import Credentials
from sync.uplink.enrolled import Watch
from sync.uplink.estimates import Estimates
from sync.uplink.flight import Flight
from sync.uplink.incoming import Incoming
from sync.uplink.knocking import Knocking
from sync.uplink.namesakes import Namesakes
from sync.uplink.notes import BrokerNotes, LinkNote
from sync.uplink.outages import Outages
from sync.uplink.outgoing import Outgoing, Ready
from sync.uplink.pacing import Window
from sync.uplink.profiles import PROFILES
from sync.uplink.settings import Broker, Settings
from sync.uplink.telling import OVERDUE, Telling
from sync.uplink.traffic import Traffic
from sync.wire import topics

_LOG: Final = logging.getLogger("qafila.uplink")

LOOK_S: Final = 0.1
"""How often the spool is looked at, and everything else that no event announces."""
NOTE_S: Final = 0.25
"""How often the link note may change while the connection stands."""
ANSWER_S: Final = 2.0
"""How long a broker may take to accept us on a link that answers at once. Silence may be its answer to 5."""
GOODBYE_S: Final = 1.0
RING_S: Final = 0.25
"""How often it is looked, while waiting for the next attempt, whether somebody wants it now."""
STEADY_S: Final = 30.0
"""A connection that stood so long was a good one: the next wait begins at the shortest again."""
LONGEST_REST_S: Final = 900.0
URGENT_PLACES: Final = 4
SELDOM_S: Final = 3600.0
"""How often a new connection has the retained keyset and certificate sent again: 1.7 kB each time. What is
published meanwhile comes at once, and so does the keyset when a receipt is signed with a key not in it."""
LANDED: Final = "landed"


class _Stopping(Exception):
    """SIGTERM or SIGINT came."""


class _EnrolledAnew(_Stopping):
    """The unit has another bundle: begin again with it."""


class _NotAccepted(LinkDown):
    """The broker was reached and did not accept us."""

    @property
    def may_be_older(self) -> bool:
        """Whether it may have met a version of MQTT that it does not know.

        Brokers of 3.1.1 meet a CONNECT of 5 in every way: they refuse it, hang up, answer in their own
        form, or misread a length in it and wait for the rest.
        """
        if self.stable_code.startswith("certificate-"):
            return False
        return self.stable_code != "broker-refused" or self.reason == OTHER_PROTOCOL


class Uplink:
    """The process, given its settings.

    Args:
        clock: wall time for notes, monotonic time for waits.
        seed: of the jitter.
    """

    def __init__(self, settings: Settings, clock: Clock, seed: int | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._jitter = random.Random(seed)  # noqa: S311  spreads a fleet's attempts; nobody's secret depends on it
        self._coverage = Coverage()
        self._outgoing = Outgoing(settings.spool_out, settings.unit, self._coverage)
        self._incoming = Incoming(
            settings.spool_in, settings.unit, settings.keyset, self._coverage, settings.roots
        )
        self._credentials = Credentials(settings)
        self._outages = Outages(settings.notes)
        self._notes = BrokerNotes(settings.notes, clock)
        self._link = LinkNote(settings.spool_in)
        self._traffic = Traffic(settings.notes, PROFILES[settings.profile], settings.day_bytes, clock)
        self._estimates = Estimates(self._traffic, settings.profile, clock)
        self._knocking = Knocking(settings.patience)
        self._spoke_5: set[Broker] = set()
        self._namesakes = Namesakes()
        self._enrolled = Watch(settings.bundle, clock, settings.configuration)
        self._asked_s = float("-inf")
        self._unanswered: frozenset[str] = frozenset()
        self._vain = 0
        self._failures = 0
        self._down_since_ms: int | None = None
        self._telling = Telling()
        self._rest_until_s = 0.0
        self._service = notify.Service(clock.monotonic_s)
        self._stopping = False
        self._blocked = False
        self._wake, self._waker = socket.socketpair()
        self._waker.setblocking(False)  # noqa: FBT003  a socket's own signature
        # stands in for it once it has rung: saying goodbye takes a moment more
        self._silent, self._silence = socket.socketpair()

    def run(self) -> bool:
        """Work until SIGTERM or SIGINT, or until the unit is enrolled or configured anew: then give True."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        try:
            self._incoming.recall()
            self._note_down("starting")
            turn = 0
            while True:
                broker = self._settings.brokers[turn % len(self._settings.brokers)]
                turn += 1
                self._pause(self._attempt(broker))
        except _Stopping as why:
            anew = isinstance(why, _EnrolledAnew)
            _LOG.info("begins anew" if anew else "stopped")
            return anew
        finally:
            signal.set_wakeup_fd(-1)
            self._note_down("stopped")
            self._link.close()
            self._traffic.close()

    def _attempt(self, broker: Broker) -> float:
        """One connection, from its first attempt to its end; returns how long to wait before the next."""
        protocol = Protocol.MQTT_5 if self._notes.speaks_5(broker.name) else Protocol.MQTT_311
        try:
            try:
                self._connect_and_work(broker, protocol)
            except _NotAccepted as refused:
                known = protocol is Protocol.MQTT_311 or broker in self._spoke_5
                if known or not refused.may_be_older:
                    raise
                self._connect_and_work(broker, Protocol.MQTT_311)
        except LinkDown as down:
            code = down.stable_code
            self._telling.down(broker, down)
            self._note_down(code)
            if code == OVERDUE:
                return 0.0
            return self._backoff(code)
        raise AssertionError("a connection ends with a reason")

    def _backoff(self, code: str) -> float:
        """Full jitter: evenly from zero to a ceiling that doubles with every refusal."""
        patience = self._settings.patience
        if code == "broker-unreachable":  # nobody was asked, so nobody is spared by a longer wait
            return self._jitter.uniform(0.0, min(self._knocking.pause_s, patience.backoff_max_s))
        ceiling_s = min(patience.backoff_max_s, patience.backoff_min_s * 2 ** min(self._failures, 16))
        self._failures += 1
        return self._jitter.uniform(0.0, ceiling_s)

    def _connect_and_work(self, broker: Broker, protocol: Protocol) -> None:
        name = os.urandom(8).hex()
        self._namesakes.ours(name)
        state = topics.state(self._settings.unit)
        connection = Connection(
            broker,
            protocol,
            f"qafila-{self._settings.unit}-up",
            (state, self._state(online=False, connection=name)),
            dataclasses.replace(self._settings.patience, connect_s=self._knocking.wait_s()),
            self._credentials,
        )
        self._traffic.begin()
        try:
            limits = self._introduce(connection)
            self._telling.up(broker, protocol)
            if protocol is Protocol.MQTT_5:
                self._spoke_5.add(broker)
            self._notes.remember(broker.name, speaks_5=protocol is Protocol.MQTT_5)
            connection.publish(state, self._state(online=True, connection=name), retain=True)
            self._work(connection, name, limits)
        except _Stopping:
            self._say_goodbye(connection, state, name)
            raise
        finally:
            self._traffic.count(connection.carried())
            connection.close()

    def _introduce(self, connection: Connection) -> Limits:
        """From nothing to subscribed."""
        unit, patience = self._settings.unit, self._settings.patience
        self._blocked = True  # a signal must not wait until a distant broker answers
        asked_s = self._clock.monotonic_s()
        try:
            self._check_stop()
            connection.open()
            self._knocking.opened(self._clock.monotonic_s() - asked_s)
        except LinkDown:
            self._knocking.failed(self._clock.monotonic_s() - asked_s)
            raise
        finally:
            self._blocked = False
        # A broker's acceptance takes a round trip more, so what the first took says what to expect.
        answer_s = min(patience.connect_s, max(ANSWER_S, 8 * (self._clock.monotonic_s() - asked_s)))
        try:
            self._until(connection, lambda: connection.accepted is not None, answer_s)
        except LinkDown as down:
            raise _NotAccepted(down.stable_code, reason=down.reason) from None
        asked_s = self._clock.monotonic_s()
        self._outages.begin(asked_s)
        wanted = [topics.receipt(unit, level) for level in topics.LEVELS]
        wanted += [topics.state(unit), *topics.down_all(unit)]
        seldom = [topics.keyset(unit), topics.certificate(unit)]
        if asked_s - self._asked_s < SELDOM_S:
            connection.subscribe(wanted, seldom)
        else:
            connection.subscribe([*seldom, *wanted])  # the keyset before receipts that a new key has signed
            self._asked_s = asked_s
        self._until(connection, lambda: connection.subscribed, patience.connect_s)
        self._settle(connection, self._clock.monotonic_s() - asked_s)
        assert connection.accepted is not None  # noqa: S101  just waited for
        return connection.accepted

    def _until(self, connection: Connection, there: Callable[[], bool], wait_s: float) -> None:
        end_s = self._clock.monotonic_s() + wait_s
        while not there():
            left_s = end_s - self._clock.monotonic_s()
            if left_s <= 0:
                raise LinkDown("broker-silent")
            self._pump(connection, left_s)

    def _settle(self, connection: Connection, round_trip_s: float) -> None:
        """Wait for the retained receipts, one round trip at most: what they cover need not be sent."""
        wait_s = min(self._settings.patience.settle_s, max(2 * round_trip_s, LOOK_S))
        end_s = self._clock.monotonic_s() + wait_s
        while (left_s := end_s - self._clock.monotonic_s()) > 0:
            self._pump(connection, left_s)
            if any(receipt.level == LANDED for receipt in self._take(connection)):
                return

    def _work(self, connection: Connection, name: str, limits: Limits) -> None:
        """Send what waits and take what comes, until the connection ends."""
        flight = Flight(Window(limits.most_in_flight, self._traffic.rate), self._unanswered)
        begin_s, since_ms = self._clock.monotonic_s(), self._clock.now().wall_ms
        noted_s = float("-inf")
        self._outgoing.rewind()
        while True:
            now_s = self._clock.monotonic_s()
            if self._outgoing.refresh():
                flight.forget(self._outgoing.has)
            for receipt in self._take(connection):
                self._learn(receipt, flight, now_s)
            self._send(connection, flight, limits)
            if now_s - noted_s >= NOTE_S:
                noted_s = now_s
                self._down_since_ms = None
                self._link.write(
                    connected=True,
                    since_ms=since_ms,
                    connection=name,
                    sent=tuple(flight.handed),
                    broker=connection.protocol,
                    code=self._worry(now_s),
                    waiting=self._estimates.look(self._outgoing.unreceipted),
                )
            if now_s - begin_s > STEADY_S and not self._telling.of_overdue:
                self._is_good()
            self._check_overdue(connection, flight, now_s)
            self._pump(connection, LOOK_S)

    def _worry(self, now_s: float) -> str:
        """What somebody should look after though there is a connection."""
        if self._namesakes.lately(now_s):
            return "broker-taken-over"
        return "certificate-due" if self._credentials.due(self._outages.longest_ms) else ""

    def _send(self, connection: Connection, flight: Flight, limits: Limits) -> None:
        """Hand over as many files as the socket, the window and the day's bytes take."""
        while connection.flushed:
            now_s = self._clock.monotonic_s()
            flight.finish(now_s)
            self._traffic.count(connection.carried(), connection.unsent_bytes())
            ready = self._outgoing.next(self._traffic.may)
            if ready is None or now_s < self._rest_until_s:
                return
            # The broker's last places are kept for what is urgent.
            kept = 0 if ready.urgent else min(URGENT_PLACES, limits.most_in_flight // 4)
            if not flight.admits(ready) or len(connection.unacknowledged) >= limits.most_in_flight - kept:
                return
            topic = topics.up(self._settings.unit, ready.name.word)
            if _packet_bytes(topic, ready) > limits.most_packet_bytes:
                _LOG.warning(
                    "spool file too large for this broker",
                    extra=sentences.said(sentences.FILES, "broker-packet-too-large", file=str(ready.name)),
                )
                self._outgoing.leave(ready.name)
                continue
            self._outgoing.take(ready)
            flight.begin(ready, now_s)
            connection.publish(topic, ready.content)

    def _take(self, connection: Connection) -> list[Receipt]:
        """Take what came; the receipts that say something new, in order."""
        fresh: list[Receipt] = []
        while connection.messages:
            topic, payload = connection.messages.popleft()
            if topic == topics.certificate(self._settings.unit):
                self._incoming.judge("certificate", self._credentials.take, payload)
                continue
            if topic == topics.state(self._settings.unit):
                self._namesakes.meet(payload, self._clock.monotonic_s())
                continue
            receipt = self._incoming.take(topic, payload)
            if receipt is not None:
                fresh.append(receipt)
        for level, raw in self._incoming.refused_before():
            receipt = self._incoming.take(topics.receipt(self._settings.unit, level), raw)
            if receipt is not None:
                fresh.append(receipt)
        if self._incoming.asks_for_keyset():
            connection.subscribe([topics.keyset(self._settings.unit)])
        self._incoming.flush()
        return fresh

    def _learn(self, receipt: Receipt, flight: Flight, now_s: float) -> None:
        self._credentials.learn_time(receipt.centre_ms)
        self._outages.hear(receipt.centre_ms, now_s)
        if receipt.level == LANDED:
            self._rest_until_s = now_s + min(float(receipt.retry_after_s), LONGEST_REST_S)
            flight.window.advise(receipt.window)
        else:
            self._outgoing.reconsider()
        for name in flight.landed(self._coverage, now_s):
            self._outgoing.leave(name)
            self._unanswered -= {str(name)}
        self._traffic.rate = flight.window.rate or self._traffic.rate
        self._estimates.receipt_s = flight.window.receipt_s or self._estimates.receipt_s
        if flight.landed_any:
            self._vain = 0
            self._is_good()

    def _check_overdue(self, connection: Connection, flight: Flight, now_s: float) -> None:
        patience = self._settings.patience
        most_s = max(patience.receipt_max_s, 4 * flight.window.receipt_s)
        wait_s = min(most_s, max(patience.receipt_s, 4 * flight.window.receipt_s) * 2**self._vain)
        if now_s < self._rest_until_s or not flight.overdue(wait_s, connection.unsent_bytes(), now_s):
            return
        self._unanswered = flight.unanswered()
        self._vain = 0 if flight.landed_any else min(self._vain + 1, 16)
        raise LinkDown(OVERDUE)

    def _pump(self, connection: Connection, wait_s: float) -> None:
        connection.pump(wait_s, self._wake)
        self._check_stop()

    def _pause(self, wait_s: float) -> None:
        poller = select.poll()
        poller.register(self._wake.fileno(), select.POLLIN)
        end_s = self._clock.monotonic_s() + wait_s
        while (left_s := end_s - self._clock.monotonic_s()) > 0:
            poller.poll(min(left_s, RING_S) * 1000)
            self._check_stop()
            if self._outgoing.rung():
                self._failures = 0
                return

    def _check_stop(self) -> None:
        self._service.alive()
        if self._stopping:
            raise _Stopping
        if self._enrolled.changed():
            raise _EnrolledAnew

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self._service.tell(notify.STOPPING)
        if self._blocked:
            raise _Stopping

    def _say_goodbye(self, connection: Connection, state: str, name: str) -> None:
        """Say that we go; the broker would otherwise tell it in our name, as an accident."""
        if not connection.subscribed:
            return
        end_s = self._clock.monotonic_s() + GOODBYE_S
        with contextlib.suppress(LinkDown):
            connection.publish(state, self._state(online=False, connection=name), retain=True)
            while connection.unacknowledged and self._clock.monotonic_s() < end_s:
                connection.pump(LOOK_S, self._silent)

    def _state(self, *, online: bool, connection: str) -> bytes:
        """What the broker shows to the centre, or says in our name when we vanish: a hint, never evidence."""
        told = {"online": online, "connection": connection, "keyset": self._incoming.keyset.version}
        return json.dumps(told).encode()

    def _is_good(self) -> None:
        """The connection is good for something: the next wait begins at the shortest again."""
        self._failures = 0
        self._telling.good()

    def _note_down(self, code: str) -> None:
        """Note that there is no connection, and since when: since the last one ended, not the last try."""
        if self._down_since_ms is None:
            self._down_since_ms = self._clock.now().wall_ms
        self._outgoing.refresh()  # what waits is news without a link, too
        self._link.write(
            connected=False,
            since_ms=self._down_since_ms,
            connection="",
            sent=(),
            broker="",
            code=code,
            waiting=self._estimates.look(self._outgoing.unreceipted),
        )


def _packet_bytes(topic: str, ready: Ready) -> int:
    """The most an MQTT PUBLISH adds: fixed header 5, topic's length 2, message id 2, no properties 1."""
    return 10 + len(topic) + len(ready.content)
