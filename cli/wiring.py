"""The one place that knows every part by name: the agent is given store, sealer, spool and drivers here."""

import asyncio
import dataclasses
import datetime
import difflib
import hashlib
import logging
import os
import pwd
import socket
from importlib import metadata
from typing import TYPE_CHECKING, Final

from cli.anew import begin_anew, passed_on
from cli.certificate_days import Certificate
from cli.pinning import PinnedKeyset
from cli.radio_on_demand import RadioOnDemand
from cli.unit_papers import papers
from cli.unit_secret import load_slots, secret_sources
from cli.unit_setup import BUNDLE_FILE, KEYSET_FILE, installed
from cli.workshop import UnitWorkshop
from drivers.registry import KINDS
from edge import logs, notify
from edge.agent.parts import Device, Enrolled, Pace, Parts, Periods
from edge.agent.portions import Sizes
from edge.agent.service import run
from edge.clock import Clock, ClockQuality, SystemClock
from edge.config import ConfigRefused, DeviceSection, Places, UnitConfig, effective, load
from edge.config.keeper import UnitConfiguration, begin
from edge.errors import QafilaError
from edge.localapi.server import bind, serve
from edge.ports.workshop import DeviceRefused
from edge.security import process
from edge.security.errors import SecurityError
from edge.security.exclusive import ExclusiveLock
from edge.security.kept_key import KeptKey
from edge.security.lockout import Lockout
from edge.spool import Inbox, Outbox
from edge.store import card
from edge.store.ballast import Ballast
from edge.store.connection import check_file
from edge.store.errors import StoreError
from edge.store.rekey import open_settled
from sync.boxend.down import BoxDownReader
from sync.boxend.orders import BoxOrderReader
from sync.boxend.receipts import BoxReceiptReader
from sync.boxend.sealer import BoxSealer
from sync.uplink.profiles import PROFILES
from sync.wire.keyset import Use

if TYPE_CHECKING:
    from drivers.transport.ble import AdapterOwner

_LOG: Final = logging.getLogger("qafila.wiring")
_NOT_THERE: Final = (0, 0)


def run_agent(places: Places, *, json_log: bool = False) -> None:
    """Run the agent of the unit at ``places`` until it is told to stop.

    Raises:
        QafilaError: the configuration, a device kind or the lock says no.
    """
    load(places.config)  # a unit that is none, or is written wrongly, is told first
    process.harden()
    logs.to_stderr("agent", as_json=json_log)
    with ExclusiveLock(places.agent_lock):
        config = begin(places)
        listening = passed_on() or bind(places.socket, group=config.socket.group)
        anew = False
        try:
            anew = asyncio.run(_run(places, config, listening))
        finally:
            if not anew:
                listening.close()
                places.socket.unlink(missing_ok=True)
    if anew:
        begin_anew(listening)


async def _run(places: Places, config: UnitConfig, listening: socket.socket) -> bool:
    clock = SystemClock(ClockQuality[config.clock.quality.upper()], scale=config.clock.scale)

    def make() -> "AdapterOwner":
        # only here: a unit without Bluetooth devices does without the memory that bleak takes
        from cli.radio import make_radio

        return make_radio(places, config, clock)

    radio = RadioOnDemand(make)
    async with radio.running():
        real = config.unit.realm == "production"
        workshop = UnitWorkshop(radio, clock, lambda off_ms: _wall(clock, off_ms), real=real)
        parts = agent_parts(places, config, clock, workshop, listening)

        def what_keeps() -> QafilaError | None:
            """An edited unit.toml, perhaps, which the next start would refuse."""
            try:
                spare = UnitWorkshop(radio, clock, lambda _: None, real=real)
                agent_parts(places, effective(places).config, clock, spare)
            except QafilaError as error:
                return error
            return None

        configuration = UnitConfiguration(places, load(places.config))
        return await run(dataclasses.replace(parts, begins_anew=what_keeps, configuration=configuration))


def agent_parts(
    places: Places,
    config: UnitConfig,
    clock: Clock,
    workshop: UnitWorkshop,
    listening: socket.socket | None = None,
) -> Parts:
    """Everything the agent is given: the only place where its parts are named together."""
    unit, realm = config.unit.id, config.unit.realm
    service = notify.Service(clock.monotonic_s)
    certificate = Certificate(places, clock.monotonic_s)
    refused = [uid for name in config.socket.refuse if (uid := _uid(name)) is not None]
    return Parts(
        unit=unit,
        realm=realm,
        version=metadata.version("qafila"),
        clock=clock,
        devices=[device(section, workshop) for section in config.device],
        open_store=lambda key: open_settled(places.database, key),
        database=places.database,
        load_slots=lambda: load_slots(places, config),
        lockout=Lockout(places.store / "lockout", clock.monotonic_s),
        enrolled=Pinned(places, clock),
        keysets=PinnedKeyset(places),
        service=service,
        kept=KeptKey(service),
        certificate_until_ms=certificate,
        publishes=config.metrics.port != 0,
        outbox=Outbox(places.spool_out),
        inbox=Inbox(places.spool_in),
        serve=lambda handlers: serve(
            *(places.socket, handlers),
            refused_uids=refused,
            group=config.socket.group,
            listening=listening,
        ),
        entropy=os.urandom,
        batch=config.seal.batch,
        sizes=Sizes.for_rate(PROFILES[config.link.profile].rate),
        reserve=Ballast(places.store / "ballast"),
        card=lambda: card.what_is_wrong(places.slots),
        preconditions=lambda: what_is_wrong(places, config),
        notes=lambda: [
            *secret_sources(places, config).notes(),
            *certificate.note(clock.now().wall_ms),
            *([process.SWAP_ON] if process.swap_is_on() else []),
            *([card.LOG_LONG] if card.log_is_long(places.database) else []),
        ],
        papers=lambda: papers(places),
        workshop=workshop,
        periods=Periods(
            values=config.keeping.values_days,
            waves=config.keeping.waves_days,
            attachments=config.keeping.attachments_days,
            frames=config.keeping.frames_days,
        ),
        pace=Pace(screen_lock_s=config.locks.screen_s, store_lock_s=config.locks.store_s),
    )


