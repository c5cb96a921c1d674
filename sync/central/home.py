"""The centre's files: what lies where, and who needs which of it.

::

    central/              0700
      centre.toml         realm, generation, brokers; the operator may edit the brokers
      keyset.cbor         the public keys, signed by the hot root
      roots.cbor          the two public roots
      root-cold.key       to be taken away after `init`; nothing here reads it
      recovery.key        the same; `recover` asks for it, and only then
      records-1.key       the same, for one person each; `erase` asks for both
      records-2.key
      recoveries.log      who was let into which unit by telephone, written before they were
      decisions.log       who was revoked, erased, granted: what a restore must not forget
      roots/hot.key       signs enrolments and keysets
      collect/landed.key  all that `collect` holds: it opens nothing
      explode/opened.key  signs *opened*
      explode/seal-to.key opens what was sealed to the centre
      down/advice.key     signs what people say to units; config.key and command.key: what else goes down
  …/tls.key, tls.crt  in both: what the process connects to the broker with
  tls/                the certificate authorities, and every certificate given to a unit
  mosquitto/          all that a Mosquitto reads, where one was asked for
      central.db

Each folder of keys can belong to a user of its own, or to another host.
"""

import dataclasses
import ipaddress
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

import pydantic

from edge import cbor
from edge.errors import QafilaError
from sync.wire import down, keys
from sync.wire import keyset as wire_keyset
from sync.wire.enrolment import Broker
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Keyset, Use

DEFAULT_PORT: Final = 1883
DEFAULT_TLS_PORT: Final = 8883
TLS_SCHEME: Final = "tls://"
ROOTS: Final = 2
_HOST: Final = re.compile(r"[A-Za-z0-9_.:-]{1,253}")
Realm = Literal["production", "training"]


class CentreError(QafilaError):
    """The centre's home cannot be used as it is."""

    code: ClassVar[str] = "centre-error"


