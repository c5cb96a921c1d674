"""Which device it was, in its own words."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """What a device says of itself; empty where it says nothing.

    Attributes:
        battery_percent: at this meeting, 0 to 100, or None when it does not say. It changes while the
            device stays the same one: compare `who`, not the whole.
    """

    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    battery_percent: int | None = None

    @property
    def who(self) -> tuple[str, str, str, str]:
        """What tells one device from another; all empty when it said nothing of itself."""
        return self.manufacturer, self.model, self.serial, self.firmware
