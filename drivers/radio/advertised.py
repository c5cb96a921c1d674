"""What an advertisement says, read from bumble's structures."""

from typing import Final

from bumble.core import AdvertisingData

from drivers.radio.gatt_names import uuid_text

_NAMES: Final = (AdvertisingData.Type.COMPLETE_LOCAL_NAME, AdvertisingData.Type.SHORTENED_LOCAL_NAME)
_SERVICES: Final = (
    AdvertisingData.Type.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.Type.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.Type.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)


def local_name(data: AdvertisingData) -> str | None:
    """The name, whole or shortened."""
    return next((str(name) for kind in _NAMES if (name := data.get(kind))), None)


def service_uuids(data: AdvertisingData) -> list[str]:
    """The services offered, as 128-bit texts."""
    return [uuid_text(uuid) for kind in _SERVICES for uuids in data.get_all(kind) for uuid in uuids]


def manufacturer_data(data: AdvertisingData) -> dict[int, bytes]:
    """By company."""
    found = data.get(AdvertisingData.Type.MANUFACTURER_SPECIFIC_DATA)
    return {int(found[0]): bytes(found[1])} if found else {}
