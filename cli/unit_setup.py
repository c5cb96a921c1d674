"""What `qafila unit …` does: makes a unit's files in an order that a power cut cannot spoil.

``unit.toml`` is written last: a box has it when everything else is there, and is no unit before.
"""

import dataclasses
import os
import secrets
from pathlib import Path
from typing import Any, ClassVar

from cli.files import read_small_file, write_new_file
from cli.unit_secret import secret_sources
from cli.unit_tls import make_key
from edge.clock import SystemClock
from edge.config import ConfigMissing, Places, check_unit, load, write_initial
from edge.errors import QafilaError
from edge.ports.keysets import KeysetRefused
from edge.records.people import checked_user_id, user_id
from edge.security import device_secret, pins, process, slots
from edge.store.store import Store
from sync.boxend.keysets import read_newer
from sync.boxend.pinned import Enrolment, read_bundle
from sync.wire import claims, enrolment
from sync.wire.errors import EnvelopeRefused

REQUEST_FILE = "request.cbor"
NEXT_REQUEST_FILE = "request-next.cbor"
"""With a new key for the link: it takes the place of the other once it is answered."""
BUNDLE_FILE = "bundle.cbor"
KEYSET_FILE = "keyset.cbor"
"""The newest keyset that came since, if one did."""


class UnitRefused(QafilaError):
    """The unit cannot be made, shown or enrolled as asked; nothing was changed."""

    code: ClassVar[str] = "unit-refused"


def check_new(places: Places, *, realm: str, unit: str, user: str) -> None:
    """Refuse what cannot become a unit, before anybody is asked for a PIN.

    Raises:
        UnitRefused: a unit is here already, or the user's name cannot be one.
        ConfigRefused: the unit's id or the realm is not allowed.
    """
    check_unit(unit, realm)
    if places.config.exists():
        raise UnitRefused(
            f"This is a unit already: {places.config} exists.",
            next_step="Look at it with qafila unit show, or choose another folder with --home.",
            code="unit-exists",
        )
    checked_user_id(user)


def make_unit(places: Places, *, realm: str, unit: str, user: str, pin: str) -> dict[str, Any]:
    """Make store, identity, device secret, slots and request; the configuration comes last."""
    pins.check_pin(pin)
    process.harden()
    try:
        _set_aside_what_was_half_made(places)
        for directory in (places.store, places.device_secret.parent, places.uplink, places.socket.parent):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in (places.pinned, places.spool_out, places.spool_in):
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise UnitRefused(
            f"{places.base} takes no files: {error.strerror}.",
            next_step="Check the disk and who owns the folder, or choose another with --home.",
            code="home-refused",
        ) from error

    moment = SystemClock().now()
    key = secrets.token_bytes(32)
    store = Store.create(places.database, key, unit=unit, realm=realm, moment=moment)
    try:
        identity = store.identity()
    finally:
        store.close()
    secret = device_secret.make(places.device_secret)
    slots.create(
        places.slots,
        unit=unit,
        user=user_id(user),
        name=user.strip(),
        role="supervisor",
        pin=pin,
        key=key,
        device_secret=secret,
    )
    request = enrolment.make_request(
        *(unit, realm, identity.sign_private, identity.recv_public, moment.wall_ms),
        make_key(places, unit),
    )
    write_new_file(places.pinned / REQUEST_FILE, request)
    write_initial(places, unit, realm)
    return {
        "unit": unit,
        "realm": realm,
        "user": user_id(user),
        "role": "supervisor",
        "device_secret": str(places.device_secret),
        "fingerprint": enrolment.fingerprint(request),
        "words": enrolment.fingerprint_words(request),
        "recovery_sheet": recovery_sheet(unit, realm, user_id(user), enrolment.fingerprint_words(request)),
    }


