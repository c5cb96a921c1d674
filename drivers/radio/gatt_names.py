"""How bumble's and BlueZ's names for the parts of an attribute server correspond."""

import uuid as uuid_module
from typing import Final

from bleak.assigned_numbers import CharacteristicPropertyName
from bumble.core import UUID
from bumble.gatt import Characteristic
from bumble.gatt_client import CharacteristicProxy

_FLAGS: Final[dict[Characteristic.Properties, CharacteristicPropertyName]] = {
    Characteristic.Properties.BROADCAST: "broadcast",
    Characteristic.Properties.READ: "read",
    Characteristic.Properties.WRITE_WITHOUT_RESPONSE: "write-without-response",
    Characteristic.Properties.WRITE: "write",
    Characteristic.Properties.NOTIFY: "notify",
    Characteristic.Properties.INDICATE: "indicate",
    Characteristic.Properties.AUTHENTICATED_SIGNED_WRITES: "authenticated-signed-writes",
    Characteristic.Properties.EXTENDED_PROPERTIES: "extended-properties",
}


def flags_of(characteristic: CharacteristicProxy[bytes]) -> list[CharacteristicPropertyName]:
    """What may be done with it, in BlueZ's words."""
    return [name for flag, name in _FLAGS.items() if flag in characteristic.properties]


def uuid_text(uuid: UUID) -> str:
    """All 128 bits, lower case, with hyphens."""
    return str(uuid_module.UUID(bytes=uuid.to_bytes(force_128=True)[::-1]))
