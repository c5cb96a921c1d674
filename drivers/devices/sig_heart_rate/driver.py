"""A heart rate sensor on Bluetooth: heart rate and intervals once a second, as long as it is worn."""

from collections.abc import Iterable
from typing import Final

from drivers.codec import uuids
from drivers.codec.heart_rate import decode_heart_rate, heart_rate_reading
from drivers.setup.ear import Ear, Heard, Manner, Said, Words
from drivers.setup.line import BleOpening
from drivers.setup.session import Family
from drivers.setup.steps import ReadBattery, ReadIdentity, Require, Subscribe

SILENCE_S: Final = 10.0
"""It says a heart rate about once a second, worn or not; some say none while they are off the skin."""
REFUSALS_IN_A_ROW: Final = 5


class HeartRateEar(Ear):
    """Hears one meeting with a sensor."""

    def hear(self, heard: Heard) -> Iterable[Said]:
        if heard.channel == uuids.HEART_RATE_MEASUREMENT:
            yield heart_rate_reading(decode_heart_rate(heard.raw), heard.raw)


FAMILY: Final = Family(
    kind="sig-heart-rate",
    words=Words(
        "heart rate sensor",
        silent="wet its electrodes and put it on; change its battery if that does not help.",
        wrong="see that the address in unit.toml is the sensor's.",
    ),
    opening=BleOpening(service=uuids.HEART_RATE_SERVICE),
    steps=(
        Require(uuids.HEART_RATE_MEASUREMENT, "measures no heart rate"),
        ReadIdentity(),
        ReadBattery(),
        Subscribe(uuids.HEART_RATE_MEASUREMENT),
    ),
    ear=lambda _known: HeartRateEar(),
    manner=Manner(patience_s=SILENCE_S, refusals_in_a_row=REFUSALS_IN_A_ROW),
)
