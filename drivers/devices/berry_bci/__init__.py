"""BerryMed and other BCI finger oximeters; what is known of them stands in this folder's README."""

from collections.abc import Sequence
from typing import Final

from drivers.decoding import Chunk, Decoded
from drivers.kinds import DeviceKind, DriverContext, Evidence, Looks, Medium
from edge.ports.driver import Driver


def _decode(chunks: Sequence[Chunk]) -> Decoded:
    from drivers.devices.berry_bci.readings import decode_chunks

    return decode_chunks(chunks)


def _make_driver(context: DriverContext) -> Driver:
    from drivers.devices.berry_bci.driver import make_driver

    return make_driver(context)


KIND: Final = DeviceKind(
    kind="berry-bci",
    title="BerryMed finger oximeter (BCI protocol)",
    transport=Medium.BLE,
    evidence=Evidence.SPECIFICATION,
    models=("BerryMed BM1000B", "BerryMed BM1000C", "BerryMed BM1000E", "BCI oximeters on USB"),
    decode=_decode,
    make_driver=_make_driver,
    looks=Looks(names=("BerryMed",)),  # it advertises no service
)
