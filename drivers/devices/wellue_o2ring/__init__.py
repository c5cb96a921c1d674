"""Wellue and Viatom O2Ring finger rings; what is known of them stands in this folder's README."""

from collections.abc import Sequence
from typing import Final

from drivers.codec import uuids
from drivers.decoding import Chunk, Decoded
from drivers.kinds import DeviceKind, DriverContext, Evidence, Looks, Medium
from edge.ports.driver import Driver


def _decode(chunks: Sequence[Chunk]) -> Decoded:
    from drivers.devices.wellue_o2ring.readings import decode_chunks

    return decode_chunks(chunks)


def _make_driver(context: DriverContext) -> Driver:
    from drivers.devices.wellue_o2ring.driver import FAMILY
    from drivers.setup.session import SetUpDriver

    return SetUpDriver(context, FAMILY)


KIND: Final = DeviceKind(
    kind="wellue-o2ring",
    title="Wellue O2Ring oximeter ring",
    transport=Medium.BLE,
    evidence=Evidence.SPECIFICATION,
    models=("Wellue O2Ring", "Viatom Health Ring"),
    decode=_decode,
    make_driver=_make_driver,
    looks=Looks(services=(uuids.full("14839AC4-7D7E-415C-9A42-167340CF2339"),), names=("O2Ring",)),
)
