"""Bluetooth glucose meters; what is known of them stands in this folder's README.

What the registry takes from here imports its parts when it is called: listing the kinds loads no driver.
"""

from collections.abc import Sequence
from typing import Final

from drivers.codec import uuids
from drivers.decoding import Chunk, Decoded
from drivers.kinds import DeviceKind, DriverContext, Evidence, Looks, Medium
from edge.ports.driver import Driver


def _decode(chunks: Sequence[Chunk]) -> Decoded:
    from drivers.devices.sig_glucose.readings import decode_chunks

    return decode_chunks(chunks)


def _make_driver(context: DriverContext) -> Driver:
    from drivers.devices.sig_glucose.driver import make_driver

    return make_driver(context)


KIND: Final = DeviceKind(
    kind="sig-glucose",
    title="Bluetooth glucose meter",
    transport=Medium.BLE,
    evidence=Evidence.SPECIFICATION,
    models=("Accu-Chek Guide", "Accu-Chek Instant", "Contour Next One", "meters with service 0x1808"),
    decode=_decode,
    make_driver=_make_driver,
    looks=Looks(services=(uuids.GLUCOSE_SERVICE,)),
)
