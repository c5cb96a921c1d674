"""The devices we know, one line each."""

from typing import Final

from drivers.devices import (
    berry_bci,
    contec_cms50,
    creative_pc300,
    healthypi,
    nmea_gps,
    nonin,
    omron_hem,
    polar_h10,
    sig_bp,
    sig_glucose,
    sig_heart_rate,
    sig_oximeter,
    sig_scale,
    sig_thermometer,
    suntech_nibp,
    viatom_pc60fw,
    wellue_o2ring,
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
        sig_thermometer.KIND,
        sig_scale.KIND,
        nmea_gps.KIND,
        nonin.KIND,
        suntech_nibp.KIND,
        healthypi.KIND,
        berry_bci.KIND,
        wellue_o2ring.KIND,
        viatom_pc60fw.KIND,
        creative_pc300.KIND,
        omron_hem.KIND,
        # one line for each further device
    )
}
