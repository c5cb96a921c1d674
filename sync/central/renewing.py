"""Renew units' certificates without anybody going there, and take the right to connect away.

A renewed certificate is made for the key in the unit's last request, so nothing has to come up for it. It
is sent by the exploder, retained, until the next one; and because it is signed by a root, the unit believes
it whichever way it comes: by the link, or in a new bundle on a stick.
"""

import dataclasses
import datetime
from typing import Final

from cryptography import x509

from edge.clock import Clock
from sync.central import authorities, certificate_sender, database, mosquitto
from sync.central.home import CentreHome, read_file
from sync.wire import enrolment

DUE: Final = 0.6
"""A certificate is due for renewal when so much of its life has passed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """The certificate of a unit that ends last; ``until_ms`` is None for a unit that never had one."""

    unit: str
    until_ms: int | None
    due: bool
    revoked: bool

    def as_json(self) -> dict[str, object]:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, slots=True)
class Revoked:
    """What was done about a unit's right to connect.

    Attributes:
        certificates: how many are on the list now.
        told: a broker on this machine read the list again; another one has to be told by its operator.
        ended: its living connection was ended, or there was none.
    """

    unit: str
    certificates: int
    told: bool
    ended: bool

    def as_json(self) -> dict[str, object]:
        return dataclasses.asdict(self)


def held(home: CentreHome, clock: Clock) -> list[Held]:
    """How each enrolled unit stands."""
    now_ms = clock.now().wall_ms
    newest: dict[str, x509.Certificate] = {}
    for path in (authorities.folder(home) / "issued").glob("*.crt"):
        found = x509.load_pem_x509_certificate(path.read_bytes())
        unit = path.stem.rpartition("-")[0]
        before = newest.get(unit)
        if before is None or found.not_valid_after_utc > before.not_valid_after_utc:
            newest[unit] = found
    return [_stand(home, unit, newest.get(unit), now_ms) for unit, _ in _requests(home)]


def renew(home: CentreHome, units: list[str], clock: Clock, *, only_due: bool = False) -> list[str]:
    """Make new certificates and leave them for the exploder to send; gives for whom.

    Args:
        home: the centre.
        units: for whom; for all that may have one when empty.
        clock: when they begin.
        only_due: only where most of the last one's life has passed.

    Raises:
        CertificateRefused: a unit that was named is not enrolled, is revoked or asked for none.
        CentreError: one of the centre's files is not as it should be.
    """
    home.read_settings()
    requests = dict(_requests(home))
    if unknown := sorted(set(units) - set(requests)):
        raise _unknown(unknown[0])
    due = {each.unit for each in held(home, clock) if not each.revoked and (each.due or not only_due)}
    root, done = read_file(home.hot_key), list[str]()
    for unit in units or sorted(due):
        request = enrolment.read_request(requests[unit])
        if (unit not in due and only_due) or (not units and not request.tls):
            continue
        raw = authorities.issue_unit(home, request, clock.now().wall_ms, root)
        certificate_sender.folder(home).mkdir(mode=0o700, exist_ok=True)
        authorities.replace(certificate_sender.folder(home) / unit, raw)
        done.append(unit)
    return done


def revoke(home: CentreHome, unit: str, clock: Clock) -> Revoked:
    """Take a unit's right to connect away: it cannot come back, and is out now.

    What it has signed is still believed as far as the landing says; a courier stick still carries it.

    Raises:
        CertificateRefused: no such unit is enrolled here, nor ever got a certificate.
        CentreError: one of the centre's files is not as it should be.
    """
    settings = home.read_settings()
    n = authorities.revoke(home, unit)
    if not n and unit not in dict(_requests(home)):
        raise _unknown(unit)
    (certificate_sender.folder(home) / unit).unlink(missing_ok=True)
    if not mosquitto.folder(home).is_dir():
        return Revoked(unit, n, told=False, ended=False)
    mosquitto.refresh(home, clock.now().wall_ms)
    told = mosquitto.reload(home)
    place = settings.reachable(None)
    # In this order: who is put out comes back at once, and by then must not be let in.
    ended = told and mosquitto.end_connection(home, unit, place.host, place.port)
    return Revoked(unit, n, told=told, ended=ended)


def _unknown(unit: str) -> authorities.CertificateRefused:
    return authorities.CertificateRefused(
        f"No unit {unit} is enrolled here.",
        next_step="see `qafila central units`.",
        code="unit-unknown",
    )


def _stand(home: CentreHome, unit: str, newest: x509.Certificate | None, now_ms: int) -> Held:
    revoked = bool(authorities.revoked(home, unit))
    if newest is None:
        return Held(unit, None, due=not revoked, revoked=revoked)
    begin, end = newest.not_valid_before_utc, newest.not_valid_after_utc
    now = datetime.datetime.fromtimestamp(now_ms / 1000, datetime.UTC)
    return Held(unit, int(end.timestamp() * 1000), due=now >= begin + DUE * (end - begin), revoked=revoked)


def _requests(home: CentreHome) -> list[tuple[str, bytes]]:
    connection = database.connect(home.database)
    try:
        found = connection.execute("SELECT unit, request FROM units ORDER BY unit").fetchall()
        return [(str(unit), bytes(request)) for unit, request in found]
    finally:
        connection.close()
