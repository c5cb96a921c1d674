"""The centre's certificate authorities: who may connect to its broker, and which broker units believe.

::

    tls/                    0700
      units-1.key .crt      certifies units: the broker's listener for units believes these and no others
      hosts-1.key .crt      certifies brokers and the centre's own processes: what units believe
      issued/UNIT-SERIAL.crt
      revoked/UNIT-SERIAL.crt

Two authorities, so that whoever steals the one cannot pretend to be the broker, and the other none of the
units. Their numbers rise when they are changed: the highest issues, all that lie here are believed, so that
units and brokers change over one at a time. X.509 ends here: a unit believes these because one of its two
roots signed the message that names them (`sync.wire.certificate`).

P-256 and SHA-256 throughout: every broker takes them.
"""

import dataclasses
import datetime
import ipaddress
import secrets
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.errors import QafilaError
from sync.central.home import CentreError, CentreHome, read_file, write_new
from sync.wire import certificate, keys
from sync.wire.certificate import Certificate
from sync.wire.enrolment import EnrolmentRequest

UNITS: Final = "units"
HOSTS: Final = "hosts"
KINDS: Final = (UNITS, HOSTS)
COLLECT: Final = "centre.collect"
EXPLODE: Final = "centre.explode"
"""What the broker calls the centre's processes; no unit's name has a dot."""
PROCESSES: Final = {"collect": COLLECT, "explode": EXPLODE}
AUTHORITY_DAYS: Final = 7305
HOST_DAYS: Final = 825
UNIT_DAYS: Final = 365
_EARLIER: Final = datetime.timedelta(days=1)
"""Certificates begin a day before they are made: a broker's clock may be behind."""


class CertificateRefused(QafilaError):
    """No certificate is issued for what was asked."""

    code = "certificate-refused"


@dataclasses.dataclass(frozen=True, slots=True)
class Authority:
    """One that can issue."""

    number: int
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def folder(home: CentreHome) -> Path:
    return home.directory / "tls"


def there_are(home: CentreHome) -> bool:
    """Whether this centre has authorities: one made before there was TLS has none."""
    return bool(_numbers(home, UNITS))


