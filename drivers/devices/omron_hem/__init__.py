"""Omron cuffs with Omron's own protocol; what is known of them stands in this folder's README."""

from collections.abc import Sequence
from typing import Final

from drivers.codec import uuids
from drivers.decoding import Chunk, Decoded
from drivers.kinds import DeviceKind, DriverContext, Evidence, Looks, Medium
from edge.ports.driver import Driver


def _decode(chunks: Sequence[Chunk]) -> Decoded:
    from drivers.devices.omron_hem.readings import decode_chunks

    return decode_chunks(chunks)


def _make_driver(context: DriverContext) -> Driver:
    from drivers.devices.omron_hem.driver import OmronHem

    return OmronHem(context)


KIND: Final = DeviceKind(
    kind="omron-hem",
    title="Omron cuff with Omron's own protocol",
    transport=Medium.BLE,
    evidence=Evidence.SPECIFICATION,
    models=("Omron HEM-7322T", "Omron HEM-7600T", "Omron HEM-7155T", "Omron HEM-7361T"),
    decode=_decode,
    make_driver=_make_driver,
    looks=Looks(services=(uuids.full("ECBE3980-C9A2-11E1-B1BD-0002A5D5C51B"),), names=("BLESmart_",)),
)
