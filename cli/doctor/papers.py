"""Whether the unit is enrolled, and for how many days its certificate is still good."""

import dataclasses
import os
from typing import Final

from cli.doctor.finding import Finding, failed, passed, troubled, warned
from cli.unit_setup import installed
from edge.config import Places
from edge.errors import QafilaError
from sync.boxend.pinned import Enrolment
from sync.uplink import outages
from sync.uplink.credentials import RENEWED, key_file
from sync.wire import certificate
from sync.wire.certificate import Certificate
from sync.wire.errors import EnvelopeRefused

NAMES: Final = ("enrolment", "certificate")


@dataclasses.dataclass(frozen=True, slots=True)
class Papers:
    """What the unit was given by its centre.

    Attributes:
        enrolled: None before enrolment.
        fault: why what is installed is not believed.
        held: the newest certificate that can be seen.
        key: whether its private key is there; None where this user may not see.
        visible: whether the uplink's folder may be looked into.
        longest_ms: the longest outage that the uplink has seen, 0 where it has noted none.
    """

    enrolled: Enrolment | None = None
    fault: QafilaError | None = None
    held: Certificate | None = None
    key: bool | None = None
    visible: bool = True
    longest_ms: int = 0

    @property
    def signed_ms(self) -> int | None:
        """A time that the centre has signed, and so is past."""
        return None if self.held is None else self.held.issued_ms

    @property
    def warn_from_ms(self) -> int | None:
        """From when on the certificate ends soon: so early that three of the longest outages still fit."""
        if self.held is None:
            return None
        life_ms = self.held.until_ms - self.held.issued_ms
        return self.held.until_ms - outages.warn_ms(life_ms, self.longest_ms)

    @property
    def needed(self) -> bool:
        """Whether a broker asks for a certificate."""
        return self.enrolled is not None and any(broker.tls for broker in self.enrolled.brokers)


def look(places: Places) -> Papers:
    """See what enrolment installed, and what came over the link since."""
    try:
        enrolled = installed(places)
    except QafilaError as error:
        return Papers(fault=error)
    if enrolled is None:
        return Papers()
    visible = places.uplink.exists() and os.access(places.uplink, os.R_OK | os.X_OK)
    held = enrolled.certificate
    try:
        raw = (places.uplink / RENEWED).read_bytes()
        newer = certificate.read(raw, enrolled.roots, enrolled.unit, enrolled.realm)
        if held is None or newer.issued_ms > held.issued_ms:
            held = newer
    except (OSError, EnvelopeRefused):
        pass  # none came, or not one to believe
    key = key_file(places.uplink, held.key).exists() if visible and held is not None else None
    return Papers(enrolled, None, held, key, visible, outages.longest_ms(places.uplink))


def judge(seen: Papers, wall_ms: int) -> list[Finding]:
    return [_enrolment(seen), _certificate(seen, wall_ms)]


def _enrolment(seen: Papers) -> Finding:
    name = "enrolment"
    if seen.fault is not None:
        return troubled(name, seen.fault)
    if seen.enrolled is None:
        return warned(
            name,
            "The unit has no centre: everything is kept and nothing can be sent.",
            "qafila unit csr, have the centre answer (qafila central enrol), then qafila unit enrol.",
        )
    return passed(name, "Enrolled; keyset {version}.", version=seen.enrolled.keyset.version)


def _certificate(seen: Papers, wall_ms: int) -> Finding:  # noqa: PLR0911  a return for each finding
    name = "certificate"
    if seen.enrolled is None:
        return warned(name, "Not known: there is none before enrolment.", "Enrol the unit first.")
    if seen.held is None:
        if not seen.needed:
            return passed(name, "None, and no broker of this unit asks for one.")
        return failed(
            name, "None, and the broker asks for one.", "qafila unit renew-link, then qafila unit enrol."
        )
    if seen.key is None:
        return warned(
            name,
            "Not known: this user may not look into the uplink's folder.",
            "Run it as root or the uplink's user.",
        )
    if not seen.key:
        return failed(
            name,
            "Its private key is not there.",
            "qafila unit renew-link, have the centre answer, then qafila unit enrol.",
        )
    if wall_ms < seen.held.issued_ms:
        return warned(name, "Not known: by the clock it was not made yet.", "Set the clock.")
    days = (seen.held.until_ms - wall_ms) // outages.DAY_MS
    if seen.held.until_ms <= wall_ms:
        return failed(
            name,
            "It has ended; measuring goes on, and everything is kept.",
            "Have the centre answer qafila unit csr again, carry the answer here, then qafila unit enrol.",
        )
    if seen.warn_from_ms is not None and wall_ms > seen.warn_from_ms:
        return warned(
            name,
            "It ends in {days} days.",
            "Let the unit connect: the centre renews it by itself; else qafila central renew.",
            days=days,
        )
    return passed(name, "Good for {days} more days.", days=days)