def recovery_sheet(unit: str, realm: str, user: str, fingerprint: str) -> str:
    """What is to be printed and kept where the unit is not: no secret stands in it."""
    return (
        f"--- Recovery sheet of {unit} ({realm}): print it, keep it away from the unit ---\n"
        f"Fingerprint: {fingerprint}\n"
        f"First supervisor: {user}\n"
        "Device secret: first copy on the medium in the unit; second copy kept at: ____________________\n"
        "Forgotten PIN, a supervisor is there:  qafila users pin NAME --by SUPERVISOR\n"
        "Forgotten PIN, nobody is there:        qafila unit recover --user NAME --reason forgotten-pin\n"
        "    The unit shows a challenge; call the centre at ____________________ and read it out with the\n"
        "    unit's name, the user and the reason. The centre reads back a code.\n"
        "    This works once the unit is enrolled and somebody has signed in after that. Until then a\n"
        "    second supervisor is the only way back: qafila users add NAME --role supervisor\n"
        "Both copies of the device secret lost: nobody can open this unit's store any more.\n"
        "--- end of the sheet ---"
    )


def describe(places: Places) -> dict[str, Any]:
    """What anybody may know of this unit."""
    config = load(places.config)
    request = _request(places)
    enrolled = installed(places)
    return {
        "unit": config.unit.id,
        "realm": config.unit.realm,
        "fingerprint": enrolment.fingerprint(request),
        "words": enrolment.fingerprint_words(request),
        "centre_words": enrolment.roots_words(enrolled.roots) if enrolled else None,
        "enrolled": enrolled is not None,
        "keyset_version": enrolled.keyset.version if enrolled else None,
        "brokers": [f"{broker.host}:{broker.port}" for broker in enrolled.brokers] if enrolled else [],
        "devices": [device.key for device in config.device],
        "notes": secret_sources(places, config).notes(),
    }


def request_of(places: Places) -> bytes:
    """The request that is to be answered: the newest.

    Raises:
        ConfigMissing: there is no unit.
    """
    return _requests(places)[-1]


def copy_request(places: Places, file: Path) -> dict[str, Any]:
    """Write the request to ``file``; an identical one that is there already is fine.

    Raises:
        QafilaError: ``file-exists`` when another file is in the way.
    """
    request = request_of(places)
    if not (file.exists() and file.read_bytes() == request):
        write_new_file(file, request)
    return {
        "file": str(file),
        "fingerprint": enrolment.fingerprint(request),
        "words": enrolment.fingerprint_words(request),
    }


def install_bundle(places: Places, file: Path) -> dict[str, Any]:
    """Check a bundle against this unit's request and the roots it already believes, then install it.

    Raises:
        UnitRefused: ``bundle-refused``, ``bundle-older`` or ``broker-without-tls``; nothing was changed.
    """
    return install_answer(places, read_small_file(file), str(file))


def install_answer(places: Places, raw: bytes, name: str, *, roots: bytes | None = None) -> dict[str, Any]:
    """The same with what was read already; ``name`` is what it is called where it is refused.

    Args:
        places: of the unit.
        raw: the bundle.
        name: begins the sentence that refuses it.
        roots: of the only centre that may have signed it, as a claim names it.

    Raises:
        UnitRefused: as `install_bundle`; nothing was changed.
    """
    config = load(places.config)
    before = installed(places)
    try:
        answer = _read_answer(places, raw, before.roots if before else ())
    except EnvelopeRefused as error:
        raise UnitRefused(
            f"{name} is no answer to this unit's request, or not from the centre it knows.",
            next_step="Ask the centre for a bundle made from this unit's request (qafila unit csr).",
            code="bundle-refused",
        ) from error
    if roots is not None and claims.roots_of(answer.roots) != roots:
        raise UnitRefused(
            f"{name} is of another centre than the claim.",
            next_step="Call the centre: something between here and there is in the way.",
            code="bundle-refused",
        )
    if before and answer.keyset.version < before.keyset.version:
        raise UnitRefused(
            f"{name} holds keyset {answer.keyset.version}; this unit has {before.keyset.version} already.",
            next_step="Ask the centre for a new bundle.",
            code="bundle-older",
        )
    if config.unit.realm == "production" and not all(broker.tls for broker in answer.brokers):
        raise UnitRefused(
            f"{name} names a broker without TLS, which a production unit never uses.",
            next_step="Ask the centre for a bundle that names its broker with TLS.",
            code="broker-without-tls",
        )
    if answer.certificate is None and any(broker.tls for broker in answer.brokers):
        raise UnitRefused(
            f"{name} names a broker with TLS and holds no certificate to show to it.",
            next_step="Have the centre answer a request of this unit that asks for one (qafila unit csr).",
            code="certificate-missing",
        )
    places.pinned.mkdir(parents=True, exist_ok=True)
    new = places.pinned / f".tmp-{secrets.token_hex(8)}"
    write_new_file(new, raw)
    new.replace(places.pinned / BUNDLE_FILE)
    _sync_directory(places.pinned)
    _keep_what_is_answered(places, raw)
    return {
        "unit": answer.unit,
        "realm": answer.realm,
        "keyset_version": answer.keyset.version,
        "brokers": [f"{broker.host}:{broker.port}" for broker in answer.brokers],
        "centre_words": enrolment.roots_words(answer.roots),
    }


