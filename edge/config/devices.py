"""The devices, and the radio by which some are reached."""

import re
from typing import Annotated, Final, Literal

from pydantic import Field

from edge.config.section import Section

DEVICE_KEY_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,30}$"
BLE_SCHEME: Final = "ble:"
_BLE_ADDRESS: Final = re.compile(r"^ble:(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$")


class DeviceSection(Section):
    """One device."""

    key: Annotated[str, Field(pattern=DEVICE_KEY_PATTERN, description="what people call it; unique")]
    kind: Annotated[str, Field(description="a kind of `qafila devices kinds`")]
    port: Annotated[
        str,
        Field(
            min_length=1,
            description="serial port, best by its /dev/serial/by-id name; or ble: and an address",
        ),
    ]
    simulated: Annotated[bool, Field(description="true for a simulator; training realm only")] = False
    options: Annotated[
        dict[str, str],
        Field(max_length=8, description='what the kind has to be told beside, such as { model = "…" }'),
    ] = {}  # noqa: RUF012  pydantic copies a default; ruff sees no model behind `Section`

    @property
    def bluetooth(self) -> bool:
        """Whether it is reached by radio."""
        return self.port.startswith(BLE_SCHEME)

    @property
    def enrolled_by_address(self) -> bool:
        """Whether its port names one device in the air, and no other."""
        return _BLE_ADDRESS.match(self.port) is not None


class RadioSection(Section):
    """The Bluetooth adapter."""

    backend: Annotated[
        Literal["bluez", "virtual"],
        Field(description="bluez for a real adapter; virtual for simulated devices, training realm only"),
    ] = "bluez"
    adapter: Annotated[
        str,
        Field(pattern=r"^hci[0-9]{1,2}$", description="which adapter of the machine, as `bluetoothctl list`"),
    ] = "hci0"
    virtual: Annotated[
        str | None,
        Field(
            pattern=r"^(unix:.+|tcp:127\.0\.0\.1:[0-9]{1,5})$",
            description="where simulated devices are: unix:PATH, relative to home, or tcp:127.0.0.1:PORT",
        ),
    ] = None
    pairing_window_s: Annotated[
        int,
        Field(
            ge=0,
            le=3600,
            description="for how long after its start the agent lets enrolled devices be paired; 0 for never",
        ),
    ] = 0
