"""The events of the local API."""

import uuid
from typing import Literal

from edge.localapi.shapes import (
    ClockShown,
    IdentityShown,
    Message,
    PlaceShown,
    Saved,
    ShownValue,
    StreamShown,
    Word,
)


class ReadingEvent(Message):
    """What a device shows now; ``settled``: steady enough that it was or may be kept.

    ``finished``: one measurement and its end, not the present moment of a display that goes on.
    ``old``: it comes out of the device's memory and is nobody's present value; `device_time` and
    `clock_off_s` as in ObservationShown.
    """

    device: str
    values: tuple[ShownValue, ...]
    flags: tuple[str, ...]
    settled: bool
    finished: bool = False
    old: bool = False
    device_time: str | None = None
    clock_off_s: int | None = None


class WaveEvent(Message):
    """Consecutive samples. Those waiting for a slow screen are joined; the oldest fall out.

    ``gap``: samples before these were lost, so they do not follow the ones before. ``off``: the device
    says that its sensor is not on the skin; these are no signal, and a flat line of them is no asystole.
    """

    device: str
    code: str
    lead: str | None
    rate: str
    samples: tuple[int, ...]
    gap: bool = False
    off: bool = False


class SavedEvent(Saved):
    """Something was committed, by this or another connection or by a device."""

    what: str
    patient: uuid.UUID | None = None


class NotSavedEvent(Message):
    """A device's reading could not be stored; nothing of it is kept."""

    device: str
    code: str
    sentence: str
    next: str


class StreamsEvent(Message):
    """Tips or watermarks moved."""

    streams: dict[Word, StreamShown]


class DeviceEvent(Message):
    """A device came or went, was added, or says something else of itself (``identity``, as its battery)."""

    key: str
    state: Literal["starting", "present", "gone"]
    code: str | None
    kind: str | None = None
    on_command: bool = False
    identity: IdentityShown | None = None


class DeviceForgotten(Message):
    """A device is no longer listened to."""

    key: str


class UnitEvent(Message):
    """What is known of the unit itself has changed: its clock, or where it stands.

    ``place`` is null while no receiver knows it.
    """

    clock: ClockShown
    place: PlaceShown | None


class PlaceEvent(Message):
    """What a satellite receiver says now, for whoever listens to that device.

    ``at``: its time in UTC, when it calls that valid; ``steady``: for so long that a clock is compared with
    it. Degrees on WGS 84, or in ``missing`` why there is no position.
    """

    device: str
    at: str | None
    steady: bool
    latitude: str | None = None
    longitude: str | None = None
    altitude_m: str | None = None
    missing: str | None = None
    satellites: int | None = None
    hdop: str | None = None


class PasskeyAsked(Message):
    """The device that is being paired shows a passkey: read it, and send ``device.passkey``."""

    device: str


class RecordedEvent(Message):
    """The next piece of a recording's file, in base64."""

    device: str
    piece: str


class Heartbeat(Message):
    """Every second; a screen that misses two greys its numbers. ``problem``: as in ``status``."""

    wall_ms: int
    problem: str | None = None


class ErrorEvent(Message):
    """Why the connection ends: ``slow-client``, ``line-too-long``, ``not-understood``, ``peer-refused``."""

    code: str
    sentence: str
    next: str
