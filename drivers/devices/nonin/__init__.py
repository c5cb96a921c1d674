"""Nonin oximeters on a serial port; what is known of them stands in this folder's README.

What the registry takes from here imports its parts when it is called: listing the kinds loads no driver.
"""

from collections.abc import Sequence
from typing import Final

from drivers.decoding import Chunk, Decoded
from drivers.kinds import DeviceKind, DriverContext, Evidence, Medium
from edge.ports.driver import Driver


def _decode(chunks: Sequence[Chunk]) -> Decoded:
    from drivers.devices.nonin.display import decode_chunks

    return decode_chunks(chunks)


def _make_driver(context: DriverContext) -> Driver:
    from drivers.devices.nonin.driver import make

    return make(context)


KIND: Final = DeviceKind(
    kind="nonin",
    title="Nonin oximeter",
    transport=Medium.SERIAL,
    evidence=Evidence.SPECIFICATION,
    models=("Xpod", "OEM III", "3012LP", "8500 (real-time output)", "WristOx2 3150", "Onyx II 9560"),
    decode=_decode,
    make_driver=_make_driver,
)