def installed(places: Places) -> Enrolment | None:
    """What enrolment pinned, or None before it.

    Raises:
        UnitRefused: ``bundle-refused`` when the installed file does not verify any more.
    """
    try:
        raw = (places.pinned / BUNDLE_FILE).read_bytes()
    except FileNotFoundError:
        return None
    try:
        pinned = _read_answer(places, raw)
    except EnvelopeRefused as error:
        raise UnitRefused(
            "The installed bundle does not verify.",
            next_step="Install the centre's bundle again with qafila unit enrol.",
            code="bundle-refused",
        ) from error
    return _with_newer_keyset(places, pinned)


def _with_newer_keyset(places: Places, pinned: Enrolment) -> Enrolment:
    """The highest version holds; a file that is damaged or of other roots is as if it were not there."""
    try:
        raw = (places.pinned / KEYSET_FILE).read_bytes()
        newer = read_newer(raw, pinned)
    except (OSError, KeysetRefused):
        return pinned
    return pinned if newer is None else dataclasses.replace(pinned, keyset=newer, keyset_raw=raw)


def _read_answer(places: Places, raw: bytes, roots: tuple[bytes, ...] = ()) -> Enrolment:
    """A bundle that answers any request of this unit: between two keys for the link there are two."""
    first, *others = _requests(places)
    try:
        return read_bundle(raw, first, roots)
    except EnvelopeRefused:
        if not others:
            raise
        return read_bundle(raw, others[0], roots)


def _keep_what_is_answered(places: Places, raw: bytes) -> None:
    """Once the newer request is answered it is the request; a power cut before this changes nothing."""
    first, *others = _requests(places)
    if not others:
        return
    try:
        read_bundle(raw, first)
    except EnvelopeRefused:
        (places.pinned / NEXT_REQUEST_FILE).replace(places.pinned / REQUEST_FILE)
        _sync_directory(places.pinned)


def _requests(places: Places) -> list[bytes]:
    """The unit's request, and behind it the one with a newer key for the link until that is answered."""
    following = places.pinned / NEXT_REQUEST_FILE
    return [_request(places), *([following.read_bytes()] if following.exists() else [])]


def _request(places: Places) -> bytes:
    try:
        return (places.pinned / REQUEST_FILE).read_bytes()
    except FileNotFoundError as error:
        raise ConfigMissing(
            f"There is no unit at {places.base}.",
            next_step="Make one with qafila unit init, or name its folder with --home.",
        ) from error


def _set_aside_what_was_half_made(places: Places) -> None:
    """Without a configuration no agent ever ran here, so nobody's data are in it; still, delete nothing."""
    for number in range(1, 100):
        aside = places.store.with_name(f"{places.store.name}.half-made-{number}")
        if not aside.exists():
            break
    else:
        raise UnitRefused("There are a hundred half-made stores here.", next_step="Remove them.")
    if places.store.exists() and any(places.store.iterdir()):
        places.store.rename(aside)
    for leftover in (places.device_secret, places.pinned / REQUEST_FILE):
        if leftover.exists():
            leftover.rename(leftover.with_name(f"{leftover.name}.{aside.name.rsplit('.', 1)[1]}"))


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
