"""What the uplink is told: one JSON object of plain values, checked here once more.

Whoever starts the process has checked the configuration already. The rules that keep promises
(no broker without TLS beyond loopback and training) are checked again by the process that must keep
them.
"""

import dataclasses
import ipaddress
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from edge.errors import QafilaError
from sync.uplink.profiles import PROFILES, USUAL, Profile
from sync.wire import certificate, keyset, topics
from sync.wire.certificate import Certificate
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Keyset

TRAINING: Final = "training"
MAX_BROKERS: Final = 16


class SettingsRefused(QafilaError):
    """The uplink was started with values it cannot work with. The configuration has to change."""

    code: ClassVar[str] = "uplink-settings-refused"


@dataclasses.dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker listens."""

    host: str
    port: int
    tls: bool = False

    @property
    def name(self) -> str:
        """How notes and logs call it."""
        return f"{self.host}:{self.port}"


@dataclasses.dataclass(frozen=True, slots=True)
class Patience:
    """How long the uplink waits for what; in seconds.

    Attributes:
        backoff_min_s: the ceiling of the first wait before another attempt, doubled at each.
        backoff_max_s: the highest ceiling. Every wait is drawn evenly from zero to its ceiling.
        connect_s: for TCP, then for the broker's acceptance, then for the subscriptions.
        keepalive_s: how long a connection may be silent before it is tried; a dead one is noticed after
            twice as long at most.
        user_timeout_s: how long the kernel waits for bytes sent to be acknowledged.
        receipt_s: the shortest wait for a receipt before the connection is made anew and everything
            unreceipted sent again; doubled each time that brought no receipt.
        receipt_max_s: the longest.
        settle_s: the longest wait for retained receipts after connecting, before anything is sent.
    """

    backoff_min_s: float = 1.0
    backoff_max_s: float = 60.0
    connect_s: float = 10.0
    keepalive_s: int = 20
    user_timeout_s: float = 20.0
    receipt_s: float = 10.0
    receipt_max_s: float = 300.0
    settle_s: float = 2.0


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """Everything the uplink knows of its box.

    Attributes:
        notes: a directory of the uplink's own; nothing is lost when it vanishes.
        keyset: the centre's public keys, verified against the pinned roots.
        roots: with which a newer keyset is verified.
        profile: what kind of link this is, by its name in `PROFILES`.
        day_bytes: what the link may carry in a day, 0 without bound.
        certificate: what enrolment gave the unit to connect with over TLS, verified against the roots; its
            private key lies in ``notes``.
        bundle: the file that enrolment writes; when it becomes another, the uplink is started anew.
        again: with these words.
        configuration: the file that says which of the centre's configurations holds; when another does, the
            uplink is started anew as well.
        metrics_port: where what the unit says of itself is published, on this machine only; 0 nowhere.
    """

    unit: str
    realm: str
    spool_out: Path
    spool_in: Path
    notes: Path
    brokers: tuple[Broker, ...]
    keyset: Keyset
    patience: Patience = Patience()
    roots: tuple[bytes, ...] = ()
    profile: str = USUAL
    day_bytes: int = 0
    certificate: Certificate | None = None
    bundle: Path | None = None
    again: tuple[str, ...] = ()
    configuration: Path | None = None
    metrics_port: int = 0


def parse(text: str | bytes) -> Settings:
    """Read and check the settings, one JSON object.

    Its values::

        unit, realm                  text
        spool_out, spool_in, notes   absolute paths of directories
        brokers                      [{"host": …, "port": …, "tls": false}, …], tried in turn
        keyset, roots                the signed keyset and the pinned roots, in hex
        bundle, again                optional; a file, and the words that start this anew when it changes
        configuration                optional; a file, as bundle
        certificate                  optional; the signed right to connect, in hex
        profile                      optional; a name of `PROFILES`
        metrics_port                 optional; 0 publishes nothing
        day_bytes                    optional; null for the profile's, 0 for no bound
        patience                     optional; the numbers of `Patience` by name, else the profile's

    Raises:
        SettingsRefused: a value is missing, unknown or makes no sense; ``broker-without-tls`` where a
            broker would be reached in the clear that must not be.
    """
    try:
        values = json.loads(text)
        known = {field.name for field in dataclasses.fields(Settings)}
        if unknown := set(values) - known:
            raise SettingsRefused(f"The uplink does not know the setting {min(unknown)!r}.")
        realm = str(values["realm"])
        unit = str(values["unit"])
        brokers = tuple(_broker(item, realm) for item in values["brokers"])
        roots = [bytes.fromhex(root) for root in values["roots"]]
        verified = keyset.read(bytes.fromhex(values["keyset"]), roots, realm)
        profile = _profile(str(values.get("profile", USUAL)))
        settings = Settings(
            unit,
            realm,
            _directory(values["spool_out"]),
            _directory(values["spool_in"]),
            _directory(values["notes"]),
            brokers,
            verified,
            _patience({**profile.waits(), **values.get("patience", {})}),
            tuple(roots),
            str(values.get("profile", USUAL)),
            _day_bytes(values.get("day_bytes"), profile),
            _certificate(values.get("certificate", ""), roots, unit, realm),
            _directory(values["bundle"]) if values.get("bundle") else None,
            tuple(str(word) for word in values.get("again", ())),
            _directory(values["configuration"]) if values.get("configuration") else None,
            _port(values.get("metrics_port", 0)),
        )
    except EnvelopeRefused as refused:
        raise SettingsRefused(
            f"The keyset is not to be believed: {refused.sentence}",
            next_step="Enrol the unit again.",
            code="keyset-refused",
        ) from refused
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SettingsRefused(f"The uplink's settings cannot be read: {type(error).__name__}.") from error
    if settings.certificate is None and any(broker.tls for broker in brokers):
        raise SettingsRefused(
            "A broker with TLS is named, and this unit has no certificate to show to it.",
            next_step="Run qafila unit renew-link, have the centre answer, then qafila unit enrol.",
            code="certificate-missing",
        )
    if not topics.UNIT_ID.fullmatch(unit) or not 1 <= len(brokers) <= MAX_BROKERS:
        raise SettingsRefused("The uplink needs a unit's id and at least one broker.")
    return settings


def _broker(item: Mapping[str, Any], realm: str) -> Broker:
    host = str(item["host"])
    # A name would have to be looked up, and the answer may change; an address says what it is.
    host = "127.0.0.1" if host == "localhost" else host
    broker = Broker(host, int(item["port"]), bool(item.get("tls", False)))
    if not 0 < broker.port < 65536:
        raise SettingsRefused("A broker's port is a number from 1 to 65535.")
    if broker.tls:
        return broker
    if realm != TRAINING or not _on_loopback(broker.host):
        raise SettingsRefused(
            "A broker without TLS is reached only on this machine and only by a training unit.",
            next_step="Name a broker with TLS.",
            code="broker-without-tls",
        )
    return broker


def _certificate(text: str, roots: Sequence[bytes], unit: str, realm: str) -> Certificate | None:
    try:
        return certificate.read(bytes.fromhex(text), roots, unit, realm) if text else None
    except EnvelopeRefused as refused:
        raise SettingsRefused(
            f"The certificate is not to be believed: {refused.sentence}",
            next_step="Enrol the unit again.",
            code="certificate-refused",
        ) from refused


def _on_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _profile(name: str) -> Profile:
    if name not in PROFILES:
        raise SettingsRefused(
            f"The uplink does not know the kind of link {name!r}.",
            next_step=f"Name one of {', '.join(PROFILES)}.",
        )
    return PROFILES[name]


def _day_bytes(value: object, profile: Profile) -> int:
    if value is None:
        return profile.day_bytes
    if type(value) is not int or value < 0:
        raise SettingsRefused("The bytes of a day are a whole number, 0 for no bound.")
    return value


def _port(value: object) -> int:
    if type(value) is not int or not 0 <= value < 65536:
        raise SettingsRefused("The port for metrics is a whole number, 0 for none.")
    return value


def _directory(value: str) -> Path:
    path = Path(value)
    if not path.is_absolute():
        raise SettingsRefused("The uplink is told its directories by absolute paths.")
    return path


def _patience(values: Mapping[str, Any]) -> Patience:
    wanted = {field.name for field in dataclasses.fields(Patience)}
    if unknown := set(values) - wanted:
        raise SettingsRefused(f"The uplink does not know the wait {min(unknown)!r}.")
    patience = dataclasses.replace(Patience(), **values)
    if not all(0 < getattr(patience, name) <= 86_400 for name in wanted):
        raise SettingsRefused("A wait of the uplink is longer than nothing and at most a day.")
    return dataclasses.replace(patience, keepalive_s=int(patience.keepalive_s))
