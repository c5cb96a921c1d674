"""A blood pressure cuff on Bluetooth: it wakes up, tells what it measured, and hangs up."""

from collections.abc import Iterable
from typing import Final

from drivers.codec import uuids
from drivers.devices.sig_bp.codec import decode_features
from drivers.devices.sig_bp.readings import Now, cuff_pressure, measurement
from drivers.setup.ear import Ear, Heard, Manner, Said, Words
from drivers.setup.known import Known
from drivers.setup.line import BleOpening
from drivers.setup.session import Family
from drivers.setup.steps import (
    Bond,
    LookAtClock,
    Read,
    ReadBattery,
    ReadIdentity,
    Require,
    SetCurrentTimeWhenTold,
    SetDateTime,
    Subscribe,
)
from edge.ports.driver import DeviceMisbehaved

SPEAKS_WITHIN_S: Final = 120.0
"""A cuff that connects before it measures has so long; a measurement takes less than a minute."""
QUIET_FOR_S: Final = 5.0
"""After its last measurement a cuff that does not hang up is left."""


class CuffEar(Ear):
    """Hears one meeting with a cuff."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._features = _features(known.values.get(uuids.BLOOD_PRESSURE_FEATURE))
        self._seen: set[bytes] = set()

    def hear(self, heard: Heard) -> Iterable[Said]:
        if heard.channel == uuids.INTERMEDIATE_CUFF_PRESSURE:
            yield cuff_pressure(heard.raw)
        elif heard.channel == uuids.BLOOD_PRESSURE_MEASUREMENT and heard.raw not in self._seen:
            self._seen.add(heard.raw)  # what comes again in one session is not another measurement
            now = Now(self._known.wall(), self._known.device_now(), self._features)
            yield measurement(heard.raw, now)


FAMILY: Final = Family(
    kind="sig-bp",
    words=Words(
        "cuff",
        silent="switch it on again near the box.",
        wrong="see that the address in unit.toml is the cuff's.",
    ),
    opening=BleOpening(service=uuids.BLOOD_PRESSURE_SERVICE),
    steps=(
        Bond(),
        Require(uuids.BLOOD_PRESSURE_MEASUREMENT, "measures no blood pressure"),
        ReadIdentity(),
        ReadBattery(),
        Read(uuids.BLOOD_PRESSURE_FEATURE),
        LookAtClock(),
        SetDateTime(),
        SetCurrentTimeWhenTold(),
        Subscribe(uuids.INTERMEDIATE_CUFF_PRESSURE, optional=True),
        # The last thing asked: a cuff pours out what it has as soon as somebody listens.
        Subscribe(uuids.BLOOD_PRESSURE_MEASUREMENT),
    ),
    ear=CuffEar,
    manner=Manner(
        patience_s=SPEAKS_WITHIN_S,
        after={
            uuids.BLOOD_PRESSURE_MEASUREMENT: QUIET_FOR_S,
            uuids.INTERMEDIATE_CUFF_PRESSURE: SPEAKS_WITHIN_S,
        },
        quiet_ends=True,
    ),
)


def _features(raw: bytes | None) -> int | None:
    try:
        return None if raw is None else decode_features(raw)
    except DeviceMisbehaved:
        return None
