"""Bluetooth scales; what is known of them stands in this folder's README.

What the registry takes from here imports its parts when it is called: listing the kinds loads no driver.
"""

from collections.abc import Sequence
from typing import Final

from drivers.codec import uuids
from drivers.decoding import Chunk, Decoded
from drivers.kinds import DeviceKind, DriverContext, Evidence, Looks, Medium
from edge.ports.driver import Driver


def _decode(chunks: Sequence[Chunk]) -> Decoded:
    from drivers.devices.sig_scale.readings import decode_chunks

    return decode_chunks(chunks)


def _make_driver(context: DriverContext) -> Driver:
    from drivers.devices.sig_scale.driver import FAMILY
    from drivers.setup.session import SetUpDriver

    return SetUpDriver(context, FAMILY)


KIND: Final = DeviceKind(
    kind="sig-scale",
    title="Bluetooth scale",
    transport=Medium.BLE,
    evidence=Evidence.SPECIFICATION,
    models=("A&D UC-352BLE", "scales with service 0x181D or 0x181B"),
    decode=_decode,
    make_driver=_make_driver,
    looks=Looks(services=(uuids.WEIGHT_SCALE_SERVICE, uuids.BODY_COMPOSITION_SERVICE)),
)
