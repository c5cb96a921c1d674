"""Viatom and Wellue PC-60FW finger oximeters; what is known of them stands in this folder's README."""

from collections.abc import Sequence
from typing import Final

from drivers.codec import uuids
from drivers.decoding import Chunk, Decoded
from drivers.kinds import DeviceKind, DriverContext, Evidence, Looks, Medium
from edge.ports.driver import Driver


def _decode(chunks: Sequence[Chunk]) -> Decoded:
    from drivers.devices.viatom_pc60fw.readings import decode_chunks

    return decode_chunks(chunks)


def _make_driver(context: DriverContext) -> Driver:
    from drivers.devices.viatom_pc60fw.driver import FAMILY
    from drivers.setup.session import SetUpDriver

    return SetUpDriver(context, FAMILY)


KIND: Final = DeviceKind(
    kind="viatom-pc60fw",
    title="Viatom PC-60FW finger oximeter",
    transport=Medium.BLE,
    evidence=Evidence.SPECIFICATION,
    models=("Viatom PC-60FW", "Wellue PC-60FW"),
    decode=_decode,
    make_driver=_make_driver,
    looks=Looks(
        services=(uuids.full("6E400001-B5A3-F393-E0A9-E50E24DCCA9E"),),
        names=("PC-60F",),
    ),
)
