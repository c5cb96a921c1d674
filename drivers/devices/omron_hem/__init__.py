"""Omron cuffs with Omron's own protocol; what is known of them stands in this folder's README."""

from collections.abc import Sequence
from typing import Final

from drivers.codec import uuids
from drivers.decoding import Chunk, Decoded
from drivers.kinds import DeviceKind, DriverContext, Evidence, Looks, Medium, Option, Secret
from edge.ports.driver import Driver

_MODELS: Final = ("HEM-7322T", "HEM-7600T", "HEM-7155T", "HEM-7361T")


def _decode(chunks: Sequence[Chunk]) -> Decoded:
    from drivers.devices.omron_hem.readings import decode_chunks

    return decode_chunks(chunks)


def _make_driver(context: DriverContext) -> Driver:
    from drivers.devices.omron_hem.driver import OmronHem

    return OmronHem(context)


async def _give_key(context: DriverContext, key: bytes) -> None:
    from drivers.devices.omron_hem.driver import pair

    await pair(context, key)


KIND: Final = DeviceKind(
    kind="omron-hem",
    title="Omron cuff with Omron's own protocol",
    transport=Medium.BLE,
    evidence=Evidence.SPECIFICATION,
    models=tuple(f"Omron {model}" for model in _MODELS),
    decode=_decode,
    make_driver=_make_driver,
    looks=Looks(services=(uuids.full("ECBE3980-C9A2-11E1-B1BD-0002A5D5C51B"),), names=("BLESmart_",)),
    options=(Option("model", _MODELS, "which model it is, where the cuff does not say"),),
    secret=Secret(size=16, give=_give_key),
)
