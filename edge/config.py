"""Where everything of a unit lies, and what its technician may configure.

``unit.toml`` is read once at start. Every key is known here; an unknown one is refused with the nearest
known name, because a misspelt key that is silently ignored is a setting somebody believes in.
"""

import dataclasses
import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.errors import QafilaError

HOME_VARIABLE: Final = "QAFILA_HOME"
UNIT_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{1,30}$"
DEVICE_KEY_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,30}$"

BLE_SCHEME: Final = "ble:"
_BLE_ADDRESS: Final = re.compile(r"^ble:(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$")

_ETC: Final = Path("/etc/qafila")
_VAR: Final = Path("/var/lib/qafila")
_RUN: Final = Path("/run/qafila")


class ConfigRefused(QafilaError):
    """The configuration cannot be used as it stands; a person corrects the named key."""

    code: ClassVar[str] = "config-refused"


class ConfigMissing(ConfigRefused):
    """There is no configuration where one is expected: the unit has not been initialised here."""

    code: ClassVar[str] = "config-missing"


@dataclasses.dataclass(frozen=True, slots=True)
class Places:
    """Every file and directory of one unit.

    Attributes:
        config: ``unit.toml``.
        base: what relative paths in the configuration are relative to.
        store: directory 0700 with the database, the slots and the agent's lock.
        database: the encrypted store.
        slots: the key slots.
        device_secret: where the device secret lies unless the configuration names another place.
        pinned: public files: the unit's request and what enrolment installed.
        spool_out: sealed files, written by the agent, read by the uplink.
        spool_in: receipts and messages, written by the uplink, emptied by the agent.
        uplink: the uplink's own notes.
        socket: the local API.
        central: the centre's home, where a centre lives on this machine too.
    """

    config: Path
    base: Path
    store: Path
    database: Path
    slots: Path
    device_secret: Path
    pinned: Path
    spool_out: Path
    spool_in: Path
    uplink: Path
    socket: Path
    central: Path

    @classmethod
    def at(cls, home: Path | None) -> Self:
        """The places under ``home``, or the system's own when there is none."""
        base = _VAR if home is None else home.absolute()
        return cls(
            config=(_ETC if home is None else base) / "unit.toml",
            base=base,
            store=base / "store",
            database=base / "store" / "qafila.db",
            slots=base / "store" / "slots",
            device_secret=base / "media" / "device.secret",
            pinned=base / "pinned",
            spool_out=base / "spool" / "out",
            spool_in=base / "spool" / "in",
            uplink=base / "uplink",
            socket=(_RUN if home is None else base / "run") / "agent.sock",
            central=base / "central",
        )

    @classmethod
    def from_environment(cls, home: Path | None) -> Self:
        """``home`` when given, else what ``QAFILA_HOME`` says, else the system's places."""
        named = os.environ.get(HOME_VARIABLE)
        return cls.at(home if home is not None or not named else Path(named))

    @property
    def agent_lock(self) -> Path:
        """Held by whoever has the store open."""
        return self.store / "agent.lock"


_LONGEST_SCREEN_S: Final = 120
_LONGEST_STORE_S: Final = 900


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UnitSection(_Section):
    """Which unit this is."""

    id: Annotated[str, Field(pattern=UNIT_PATTERN, description="the unit's name, as the centre knows it")]
    realm: Annotated[
        Literal["production", "training"], Field(description="fixed when the unit is made; never mixes")
    ]


class SecuritySection(_Section):
    """What opens the store beside a person."""

    device_secret: Annotated[
        str, Field(description="the device-secret file; relative to the home directory")
    ] = "media/device.secret"  # noqa: S105  a path, not a secret
    device_secret_copy: Annotated[
        str | None,
        Field(description="its second copy, on a medium that is kept elsewhere and put in once a month"),
    ] = None
    device_secret_credential: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9_.-]{1,64}$",
            description="the systemd credential that holds it, asked before any file",
        ),
    ] = None
    device_secret_helper: Annotated[
        tuple[str, ...],
        Field(max_length=16, description="a command of root's that prints it, asked before any file"),
    ] = ()


class LocksSection(_Section):
    """When nobody is there."""

    screen_s: Annotated[
        int,
        Field(
            ge=10,
            le=86_400,
            description="seconds without a sign of a person until a session asks for the PIN again;"
            " more than 120 in training only",
        ),
    ] = _LONGEST_SCREEN_S
    store_s: Annotated[
        int,
        Field(
            ge=60,
            le=86_400,
            description="seconds without visit, measurement and request until the store locks;"
            " more than 900 in training only",
        ),
    ] = _LONGEST_STORE_S

    def check_production(self) -> None:
        """Refuse what only an exercise may have."""
        if self.screen_s > _LONGEST_SCREEN_S or self.store_s > _LONGEST_STORE_S:
            raise ValueError("locks later than 120 s and 900 s belong to the training realm")


class SealSection(_Section):
    """How entries leave."""

    batch: Annotated[int, Field(ge=1, le=4096, description="how many entries a merged batch aims at")] = 200


