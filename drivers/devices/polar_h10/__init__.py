"""The Polar H10 chest strap; what is known of it stands in this folder's README.

What the registry takes from here imports its parts when it is called: listing the kinds loads no driver.
"""

from collections.abc import Sequence
from typing import Final

from drivers.decoding import Chunk, Decoded
from drivers.kinds import DeviceKind, DriverContext, Evidence, Looks, Medium
from edge.ports.driver import Driver


def _decode(chunks: Sequence[Chunk]) -> Decoded:
    from drivers.devices.polar_h10.readings import decode_chunks

    return decode_chunks(chunks)


def _make_driver(context: DriverContext) -> Driver:
    from drivers.devices.polar_h10.driver import FAMILY
    from drivers.setup.session import SetUpDriver

    return SetUpDriver(context, FAMILY)


KIND: Final = DeviceKind(
    kind="polar-h10",
    title="Polar H10 chest strap",
    transport=Medium.BLE,
    evidence=Evidence.SPECIFICATION,
    models=("Polar H10",),
    decode=_decode,
    make_driver=_make_driver,
    looks=Looks(names=("Polar H10",)),
)
