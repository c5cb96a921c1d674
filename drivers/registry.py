"""The devices we know, one line each."""

from typing import Final

from drivers.devices import (
    contec_cms50,
    nmea_gps,
    nonin,
    polar_h10,
    sig_bp,
    sig_glucose,
    sig_heart_rate,
    sig_oximeter,
    suntech_nibp,
)
from drivers.kinds import DeviceKind

KINDS: Final[dict[str, DeviceKind]] = {
    kind.kind: kind
    for kind in (
        contec_cms50.KIND,
        polar_h10.KIND,
        sig_bp.KIND,
        sig_glucose.KIND,
        sig_heart_rate.KIND,
        sig_oximeter.KIND,
        nmea_gps.KIND,
        nonin.KIND,
        suntech_nibp.KIND,
        # one line for each further device
    )
}
