"""Contec CMS50 finger oximeters; what is known of them stands in this folder's README.

What the registry takes from here imports its parts when it is called: listing the kinds loads no driver.
"""

from collections.abc import Sequence
from typing import Final

from drivers.decoding import Chunk, Decoded
from drivers.kinds import DeviceKind, DriverContext, Evidence, Medium
from edge.ports.driver import Driver


def _decode(chunks: Sequence[Chunk]) -> Decoded:
    from drivers.devices.contec_cms50.display import decode_chunks

    return decode_chunks(chunks)


def _make_driver(context: DriverContext) -> Driver:
    from drivers.devices.contec_cms50.driver import make

    return make(context)


KIND: Final = DeviceKind(
    kind="contec-cms50",
    title="Contec CMS50 finger oximeter",
    transport=Medium.SERIAL,
    evidence=Evidence.SPECIFICATION,
    models=("CMS50D+", "CMS50E", "CMS50F"),
    decode=_decode,
    make_driver=_make_driver,
)