def make(home: CentreHome, realm: str, now_ms: int) -> None:
    """Make the next authority of both kinds, and certificates of the centre's processes where they lack.

    Raises:
        OSError: the disk does not take them.
    """
    folder(home).mkdir(mode=0o700, exist_ok=True)
    for name in ("issued", "revoked"):
        (folder(home) / name).mkdir(mode=0o700, exist_ok=True)
    for kind in KINDS:
        number = max(_numbers(home, kind), default=0) + 1
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(f"qafila {kind} {number}", realm)
        made = (
            _builder(subject, subject, key.public_key(), now_ms, AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(ca=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        write_new(folder(home) / f"{kind}-{number}.key", private_pem(key))
        write_new(folder(home) / f"{kind}-{number}.crt", made.public_bytes(serialization.Encoding.PEM))
    for process in PROCESSES:
        if not (home.directory / process / "tls.key").exists():
            issue_process(home, realm, process, now_ms)


def issue_process(home: CentreHome, realm: str, process: str, now_ms: int) -> None:
    """Give one of the centre's processes what it connects with."""
    issue_client(home, realm, PROCESSES[process], home.directory / process, now_ms)


def issue_client(home: CentreHome, realm: str, name: str, directory: Path, now_ms: int) -> None:
    """Write ``tls.key`` and ``tls.crt`` for somebody who connects on the centre's side.

    The name has a dot, as no unit's has; what it may do stands in the broker's own rules.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    made = _leaf(newest(home, HOSTS), name, realm, key.public_key(), now_ms, HOST_DAYS, server=None)
    directory.mkdir(mode=0o700, exist_ok=True)
    replace(directory / "tls.key", private_pem(key))
    replace(directory / "tls.crt", made.public_bytes(serialization.Encoding.PEM))


def issue_server(home: CentreHome, realm: str, hosts: Sequence[str], now_ms: int) -> tuple[bytes, bytes]:
    """A broker's private key and certificate in PEM; ``hosts`` are its names and addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = [_general_name(host) for host in hosts]
    # From the oldest that is believed: units that have not heard of a newer one yet go on connecting.
    authority = _authority(home, HOSTS, _numbers(home, HOSTS)[0])
    made = _leaf(authority, hosts[0], realm, key.public_key(), now_ms, HOST_DAYS, server=names)
    return private_pem(key), made.public_bytes(serialization.Encoding.PEM)


def issue_unit(
    home: CentreHome, request: EnrolmentRequest, now_ms: int, root_private: bytes, days: int = UNIT_DAYS
) -> bytes:
    """A unit's right to connect, signed by a root: a new certificate for the key it asked for.

    Raises:
        CertificateRefused: the request asks for none or not as it should, or the unit is revoked.
        CentreError: an authority's file is missing or damaged.
    """
    if revoked(home, request.unit):
        raise CertificateRefused(
            f"The unit {request.unit} is revoked and gets no certificate.",
            next_step="give the box a new name with `qafila unit init --id`, if it is to work again.",
            code="unit-revoked",
        )
    public = _asked(request)
    authority = newest(home, UNITS)
    made = _leaf(authority, request.unit, request.realm, public, now_ms, days, server=None)
    kept = folder(home) / "issued" / f"{request.unit}-{made.serial_number:x}.crt"
    write_new(kept, made.public_bytes(serialization.Encoding.PEM))
    spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return certificate.sign(
        Certificate(
            request.unit,
            request.realm,
            now_ms,
            int(made.not_valid_after_utc.timestamp() * 1000),
            keys.kid(spki),
            (made.public_bytes(serialization.Encoding.DER),),
            tuple(each.public_bytes(serialization.Encoding.DER) for each in believed(home, HOSTS)),
        ),
        root_private,
    )


def revoke(home: CentreHome, unit: str) -> int:
    """Put every certificate of a unit on the revocation list; gives how many there are on it."""
    for path in sorted((folder(home) / "issued").glob("*.crt")):
        if _unit_of(path) == unit:
            path.rename(folder(home) / "revoked" / path.name)
    return len(revoked(home, unit))


def revoked(home: CentreHome, unit: str) -> list[Path]:
    return [path for path in (folder(home) / "revoked").glob("*.crt") if _unit_of(path) == unit]


def revocations(home: CentreHome, now_ms: int) -> bytes:
    """The revocation lists of the units' authorities, one after the other in PEM.

    They hold until their authority ends: a list that ran out would shut out every unit.
    """
    now = _time(now_ms)
    found = [x509.load_pem_x509_certificate(path.read_bytes()) for path in _revoked_files(home)]
    lists: list[bytes] = []
    for number in _numbers(home, UNITS):
        authority = _authority(home, UNITS, number)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(authority.certificate.subject)
            .last_update(now - _EARLIER)
            .next_update(authority.certificate.not_valid_after_utc.replace(tzinfo=None))
        )
        for each in found:
            if each.issuer == authority.certificate.subject:
                builder = builder.add_revoked_certificate(
                    x509.RevokedCertificateBuilder()
                    .serial_number(each.serial_number)
                    .revocation_date(now - _EARLIER)
                    .build()
                )
        made = builder.sign(authority.key, hashes.SHA256())
        lists.append(made.public_bytes(serialization.Encoding.PEM))
    return b"".join(lists)


def believed(home: CentreHome, kind: str) -> list[x509.Certificate]:
    """The certificates of all authorities of a kind, newest first."""
    return [_authority_certificate(home, kind, number) for number in reversed(_numbers(home, kind))]


def pem(certificates: Sequence[x509.Certificate]) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def der(each: x509.Certificate) -> bytes:
    return each.public_bytes(serialization.Encoding.DER)


def newest(home: CentreHome, kind: str) -> Authority:
    """The one that issues.

    Raises:
        CentreError: there is none, or its files are damaged.
    """
    numbers = _numbers(home, kind)
    if not numbers:
        raise CentreError(
            "This centre has no certificate authority yet.",
            next_step="make them with `qafila central broker mosquitto`.",
            code="authority-missing",
        )
    return _authority(home, kind, numbers[-1])


def context(home: CentreHome, process: str) -> ssl.SSLContext:
    """What a process of the centre, by the name of its folder, connects with: TLS 1.3, its own certificate.

    Raises:
        CentreError: a file is missing or damaged.
    """
    directory = home.directory / process
    for name in ("tls.key", "tls.crt"):
        read_file(directory / name)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        made.load_verify_locations(cadata=pem(believed(home, HOSTS)).decode())
        made.load_cert_chain(directory / "tls.crt", directory / "tls.key", password=_no_password)
    except (ssl.SSLError, ValueError):
        raise _damaged(directory / "tls.crt") from None
    return made


def _no_password() -> str:
    return ""


def _asked(request: EnrolmentRequest) -> ec.EllipticCurvePublicKey:
    """The key that a request wants certified, once it has shown to hold it."""
    refused = CertificateRefused(
        f"The request of {request.unit} asks for no certificate, or not for its own P-256 key.",
        next_step="write it again with `qafila unit csr`; an older unit uses `qafila unit renew-link`.",
        code="request-certificate",
    )
    try:
        asked = x509.load_der_x509_csr(request.tls)
        public = asked.public_key()
    except ValueError:
        raise refused from None
    if (
        not isinstance(public, ec.EllipticCurvePublicKey)
        or not isinstance(public.curve, ec.SECP256R1)
        or not asked.is_signature_valid
        or [each.value for each in asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        != [request.unit]
    ):
        raise refused
    return public


def _numbers(home: CentreHome, kind: str) -> list[int]:
    found = (path.stem.removeprefix(f"{kind}-") for path in folder(home).glob(f"{kind}-*.crt"))
    return sorted(int(number) for number in found if number.isdecimal())


def _authority_certificate(home: CentreHome, kind: str, number: int) -> x509.Certificate:
    path = folder(home) / f"{kind}-{number}.crt"
    try:
        return x509.load_pem_x509_certificate(read_file(path))
    except ValueError:
        raise _damaged(path) from None


def _authority(home: CentreHome, kind: str, number: int) -> Authority:
    path = folder(home) / f"{kind}-{number}.key"
    try:
        key = serialization.load_pem_private_key(read_file(path), None)
    except ValueError:
        raise _damaged(path) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _damaged(path)
    return Authority(number, _authority_certificate(home, kind, number), key)


def _damaged(path: Path) -> CentreError:
    return CentreError(f"{path} is damaged.", next_step="restore it from a backup.", code="centre-damaged")


def _leaf(
    authority: Authority,
    name: str,
    realm: str,
    public: ec.EllipticCurvePublicKey,
    now_ms: int,
    days: int,
    *,
    server: list[x509.GeneralName] | None,
) -> x509.Certificate:
    builder = (
        _builder(_name(name, realm), authority.certificate.subject, public, now_ms, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
    )
    if server is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(server), critical=False)
    role = ExtendedKeyUsageOID.CLIENT_AUTH if server is None else ExtendedKeyUsageOID.SERVER_AUTH
    return builder.add_extension(x509.ExtendedKeyUsage([role]), critical=False).sign(
        authority.key, hashes.SHA256()
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now_ms: int, days: int
) -> x509.CertificateBuilder:
    now = _time(now_ms)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str, realm: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"qafila {realm}"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _time(now_ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(now_ms // 1000, datetime.UTC).replace(tzinfo=None)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _unit_of(path: Path) -> str:
    return path.stem.rpartition("-")[0]


def _revoked_files(home: CentreHome) -> list[Path]:
    return sorted((folder(home) / "revoked").glob("*.crt"))


def replace(path: Path, content: bytes) -> None:
    """Put a file there whole, readable by its owner only, in the place of what was there."""
    new = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    write_new(new, content)
    new.replace(path)
