"""A scale on Bluetooth: it tells what it weighed, and what it kept, and hangs up."""

import dataclasses
import datetime
from collections.abc import Iterable
from typing import Final, TypeAlias

from drivers.codec import uuids
from drivers.codec.record_times import Now
from drivers.devices.sig_scale.readings import Halves, body, incomplete, weight
from drivers.setup.ear import Ear, Heard, Manner, Said, Words
from drivers.setup.known import Known
from drivers.setup.line import BleOpening
from drivers.setup.session import Family
from drivers.setup.steps import (
    Bond,
    LookAtClock,
    ReadBattery,
    ReadIdentity,
    Require,
    SetCurrentTimeWhenTold,
    SetDateTime,
    Subscribe,
)
from edge.vitals.codes import Code
from edge.vitals.quantity import Quantity
from edge.vitals.reading import Reading

SPEAKS_WITHIN_S: Final = 120.0
"""One that connects when somebody steps on it has so long."""
QUIET_FOR_S: Final = 5.0
"""After its last measurement one that does not hang up is left."""


_Weighing: TypeAlias = tuple[datetime.datetime | None, Quantity]


class ScaleEar(Ear):
    """Hears one meeting with a scale."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._halves = Halves()
        self._seen: set[bytes] = set()
        self._told: dict[str, set[_Weighing]] = {}

    def hear(self, heard: Heard) -> Iterable[Said]:
        lost: bytes | None = None
        reading: Reading | None = None
        if heard.channel == uuids.WEIGHT_MEASUREMENT:
            reading = weight(heard.raw, self._now)
        elif heard.channel == uuids.BODY_COMPOSITION_MEASUREMENT:
            whole, lost = self._halves.hear(heard.raw)
            reading = None if whole is None else body(*whole, self._now)
        if reading is not None and reading.raw not in self._seen:
            self._seen.add(reading.raw)  # what comes again in one session is not another measurement
            yield from self._once(heard.channel, reading)
        if lost is not None:
            raise incomplete(lost)

    def end(self) -> Iterable[Said]:
        lost = self._halves.end()
        if lost is not None:
            yield incomplete(lost)

    @property
    def _now(self) -> Now:
        return Now(self._known.wall(), self._known.device_now())

    def _once(self, channel: str, reading: Reading) -> Iterable[Reading]:
        """The reading, without a weight that the scale has told by its other characteristic too."""
        mass = dict(reading.values).get(Code.WEIGHT)
        if isinstance(mass, Quantity):
            weighing = reading.at, mass
            if any(weighing in told for other, told in self._told.items() if other != channel):
                reading = _without_weight(reading)
            self._told.setdefault(channel, set()).add(weighing)
        if reading.values:
            yield reading


def _without_weight(reading: Reading) -> Reading:
    values = tuple(pair for pair in reading.values if pair[0] is not Code.WEIGHT)
    converted = tuple(one for one in reading.converted if one[0] is not Code.WEIGHT)
    return dataclasses.replace(reading, values=values, converted=converted)


FAMILY: Final = Family(
    kind="sig-scale",
    words=Words(
        "scale",
        silent="step on it near the box.",
        wrong="see that the address in unit.toml is the scale's.",
    ),
    opening=BleOpening(service=uuids.WEIGHT_SCALE_SERVICE),
    steps=(
        Bond(),
        Require(uuids.WEIGHT_MEASUREMENT, "weighs nobody", others=(uuids.BODY_COMPOSITION_MEASUREMENT,)),
        ReadIdentity(),
        ReadBattery(),
        LookAtClock(),
        SetDateTime(),
        SetCurrentTimeWhenTold(),
        # The last things asked: it pours out what it has as soon as somebody listens.
        Subscribe(uuids.WEIGHT_MEASUREMENT, if_there=True),
        Subscribe(uuids.BODY_COMPOSITION_MEASUREMENT, if_there=True),
    ),
    ear=ScaleEar,
    manner=Manner(
        patience_s=SPEAKS_WITHIN_S,
        after={
            uuids.WEIGHT_MEASUREMENT: QUIET_FOR_S,
            uuids.BODY_COMPOSITION_MEASUREMENT: QUIET_FOR_S,
        },
        quiet_ends=True,
    ),
)