class LinkSection(_Section):
    """The way to the centre, and what it may cost."""

    profile: Annotated[
        Literal["satellite", "2g", "4g", "wifi"],
        Field(description="what kind of link it is: how patient to be, and how many bytes a day"),
    ] = "4g"
    day_mb: Annotated[
        int | None,
        Field(ge=0, le=1_000_000, description="megabytes the link may carry in a day; 0 without bound"),
    ] = None


class KeepingSection(_Section):
    """How long what the centre has opened is kept here; what it has not is kept for ever."""

    values_days: Annotated[
        int,
        Field(ge=30, le=3650, description="values and alerts of a visit, but for a patient's last one"),
    ] = 400
    waves_days: Annotated[int, Field(ge=1, le=3650, description="samples of ECG and other waves")] = 7
    frames_days: Annotated[int, Field(ge=1, le=400, description="the bytes that devices sent")] = 7


class ClockSection(_Section):
    """How far the machine's clock is trusted."""

    quality: Annotated[
        Literal["none", "operator", "rtc", "ntp", "gnss", "centre"],
        Field(description="where the machine's wall time comes from"),
    ] = "none"
    scale: Annotated[
        float,
        Field(gt=0, le=10_000, description="seconds of wall time in a second; other than 1 in training"),
    ] = 1.0


class SocketSection(_Section):
    """Who may speak to the agent."""

    refuse: Annotated[tuple[str, ...], Field(description="users whose connections are refused, by name")] = (
        "qafila-uplink",
    )
    group: Annotated[
        str | None, Field(description="group that owns the socket; unset keeps the agent's own")
    ] = None


class DeviceSection(_Section):
    """One device."""

    key: Annotated[str, Field(pattern=DEVICE_KEY_PATTERN, description="what people call it; unique")]
    kind: Annotated[str, Field(description="a kind of `qafila devices kinds`")]
    port: Annotated[
        str,
        Field(
            min_length=1,
            description="serial port, best by its /dev/serial/by-id name; or ble: and an address",
        ),
    ]
    simulated: Annotated[bool, Field(description="true for a simulator; training realm only")] = False
    options: Annotated[
        dict[str, str],
        Field(max_length=8, description='what the kind has to be told beside, such as { model = "…" }'),
    ] = {}

    @property
    def bluetooth(self) -> bool:
        """Whether it is reached by radio."""
        return self.port.startswith(BLE_SCHEME)


class RadioSection(_Section):
    """The Bluetooth adapter."""

    backend: Annotated[
        Literal["bluez", "virtual"],
        Field(description="bluez for a real adapter; virtual for simulated devices, training realm only"),
    ] = "bluez"
    adapter: Annotated[
        str,
        Field(pattern=r"^hci[0-9]{1,2}$", description="which adapter of the machine, as `bluetoothctl list`"),
    ] = "hci0"
    virtual: Annotated[
        str | None,
        Field(
            pattern=r"^(unix:.+|tcp:127\.0\.0\.1:[0-9]{1,5})$",
            description="where simulated devices are: unix:PATH, relative to home, or tcp:127.0.0.1:PORT",
        ),
    ] = None
    pairing_window_s: Annotated[
        int,
        Field(
            ge=0,
            le=3600,
            description="for how long after its start the agent lets enrolled devices be paired; 0 for never",
        ),
    ] = 0


class UnitConfig(_Section):
    """The whole of ``unit.toml``."""

    unit: UnitSection
    security: SecuritySection = SecuritySection()
    locks: LocksSection = LocksSection()
    seal: SealSection = SealSection()
    link: LinkSection = LinkSection()
    keeping: KeepingSection = KeepingSection()
    clock: ClockSection = ClockSection()
    socket: SocketSection = SocketSection()
    radio: RadioSection = RadioSection()
    device: tuple[DeviceSection, ...] = ()

    @model_validator(mode="after")
    def _rules_between_keys(self) -> Self:
        keys = [device.key for device in self.device]
        if len(set(keys)) < len(keys):
            raise ValueError("two devices share one key")
        if self.unit.realm == "production":
            self.locks.check_production()
            if self.clock.scale != 1.0:
                raise ValueError("clock.scale other than 1 belongs to the training realm")
            if any(device.simulated for device in self.device):
                raise ValueError("a simulated device belongs to the training realm")
            if self.radio.backend == "virtual":
                raise ValueError("a virtual radio belongs to the training realm")
            if any(device.bluetooth and not _BLE_ADDRESS.match(device.port) for device in self.device):
                raise ValueError("a Bluetooth device is enrolled by its address, as ble:AA:BB:CC:DD:EE:FF")
        if self.radio.backend == "virtual":
            if self.radio.virtual is None:
                raise ValueError("radio.virtual says where the simulated devices are; it is missing")
            if any(device.bluetooth and not device.simulated for device in self.device):
                raise ValueError("a device on a virtual radio is simulated, and must say so")
        return self

    def device_secret(self, places: Places) -> Path:
        """Where the device secret lies."""
        return places.base / self.security.device_secret

    def device_secret_copy(self, places: Places) -> Path | None:
        """Where its second copy lies, when it is in."""
        copy = self.security.device_secret_copy
        return None if copy is None else places.base / copy

    def virtual_radio(self, places: Places) -> str | None:
        """Where the simulated air is; None for a real adapter."""
        where = self.radio.virtual if self.radio.backend == "virtual" else None
        if where is None or not where.startswith("unix:"):
            return where
        return f"unix:{places.base / where.removeprefix('unix:')}"


