"""A pulse oximeter on Bluetooth: its display, its spot checks, and what it keeps."""

import collections
import dataclasses
from collections.abc import Iterable
from typing import Final

from drivers.codec import uuids
from drivers.codec.racp import ABORT, REPORT_ALL
from drivers.codec.record_times import Now
from drivers.devices.sig_oximeter.codec import Feature, decode_features
from drivers.devices.sig_oximeter.readings import continuous, spot_check
from drivers.setup.current_time import SET_CURRENT_TIME
from drivers.setup.ear import Ear, Heard, Manner, Said, Words
from drivers.setup.known import Known
from drivers.setup.line import BleOpening
from drivers.setup.records import Fetch
from drivers.setup.session import Family
from drivers.setup.steps import (
    AskForRecords,
    Bond,
    LookAtClock,
    Read,
    ReadBattery,
    ReadIdentity,
    Require,
    Subscribe,
)
from edge.ports.driver import DeviceError, DeviceMisbehaved
from edge.vitals.reading import Reading

SPEAKS_WITHIN_S: Final = 120.0
"""One that is switched on shows something once a finger is in; without one it may say nothing."""
DISPLAY_STOPS_S: Final = 10.0
"""A display that has begun speaks about once a second."""
TICK_S: Final = 1.0


class OximeterEar(Ear):
    """Hears one meeting with an oximeter. What it keeps is fetched beside what it shows."""

    def __init__(self, known: Known) -> None:
        self._known = known
        asked = _stored(known) is not None and all(one.step != "AskForRecords" for one in known.skipped)
        self._fetch = Fetch(REPORT_ALL, known.now_s()) if asked else None
        self._seen: set[bytes] = set()
        self._untimed: collections.Counter[bytes] = collections.Counter()
        self._failed: DeviceError | None = None

    def hear(self, heard: Heard) -> Iterable[Said]:
        match heard.channel:
            case uuids.PLX_CONTINUOUS:
                yield continuous(heard.raw)
            case uuids.PLX_SPOT_CHECK:
                yield from self._spot_check(heard)
            case uuids.RECORD_ACCESS_CONTROL_POINT if self._fetch is not None:
                self._untimed.clear()
                yield from self._unless_failed(self._fetch.hear(heard.raw, heard.at_s))
            case _:
                pass

    def tick(self, now_s: float) -> Iterable[Said]:
        if self._fetch is not None:
            yield from self._unless_failed(self._fetch.tick(now_s))

    def end(self) -> Iterable[Said]:
        if self._failed is not None:
            yield self._failed

    def _spot_check(self, heard: Heard) -> Iterable[Reading]:
        asked = self._fetch is not None and self._fetch.runs
        reading = spot_check(heard.raw, Now(self._known.wall(), self._known.device_now()), asked=asked)
        if self._fetch is not None:
            self._fetch.record(heard.at_s)
        if reading.record == heard.raw:
            # Kept without a time: the second of two that are alike is another measurement, not the same.
            number = self._untimed[heard.raw]
            self._untimed[heard.raw] += 1
            reading = dataclasses.replace(reading, record=heard.raw + number.to_bytes(2, "little"))
        if reading.record is not None:
            if reading.record in self._seen:
                return
            self._seen.add(reading.record)
        yield reading

    def _unless_failed(self, said: Iterable[Said]) -> Iterable[Said]:
        """What it keeps could not be had: that is told in the end, and what it shows goes on."""
        for one in said:
            if isinstance(one, DeviceError):
                self._failed, self._fetch = one, None
            else:
                yield one


def _stored(known: Known) -> bytes | None:
    """The request for what it keeps, or None for a device that says it keeps nothing."""
    raw = known.values.get(uuids.PLX_FEATURES)
    try:
        return REPORT_ALL if raw and decode_features(raw).bits & Feature.STORAGE else None
    except DeviceMisbehaved:
        return None


FAMILY: Final = Family(
    kind="sig-oximeter",
    words=Words(
        "oximeter",
        silent="put a finger in and hold still.",
        wrong="see that the address in unit.toml is the oximeter's.",
    ),
    opening=BleOpening(service=uuids.PULSE_OXIMETER_SERVICE),
    steps=(
        Bond(),
        Require(uuids.PLX_CONTINUOUS, "measures no saturation", others=(uuids.PLX_SPOT_CHECK,)),
        ReadIdentity(),
        ReadBattery(),
        Read(uuids.PLX_FEATURES),
        LookAtClock(),
        SET_CURRENT_TIME,
        Subscribe(uuids.RECORD_ACCESS_CONTROL_POINT, optional=True),
        Subscribe(uuids.PLX_CONTINUOUS, optional=True),
        Subscribe(uuids.PLX_SPOT_CHECK, optional=True),
        AskForRecords(uuids.RECORD_ACCESS_CONTROL_POINT, _stored, abort=ABORT, optional=True),
    ),
    ear=OximeterEar,
    manner=Manner(
        patience_s=SPEAKS_WITHIN_S,
        after={uuids.PLX_CONTINUOUS: DISPLAY_STOPS_S, uuids.PLX_SPOT_CHECK: SPEAKS_WITHIN_S},
        quiet_ends=True,
        tick_s=TICK_S,
    ),
)