def what_is_wrong(places: Places, config: UnitConfig) -> QafilaError | None:
    """Why nobody could sign in, or None: what is missing, damaged or not this unit's. It takes no PIN."""
    try:
        check_file(places.database)
        load_slots(places, config)
    except (StoreError, SecurityError) as error:
        return error
    return None


class Pinned:
    """What enrolment pinned, read again when its file changes."""

    def __init__(self, places: Places, clock: Clock) -> None:
        self._places = places
        self._clock = clock
        self._read_at: tuple[tuple[int, int], ...] | None = None
        self._enrolled: Enrolled | None = None

    def __call__(self) -> Enrolled | None:
        found = tuple(self._looked(name) for name in (BUNDLE_FILE, KEYSET_FILE))
        if found[0] == _NOT_THERE:
            return None
        if found != self._read_at:
            self._enrolled = self._load()
            self._read_at = found
        return self._enrolled

    def _looked(self, name: str) -> tuple[int, int]:
        try:
            stat = (self._places.pinned / name).stat()
        except FileNotFoundError:
            return _NOT_THERE
        return stat.st_mtime_ns, stat.st_ino

    def _load(self) -> Enrolled | None:
        try:
            pinned = installed(self._places)
        except QafilaError as error:
            _LOG.warning("bundle refused", extra={"code": error.stable_code})
            return None
        if pinned is None:
            return None

        def make_sealer(epoch: bytes, sign_private: bytes) -> BoxSealer:
            return BoxSealer(
                *(pinned.unit, pinned.realm, epoch, sign_private, pinned.keyset), now_ms=self._sure_ms()
            )

        return Enrolled(
            version=hashlib.sha256(pinned.keyset_raw).digest(),
            make_sealer=make_sealer,
            receipts=BoxReceiptReader(pinned.unit, pinned.realm, pinned.keyset, self._sure_ms),
            generations=pinned.keyset.generations,
            orders=BoxOrderReader(pinned.unit, pinned.keyset),
            down=BoxDownReader(pinned.unit, pinned.keyset),
            recovery=next((key.key for key in pinned.keyset.of_use(Use.RECOVERY)), None),
            keyset_version=pinned.keyset.version,
            sealing_to=frozenset(key.kid for key in pinned.keyset.of_use(Use.SEAL_TO)),
        )

    def _sure_ms(self) -> int | None:
        """The time by which keys expire; a clock that nobody vouches for expires none."""
        moment = self._clock.now()
        return moment.wall_ms if moment.quality >= ClockQuality.NTP else None


def device(section: DeviceSection, workshop: UnitWorkshop) -> Device:
    """A configured device, not opened.

    Raises:
        ConfigRefused: its kind is unknown, or does not take such an option.
    """
    kind = KINDS.get(section.kind)
    if kind is None and (refused := KINDS.refusal(section.kind)) is not None:
        from drivers.offered import RefusedDriver  # only here: it reads all packages' entry points

        # The other devices of the unit work; this one says what is wrong wherever devices are shown.
        return Device(RefusedDriver(section.key, refused), simulated=section.simulated, port=section.port)
    if kind is None:
        near = difflib.get_close_matches(section.kind, list(KINDS), n=1)
        raise ConfigRefused(
            f"The device {section.key} is of an unknown kind, {section.kind!r}.",
            next_step=f"Did you mean {near[0]}?" if near else "See qafila devices kinds.",
        )
    try:
        driver = workshop.driver(section.key, kind, section.port, section.options)
    except DeviceRefused as error:
        raise ConfigRefused(
            f"The device {section.key} in unit.toml: {error.sentence}", next_step=error.next_step
        ) from None
    return Device(driver, simulated=section.simulated, port=section.port)


def _wall(clock: Clock, off_ms: int | None) -> datetime.datetime | None:
    """Local time for a device's clock, once ours comes from somewhere better than itself.

    ``off_ms`` is what a satellite receiver would add to ours, if one has said so.
    """
    moment = clock.now()
    if moment.quality >= ClockQuality.NTP:
        off_ms = 0
    if off_ms is None:
        return None
    local = datetime.datetime.fromtimestamp((moment.wall_ms + off_ms) / 1000, datetime.UTC).astimezone()
    return local.replace(tzinfo=None)


def _uid(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None  # no such account here, so nobody can connect as it
