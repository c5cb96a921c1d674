"""Bluetooth thermometers; what is known of them stands in this folder's README.

What the registry takes from here imports its parts when it is called: listing the kinds loads no driver.
"""

from collections.abc import Sequence
from typing import Final

from drivers.codec import uuids
from drivers.decoding import Chunk, Decoded
from drivers.kinds import DeviceKind, DriverContext, Evidence, Looks, Medium
from edge.ports.driver import Driver


def _decode(chunks: Sequence[Chunk]) -> Decoded:
    from drivers.devices.sig_thermometer.readings import decode_chunks

    return decode_chunks(chunks)


def _make_driver(context: DriverContext) -> Driver:
    from drivers.devices.sig_thermometer.driver import FAMILY
    from drivers.setup.session import SetUpDriver

    return SetUpDriver(context, FAMILY)


KIND: Final = DeviceKind(
    kind="sig-thermometer",
    title="Bluetooth thermometer",
    transport=Medium.BLE,
    evidence=Evidence.SPECIFICATION,
    models=("A&D UT-201BLE", "thermometers with service 0x1809"),
    decode=_decode,
    make_driver=_make_driver,
    looks=Looks(services=(uuids.HEALTH_THERMOMETER_SERVICE,)),
)