def load(path: Path) -> UnitConfig:
    """Read and check ``unit.toml``.

    Raises:
        ConfigMissing: there is none.
        ConfigRefused: it is no TOML, a key is unknown or missing, or a value is not allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigMissing(
            f"There is no configuration at {path}.",
            next_step="Make the unit with `qafila unit init`, or name its directory with --home.",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigRefused(
            f"The configuration at {path} cannot be read.", next_step="Check that it is a readable text file."
        ) from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigRefused(f"{path} is not TOML: {error}.", next_step="Correct that line.") from error
    try:
        return UnitConfig.model_validate(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        # A misspelt key is a missing one too; its spelling is what helps.
        first = min(found, key=lambda each: each["type"] != "extra_forbidden")
        raise _refused(path, text, first["loc"], first["type"], first["msg"]) from error


def _refused(path: Path, text: str, where: tuple[int | str, ...], kind: str, message: str) -> ConfigRefused:
    name = ".".join(str(part) for part in where)
    line = _line_of(text, where)
    at = f"{path}, line {line}" if line else str(path)
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(where[-1]), _known_keys(where[:-1]), n=1, cutoff=0.5)
        return ConfigRefused(
            f"{at}: the key `{name}` is unknown.",
            next_step=f"Did you mean `{near[0]}`?" if near else "Remove it.",
        )
    if kind == "missing":
        return ConfigRefused(f"{at}: the key `{name}` is missing.", next_step="Add it.")
    reason = message.removeprefix("Value error, ")
    subject = f"`{name}`: {reason}" if name else reason
    return ConfigRefused(f"{at}: {subject}.", next_step="Correct the value.")


def _known_keys(section: tuple[int | str, ...]) -> list[str]:
    """The keys allowed in a section, followed through the models."""
    model: Any = UnitConfig
    for part in section:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        arguments = getattr(annotation, "__args__", ())
        model = arguments[0] if arguments else annotation
    return list(model.model_fields)


def _line_of(text: str, where: tuple[int | str, ...]) -> int | None:
    """The line that names the last key of ``where``, as far as a look at the text can tell."""
    names = [part for part in where if isinstance(part, str)]
    nth = next((part for part in where if isinstance(part, int)), 0)
    if not names:
        return None
    header = re.compile(rf"^\s*\[\[?\s*{re.escape(names[0])}\s*\]\]?")
    starts = [number for number, line in enumerate(text.splitlines(), 1) if header.match(line)]
    if len(names) == 1:
        return starts[0] if starts else _find_key(text, names[0], 0)
    if nth >= len(starts):
        return None
    return _find_key(text, names[-1], starts[nth]) or starts[nth]


def _find_key(text: str, key: str, after: int) -> int | None:
    pattern = re.compile(rf"^\s*\"?{re.escape(key)}\"?\s*=")
    for number, line in enumerate(text.splitlines(), 1):
        if number > after and pattern.match(line):
            return number
        if number > after and after and line.lstrip().startswith("["):
            return None
    return None


_INITIAL: Final = """\
# The configuration of this unit; every key is described in docs/reference/configuration.md.

[unit]
id = "{unit}"
realm = "{realm}"

[security]
device_secret = "media/device.secret"   # relative to the unit's home directory

[seal]
batch = 200                             # entries a merged batch aims at

[clock]
quality = "none"                        # none, operator, rtc, ntp, gnss or centre

# One block for each device; `qafila devices kinds` lists the kinds.
# [[device]]
# key = "oximeter-1"
# kind = "contec-cms50"
# port = "/dev/serial/by-id/usb-..."
"""


def check_unit(unit: str, realm: str) -> None:
    """Say whether a unit may be called so.

    Raises:
        ConfigRefused: the unit's name or realm is not allowed.
    """
    try:
        UnitConfig.model_validate({"unit": {"id": unit, "realm": realm}})
    except ValidationError as error:
        raise ConfigRefused(
            f"The unit's name `{unit}` or realm `{realm}` is not allowed.",
            next_step="Use 2 to 31 of a-z, 0-9 and hyphen, such as van-07; realm production or training.",
        ) from error


def write_initial(places: Places, unit: str, realm: str) -> None:
    """Write the first ``unit.toml``, durably and only where none stands.

    Raises:
        ConfigRefused: the unit's name or realm is not allowed, or a configuration exists.
    """
    check_unit(unit, realm)
    text = _INITIAL.format(unit=unit, realm=realm)
    places.config.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(places.config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError as error:
        raise ConfigRefused(
            f"There is a configuration at {places.config} already.",
            next_step="A unit is made once; choose another directory with --home for another unit.",
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
