"""Creative PC-300 and PC-100 spot-check monitors; what is known of them stands in this folder's README."""

from collections.abc import Sequence
from typing import Final

from drivers.decoding import Chunk, Decoded
from drivers.kinds import DeviceKind, DriverContext, Evidence, Looks, Medium
from edge.ports.driver import Driver


def _decode(chunks: Sequence[Chunk]) -> Decoded:
    from drivers.devices.creative_pc300.readings import decode_chunks

    return decode_chunks(chunks)


def _make_driver(context: DriverContext) -> Driver:
    from drivers.devices.creative_pc300.driver import make_driver

    return make_driver(context)


KIND: Final = DeviceKind(
    kind="creative-pc300",
    title="Creative PC-300 spot-check monitor",
    transport=Medium.BLE,
    evidence=Evidence.SPECIFICATION,
    models=("Creative PC-300SNT", "Creative PC-303", "Creative PC-100", "Creative PC-102"),
    decode=_decode,
    make_driver=_make_driver,
    looks=Looks(names=("PC_300SNT", "PC-300", "PC-100", "PC_100")),
)
