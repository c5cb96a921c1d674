"""Make a centre, and enrol units into it. Files only; no network."""

import dataclasses
import os
import secrets
import shutil
from pathlib import Path
from typing import ClassVar, Final

from edge import cbor, recovery
from edge.clock import Clock, SystemClock
from edge.errors import QafilaError
from sync.central import authorities, database, decisions, mosquitto
from sync.central.home import (
    DEFAULT_PORT,
    CentreError,
    CentreHome,
    Realm,
    check_reachable,
    read_file,
    settings_text,
    write_new,
)
from sync.wire import down, enrolment, keys
from sync.wire import keyset as wire_keyset
from sync.wire.enrolment import Broker, EnrolmentRequest
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Key, Keyset, Use

FIRST_GENERATION: Final = 1
DEFAULT_BROKER: Final = Broker("127.0.0.1", DEFAULT_PORT, tls=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Mosquitto:
    """A Mosquitto on this machine that is to be set up.

    Attributes:
        host: the name or address by which units know it.
        port: where units connect.
        centre_port: where the centre's processes do.
    """

    host: str
    port: int = mosquitto.PORT
    centre_port: int = mosquitto.CENTRE_PORT

    @property
    def broker(self) -> Broker:
        return Broker(self.host, self.port, tls=True)

    @property
    def centre(self) -> str:
        return f"{mosquitto.CENTRE_HOST}:{self.centre_port}"


class EnrolmentRefused(QafilaError):
    """This request cannot be answered with a bundle."""

    code: ClassVar[str] = "enrolment-refused"


def init(
    home: CentreHome,
    realm: Realm,
    brokers: tuple[Broker, ...] = (),
    *,
    own: Mosquitto | None = None,
    clock: Clock | None = None,
    place: str | None = None,
) -> None:
    """Make a centre: two roots, a keyset, a key for each of its processes, authorities, an empty database.

    Only keys that something uses are made: ``landed`` and ``opened`` sign receipts, ``seal-to`` opens
    batches, ``recovery`` lets people back into a unit, two of ``records`` order somebody erased, ``advice``,
    ``config`` and ``command`` sign what goes down. Further uses join the keyset, in a higher version, with
    what uses them. Everything is made in a folder beside and renamed at the end, so a centre is there whole
    or not at all.

    Args:
        home: where; nothing may be there yet.
        realm: fixed for ever.
        brokers: where its processes and its units connect. Without any, centre.toml names the one that
            this machine would have, which a production centre does not reach.
        own: a broker to be set up; its files are written, nothing is started.
        clock: for the certificates.
        place: of a PostgreSQL database to be used instead of a file here; it may hold no centre yet.

    Raises:
        CentreError: there is a centre already, the folder cannot be written, or its processes would
            refuse a broker that was named.
    """
    for broker in brokers:
        check_reachable(realm, broker)
    if home.directory.exists() and (not home.directory.is_dir() or any(home.directory.iterdir())):
        raise CentreError(
            f"{home.directory} is there already and is not touched.",
            next_step="choose another --home, or move that folder away if this is a new beginning.",
            code="centre-exists",
        )
    try:
        home.directory.parent.mkdir(parents=True, exist_ok=True)
        growing = CentreHome(home.directory.with_name(f".{home.directory.name}-{secrets.token_hex(4)}"))
        growing.directory.mkdir(mode=0o700)
    except OSError as error:
        raise CentreError(
            f"{home.directory} cannot be made: {error.strerror}.",
            next_step="choose another --home, or have its parent folder made writable.",
            code="centre-unwritable",
        ) from error
    try:
        _fill(growing, realm, brokers or (DEFAULT_BROKER,) if own is None else (own.broker,), own)
        now_ms = (clock or SystemClock()).now().wall_ms
        authorities.make(growing, realm, now_ms)
        if own is not None:
            mosquitto.write(
                *(growing, realm, own.host, now_ms),
                port=own.port,
                centre_port=own.centre_port,
                lies_at=home.directory,
            )
        decisions.begin(growing, now_ms)
        database.create(growing.database, place)
        _sync_folders(growing)
        growing.directory.rename(home.directory)
    except BaseException:
        shutil.rmtree(growing.directory, ignore_errors=True)
        raise
    _sync_directory(home.directory.parent)


def enrol(
    home: CentreHome,
    request_raw: bytes,
    clock: Clock,
    brokers: tuple[Broker, ...] | None = None,
    *,
    only: str | None = None,
) -> tuple[EnrolmentRequest, bytes]:
    """Register a unit's public keys and answer with its bundle.

    The same request may be brought again and is answered again. A unit's name is given to one pair
    of keys for ever: a box with new keys is a new unit. ``only`` names the one unit that may be enrolled.

    Raises:
        EnrolmentRefused: no valid request, the other realm, or the name belongs to other keys.
        CentreError: the centre's files are not as they should be, or units of this version would
            refuse a broker that it is to name.
    """
    settings = home.read_settings()
    for broker in brokers or settings.brokers:
        check_reachable(settings.realm, broker)
    try:
        request = enrolment.read_request(request_raw)
    except EnvelopeRefused as refused:
        raise EnrolmentRefused(
            "The file is no valid enrolment request.",
            next_step="write it again with `qafila unit csr` and carry that file.",
            code=f"request-{refused.refusal}",
        ) from refused
    if only not in {None, request.unit}:
        raise EnrolmentRefused(
            f"The request is of {request.unit}, and {only} was expected.",
            next_step="have the centre make a claim for the unit's own name.",
            code="request-unit",
        )
    if request.realm != settings.realm:
        raise EnrolmentRefused(
            f"The unit {request.unit} belongs to the {request.realm} realm, this centre to {settings.realm}.",
            next_step="take the request to the centre of its own realm.",
            code="request-realm",
        )
    now_ms = clock.now().wall_ms
    connection = database.connect(home.database)
    try:
        with database.write(connection):
            _register(connection, request, request_raw, now_ms)
            bundle = _make_bundle(home, request, request_raw, brokers or settings.brokers, now_ms)
    finally:
        connection.close()
    return request, bundle


def _make_bundle(
    home: CentreHome, request: EnrolmentRequest, request_raw: bytes, brokers: tuple[Broker, ...], now_ms: int
) -> bytes:
    """A bundle that its unit will believe: read here as it will be read there."""
    home.read_keyset(request.realm)
    roots, keyset_raw, hot = home.read_roots(), read_file(home.keyset), read_file(home.hot_key)
    try:
        certificate = b""
        if request.tls and authorities.there_are(home):
            certificate = authorities.issue_unit(home, request, now_ms, hot)
        bundle = enrolment.make_bundle(request_raw, roots, keyset_raw, brokers, hot, certificate)
        enrolment.read_bundle(bundle, request_raw)
    except (EnvelopeRefused, ValueError) as refused:  # ValueError: not even the length of a key
        raise CentreError(
            f"{home.hot_key} does not fit the roots, so no unit would believe what it signs.",
            next_step="restore it from a backup.",
            code="centre-damaged",
        ) from refused
    return bundle


def _register(
    connection: database.Connection, request: EnrolmentRequest, request_raw: bytes, now_ms: int
) -> None:
    known = connection.execute(
        "SELECT sign_public, recv_public FROM units WHERE unit = ?", (request.unit,)
    ).fetchone()
    if known is None:
        connection.execute(
            "INSERT INTO units VALUES (?, ?, ?, ?, ?, ?)",
            (
                request.unit,
                keys.kid(request.sign_public),
                request.sign_public,
                request.recv_public,
                request_raw,
                now_ms,
            ),
        )
    elif connection.execute("SELECT 1 FROM revocations WHERE unit = ?", (request.unit,)).fetchone():
        raise EnrolmentRefused(
            f"{request.unit} is revoked.",
            next_step="give the box a name and keys of its own with `qafila unit init --id`.",
            code="unit-revoked",
        )
    elif known != (request.sign_public, request.recv_public):
        raise EnrolmentRefused(
            f"The name {request.unit} belongs to a unit with other keys.",
            next_step="give the new box a name of its own with `qafila unit init --id`.",
            code="unit-known",
        )
    elif request.tls:
        # The same box may have a new key for TLS; a certificate sent by link is made for the last one.
        connection.execute("UPDATE units SET request = ? WHERE unit = ?", (request_raw, request.unit))


def set_up(home: CentreHome, own: Mosquitto, clock: Clock, *, new_authority: bool = False) -> None:
    """Write a Mosquitto's files for a centre that is there, with authorities where it has none yet.

    Its centre.toml names that broker from then on; units learn of it by a new bundle. The certificate of
    the broker comes from the oldest authority that is still believed, so that units which have not heard of
    a newer one yet go on.

    Raises:
        CentreError: there is no centre, or one of its files is not as it should be.
    """
    settings = home.read_settings()
    now_ms = clock.now().wall_ms
    if new_authority or not authorities.there_are(home):
        authorities.make(home, settings.realm, now_ms)
    mosquitto.write(*(home, settings.realm, own.host, now_ms), port=own.port, centre_port=own.centre_port)
    others = tuple(each for each in settings.brokers if each.tls and each != own.broker)
    text = settings_text(settings.realm, settings.generation, (own.broker, *others), own.centre)
    authorities.replace(home.settings, text.encode())
    _sync_folders(home)


def _fill(home: CentreHome, realm: Realm, brokers: tuple[Broker, ...], own: Mosquitto | None) -> None:
    hot, cold = keys.make_signing(), keys.make_signing()
    landed, opened, seal_to = keys.make_signing(), keys.make_signing(), keys.make_sealing()
    recovery_key = recovery.make_private()
    speaking = {use: keys.make_signing() for use in down.USES}
    records = keys.make_signing(), keys.make_signing()
    keyset = Keyset(
        version=1,
        realm=realm,
        generations=(FIRST_GENERATION,),
        keys=(
            Key(keys.signing_public(landed), Use.LANDED),
            Key(keys.signing_public(opened), Use.OPENED),
            Key(keys.sealing_public(seal_to), Use.SEAL_TO),
            Key(recovery.public(recovery_key), Use.RECOVERY),
            *(Key(keys.signing_public(each), Use.RECORDS) for each in records),
            *(Key(keys.signing_public(private), use) for use, private in speaking.items()),
        ),
    )
    write_new(home.hot_key, hot)
    write_new(home.cold_key, cold)
    write_new(home.recovery_key, recovery_key)
    for path, private in zip(home.records_keys, records, strict=True):
        write_new(path, private)
    write_new(home.roots, cbor.encode([keys.signing_public(hot), keys.signing_public(cold)]))
    write_new(home.landed_key, landed)
    write_new(home.opened_key, opened)
    write_new(home.seal_to_key, seal_to)
    for use, private in speaking.items():
        write_new(home.key_file(use), private)
    write_new(home.keyset, wire_keyset.sign(keyset, hot))
    inner = None if own is None else own.centre
    write_new(home.settings, settings_text(realm, FIRST_GENERATION, brokers, inner).encode())


def _sync_folders(home: CentreHome) -> None:
    for folder in (home.directory, *(path for path in home.directory.iterdir() if path.is_dir())):
        _sync_directory(folder)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
