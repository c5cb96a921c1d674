"""The devices we know, one line each."""

from typing import Final

from drivers.devices import contec_cms50
from drivers.kinds import DeviceKind

KINDS: Final[dict[str, DeviceKind]] = {
    kind.kind: kind
    for kind in (
        contec_cms50.KIND,
        # one line for each further device
    )
}