class _BrokerSettings(pydantic.BaseModel):
    """One ``[[broker]]`` of centre.toml; our processes reach it at ``centre``, if not where units do."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)
    host: Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9_.:-]{1,253}$")]
    port: Annotated[int, pydantic.Field(ge=1, le=65535)]
    tls: bool = False
    centre: Annotated[str, pydantic.Field(max_length=260)] | None = None


class Settings(pydantic.BaseModel):
    """What centre.toml says.

    Attributes:
        realm: fixed when the centre is made.
        generation: rises when a centre is restored from a backup.
    """

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)
    realm: Realm
    generation: Annotated[int, pydantic.Field(ge=1)]
    broker: Annotated[list[_BrokerSettings], pydantic.Field(min_length=1, max_length=16)]

    @property
    def brokers(self) -> tuple[Broker, ...]:
        return tuple(Broker(broker.host, broker.port, broker.tls) for broker in self.broker)

    def reachable(self, instead: Broker | None) -> Broker:
        """The broker to connect to: the one named, else the first of the settings.

        Raises:
            CentreError: it would be reached without TLS beyond this machine or by a centre of real patients.
        """
        first = self.broker[0]
        inner = None if first.centre is None else parse_broker(first.centre)
        broker = instead or (self.brokers[0] if inner is None else dataclasses.replace(inner, tls=first.tls))
        check_reachable(self.realm, broker)
        return broker


@dataclasses.dataclass(frozen=True, slots=True)
class CentreHome:
    """The places of one centre."""

    directory: Path

    @property
    def settings(self) -> Path:
        return self.directory / "centre.toml"

    @property
    def keyset(self) -> Path:
        return self.directory / "keyset.cbor"

    @property
    def roots(self) -> Path:
        return self.directory / "roots.cbor"

    @property
    def cold_key(self) -> Path:
        return self.directory / "root-cold.key"

    @property
    def recovery_key(self) -> Path:
        return self.directory / "recovery.key"

    @property
    def records_keys(self) -> tuple[Path, Path]:
        return self.directory / "records-1.key", self.directory / "records-2.key"

    @property
    def recoveries(self) -> Path:
        return self.directory / "recoveries.log"

    @property
    def decisions(self) -> Path:
        return self.directory / "decisions.log"

    @property
    def hot_key(self) -> Path:
        return self.directory / "roots" / "hot.key"

    @property
    def landed_key(self) -> Path:
        return self.directory / "collect" / "landed.key"

    @property
    def opened_key(self) -> Path:
        return self.directory / "explode" / "opened.key"

    @property
    def seal_to_key(self) -> Path:
        return self.directory / "explode" / "seal-to.key"

    @property
    def database(self) -> Path:
        return self.directory / "central.db"

    def read_settings(self) -> Settings:
        """Read centre.toml.

        Raises:
            CentreError: there is no centre here, or the file is not as it should be.
        """
        try:
            return Settings.model_validate(tomllib.loads(self.settings.read_text()))
        except FileNotFoundError:
            raise CentreError(
                f"There is no centre at {self.directory}.",
                next_step="make one with `qafila central init`, or name its --home.",
                code="centre-missing",
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            raise CentreError(
                f"{self.settings} is no TOML.", next_step="correct it by hand.", code="config-refused"
            ) from None
        except pydantic.ValidationError as refused:
            first = refused.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise CentreError(
                f"{self.settings} is refused at `{key}`: {first['msg']}.",
                next_step="correct that key by hand.",
                code="config-refused",
            ) from None

    def read_roots(self) -> tuple[bytes, ...]:
        """The two public roots.

        Raises:
            CentreError: the file is missing or damaged.
        """
        try:
            value = cbor.decode(read_file(self.roots))
        except cbor.MalformedCbor:
            value = None
        roots = tuple(root for root in value if isinstance(root, bytes)) if isinstance(value, list) else ()
        if len(roots) != ROOTS:
            raise CentreError(
                f"{self.roots} is damaged.", next_step="restore it from a backup.", code="centre-damaged"
            )
        return roots

    def read_keyset(self, realm: str) -> Keyset:
        """The keyset, checked against the roots."""
        try:
            return wire_keyset.read(read_file(self.keyset), self.read_roots(), realm)
        except EnvelopeRefused as refused:
            raise CentreError(
                f"{self.keyset} does not fit its roots and realm.",
                next_step="restore it from a backup.",
                code="centre-damaged",
            ) from refused

    def key_file(self, use: Use) -> Path:
        """Where the private key of a use lies.

        Raises:
            KeyError: no key of that use is made yet.
        """
        return {
            Use.LANDED: self.landed_key,
            Use.OPENED: self.opened_key,
            Use.SEAL_TO: self.seal_to_key,
            **{use: self.directory / "down" / f"{use.value}.key" for use in down.USES},
        }[use]

    def read_key(self, use: Use, realm: str) -> bytes:
        """A private key, which is the one that the keyset names for this use.

        With another one every receipt would be refused, and every batch sealed for nobody.

        Raises:
            CentreError: it is missing, damaged, or another key than the keyset names.
        """
        path = self.key_file(use)
        private = read_file(path)
        named = {key.key for key in self.read_keyset(realm).of_use(use)}
        try:
            public = (keys.sealing_public if use is Use.SEAL_TO else keys.signing_public)(private)
        except ValueError:
            public = b""
        if public not in named:
            raise CentreError(
                f"{path} is not the key that the keyset names for {use}.",
                next_step=f"restore it from a backup, or make one with `qafila central keys rotate {use}`.",
                code="centre-key-wrong",
            )
        return private

    def read_down_keys(self) -> tuple[Keyset, dict[Use, bytes]]:
        """The keyset, and the private keys that sign what goes down, those that lie here for this user.

        Raises:
            CentreError: the keyset cannot be read, or a key is not the one that it names.
        """
        realm = self.read_settings().realm
        found: dict[Use, bytes] = {}
        for use in down.USES:
            try:
                found[use] = self.read_key(use, realm)
            except CentreError as error:
                if error.stable_code not in {"centre-key-missing", "centre-key-unreadable"}:
                    raise
        return self.read_keyset(realm), found

    def read_seal_to_keys(self, realm: str) -> tuple[bytes, ...]:
        """The private keys that open what units sealed: the present one, then former ones that lie beside.

        Raises:
            CentreError: the present one is missing, damaged, or another than the keyset names.
        """
        present = self.read_key(Use.SEAL_TO, realm)
        path = self.seal_to_key
        former = sorted(path.parent.glob(f"{path.stem}-*.key"))
        return (present, *(private for each in former if (private := read_file(each)) != present))


def check_reachable(realm: Realm, broker: Broker) -> None:
    """Refuse a broker that neither the centre's processes nor its units will connect to.

    Raises:
        CentreError: it would be reached without TLS beyond this machine or by a centre of real patients.
    """
    if broker.tls:
        return
    if realm != "training":
        raise CentreError(
            "A centre of real patients reaches no broker without TLS.",
            next_step="have one set up with `qafila central broker mosquitto`, or name it as tls://HOST:PORT.",
            code="broker-without-tls",
        )
    if not _on_this_machine(broker.host):
        raise CentreError(
            "A broker without TLS is reached only on this machine.",
            next_step="name a broker on 127.0.0.1, or one with TLS as tls://HOST:PORT.",
            code="broker-without-tls",
        )


def _on_this_machine(host: str) -> bool:
    """Whether an address is loopback; a name other than localhost may come to mean anything."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def settings_text(realm: str, generation: int, brokers: tuple[Broker, ...], centre: str | None = None) -> str:
    """The text of a new centre.toml; ``centre`` is where our processes reach the first broker."""
    lines = [
        "# The centre. Realm and generation belong to its keys: do not edit them.",
        f'realm = "{realm}"',
        f"generation = {generation}",
    ]
    for broker in brokers:
        tls = "true" if broker.tls else "false"
        lines += ["", "[[broker]]", f'host = "{broker.host}"', f"port = {broker.port}", f"tls = {tls}"]
        if centre is not None and broker is brokers[0]:
            lines.append(f'centre = "{centre}"')
    return "\n".join(lines) + "\n"


def parse_broker(text: str) -> Broker:
    """``HOST:PORT`` or ``HOST``, with TLS ``tls://HOST:PORT``; ``[::1]:1883`` for an IPv6 address.

    Raises:
        CentreError: it is neither.
    """
    tls = text.startswith(TLS_SCHEME)
    place = text.removeprefix(TLS_SCHEME)
    bare = place.removeprefix("[")
    host, separator, port = bare.rpartition("]:") if bare != place else bare.rpartition(":")
    if not separator:
        host, port = bare.removesuffix("]"), str(DEFAULT_TLS_PORT if tls else DEFAULT_PORT)
    if not _HOST.fullmatch(host) or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise CentreError(
            f"{text!r} names no broker.",
            next_step="write it as HOST:PORT or tls://HOST:PORT.",
            code="broker-refused",
        )
    return Broker(host, int(port), tls=tls)


def read_file(path: Path) -> bytes:
    """A file the centre cannot do without.

    Raises:
        CentreError: it is missing or not ours to read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CentreError(
            f"{path} is missing.", next_step="restore it from a backup.", code="centre-key-missing"
        ) from None
    except PermissionError:
        raise CentreError(
            f"{path} may not be read by this user.",
            next_step="run this command as the user it belongs to.",
            code="centre-key-unreadable",
        ) from None


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet, readable by its owner only, and have it on the disk."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
