"""Names of characteristics: 16 and 32 bit short forms of the Bluetooth base UUID, and 128 bit ones.

Everywhere inside a UUID is its 128-bit text in lower case. Source: Bluetooth Assigned Numbers.
"""

import re
import uuid
from typing import Final

_BASE: Final = "-0000-1000-8000-00805f9b34fb"
_SHORT: Final = re.compile(r"^(?:0x)?(?:[0-9a-f]{4}|[0-9a-f]{8})$")
_WITH_DASHES: Final = re.compile(r"^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
_WITHOUT_DASHES: Final = re.compile(r"^[0-9a-f]{32}$")


def full(text: str) -> str:
    """The 128-bit text of a UUID given as people write it: ``2A35``, ``0x2A35``, with or without dashes.

    Raises:
        ValueError: it is none.
    """
    plain = text.lower()
    if _SHORT.match(plain):
        return plain.removeprefix("0x").rjust(8, "0") + _BASE
    if _WITH_DASHES.match(plain) or _WITHOUT_DASHES.match(plain):
        return str(uuid.UUID(plain))
    raise ValueError("not a UUID")


BLOOD_PRESSURE_SERVICE: Final = full("1810")
BLOOD_PRESSURE_MEASUREMENT: Final = full("2A35")
INTERMEDIATE_CUFF_PRESSURE: Final = full("2A36")
BLOOD_PRESSURE_FEATURE: Final = full("2A49")

HEART_RATE_SERVICE: Final = full("180D")
HEART_RATE_MEASUREMENT: Final = full("2A37")
BODY_SENSOR_LOCATION: Final = full("2A38")

PULSE_OXIMETER_SERVICE: Final = full("1822")
PLX_SPOT_CHECK: Final = full("2A5E")
PLX_CONTINUOUS: Final = full("2A5F")
PLX_FEATURES: Final = full("2A60")

HEALTH_THERMOMETER_SERVICE: Final = full("1809")
TEMPERATURE_MEASUREMENT: Final = full("2A1C")
TEMPERATURE_TYPE: Final = full("2A1D")
INTERMEDIATE_TEMPERATURE: Final = full("2A1E")
MEASUREMENT_INTERVAL: Final = full("2A21")

WEIGHT_SCALE_SERVICE: Final = full("181D")
WEIGHT_MEASUREMENT: Final = full("2A9D")
WEIGHT_SCALE_FEATURE: Final = full("2A9E")

BODY_COMPOSITION_SERVICE: Final = full("181B")
BODY_COMPOSITION_FEATURE: Final = full("2A9B")
BODY_COMPOSITION_MEASUREMENT: Final = full("2A9C")

GLUCOSE_SERVICE: Final = full("1808")
GLUCOSE_MEASUREMENT: Final = full("2A18")
GLUCOSE_CONTEXT: Final = full("2A34")
GLUCOSE_FEATURE: Final = full("2A51")

RECORD_ACCESS_CONTROL_POINT: Final = full("2A52")

CURRENT_TIME_SERVICE: Final = full("1805")
CURRENT_TIME: Final = full("2A2B")
DATE_TIME: Final = full("2A08")

BATTERY_SERVICE: Final = full("180F")
BATTERY_LEVEL: Final = full("2A19")

DEVICE_INFORMATION_SERVICE: Final = full("180A")
SYSTEM_ID: Final = full("2A23")
MODEL_NUMBER: Final = full("2A24")
SERIAL_NUMBER: Final = full("2A25")
FIRMWARE_REVISION: Final = full("2A26")
HARDWARE_REVISION: Final = full("2A27")
SOFTWARE_REVISION: Final = full("2A28")
MANUFACTURER_NAME: Final = full("2A29")

POLAR_SERVICE: Final = full("FB005C80-02E7-F387-1CAD-8ACD2D8DF0C8")
POLAR_CONTROL_POINT: Final = full("FB005C81-02E7-F387-1CAD-8ACD2D8DF0C8")
POLAR_DATA: Final = full("FB005C82-02E7-F387-1CAD-8ACD2D8DF0C8")
