"""What kind of link a unit has: how patient to be with it, and how many bytes a day it may cost."""

import dataclasses
from typing import Final


@dataclasses.dataclass(frozen=True, slots=True)
class Profile:
    """One kind of link.

    Attributes:
        day_bytes: what it may carry in a day, both ways, IP headers included; 0 without bound.
        rate: bytes a second, a guess for estimates until receipts have shown better.
        keepalive_s: how long a connection may be silent before it is tried. Where bytes cost money a dead
            connection without anything on its way is noticed later: trying it every 20 s is 0.7 MB a day.
        user_timeout_s: how long the kernel waits for bytes sent to be acknowledged.
        connect_s: for TCP, for the broker's acceptance, for the subscriptions.
        settle_s: the longest wait for retained receipts.
    """

    day_bytes: int
    rate: float
    keepalive_s: int = 20
    user_timeout_s: float = 20.0
    connect_s: float = 10.0
    settle_s: float = 2.0

    def waits(self) -> dict[str, float]:
        """By the names of `sync.uplink.settings.Patience`."""
        values = dataclasses.asdict(self)
        return {name: value for name, value in values.items() if name.endswith("_s")}


PROFILES: Final = {
    "satellite": Profile(
        5_000_000, 16_000, keepalive_s=120, user_timeout_s=25.0, connect_s=30.0, settle_s=5.0
    ),
    "2g": Profile(50_000_000, 4_000, keepalive_s=60, user_timeout_s=25.0, connect_s=30.0, settle_s=5.0),
    "4g": Profile(0, 500_000),
    "wifi": Profile(0, 1_000_000),
}
USUAL: Final = "4g"
