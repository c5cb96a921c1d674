"""A thermometer on Bluetooth: it tells what it measured, and what it kept, and hangs up."""

import contextlib
from collections.abc import Iterable
from typing import Final

from drivers.codec import uuids
from drivers.codec.record_times import Now
from drivers.devices.sig_thermometer.codec import decode_site
from drivers.devices.sig_thermometer.readings import intermediate, measurement
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

SPEAKS_WITHIN_S: Final = 300.0
"""One that connects before it measures has so long: under an arm it takes minutes."""
QUIET_FOR_S: Final = 5.0
"""After its last measurement one that does not hang up is left."""


class ThermometerEar(Ear):
    """Hears one meeting with a thermometer."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._site: int | None = None
        with contextlib.suppress(DeviceMisbehaved, KeyError):
            self._site = decode_site(known.values[uuids.TEMPERATURE_TYPE])
        self._seen: set[bytes] = set()

    def hear(self, heard: Heard) -> Iterable[Said]:
        if heard.channel == uuids.INTERMEDIATE_TEMPERATURE:
            yield intermediate(heard.raw, self._site)
        elif heard.channel == uuids.TEMPERATURE_MEASUREMENT and heard.raw not in self._seen:
            self._seen.add(heard.raw)  # what comes again in one session is not another measurement
            yield measurement(heard.raw, Now(self._known.wall(), self._known.device_now()), self._site)


FAMILY: Final = Family(
    kind="sig-thermometer",
    words=Words(
        "thermometer",
        silent="switch it on again near the box.",
        wrong="see that the address in unit.toml is the thermometer's.",
    ),
    opening=BleOpening(service=uuids.HEALTH_THERMOMETER_SERVICE),
    steps=(
        Bond(),
        Require(uuids.TEMPERATURE_MEASUREMENT, "measures no temperature"),
        ReadIdentity(),
        ReadBattery(),
        Read(uuids.TEMPERATURE_TYPE),
        LookAtClock(),
        SetDateTime(),
        SetCurrentTimeWhenTold(),
        Subscribe(uuids.INTERMEDIATE_TEMPERATURE, optional=True),
        # The last thing asked: it pours out what it has as soon as somebody listens.
        Subscribe(uuids.TEMPERATURE_MEASUREMENT),
    ),
    ear=ThermometerEar,
    manner=Manner(
        patience_s=SPEAKS_WITHIN_S,
        after={
            uuids.TEMPERATURE_MEASUREMENT: QUIET_FOR_S,
            uuids.INTERMEDIATE_TEMPERATURE: SPEAKS_WITHIN_S,
        },
        quiet_ends=True,
    ),
)
