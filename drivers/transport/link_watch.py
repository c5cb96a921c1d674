"""What the daemon tells of one link while it is being made. No waiting.

BlueZ encrypts the link with a bonded device before it hands it out. A device that has lost its keys shows
as a link that comes up and falls at once, under the same errors as interference; up to 5.82 nothing tells
the two apart but the repetition. With some kernels such a fall kills the daemon, each time.
"""

from collections.abc import Callable
from typing import Any, Final

from dbus_fast import Message, MessageType

from drivers.transport.pairing_agent import BLUEZ

DEVICE: Final = "org.bluez.Device1"
_CHANGES: Final = "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'"
_OWNERS: Final = "sender='org.freedesktop.DBus',member='NameOwnerChanged'"
RULES: Final = (
    f"type='signal',sender='{BLUEZ}',{_CHANGES},arg0='{DEVICE}'",
    f"type='signal',{_OWNERS},arg0='{BLUEZ}'",
)
"""What to ask of the bus."""
FALLS: Final = 2
"""So many in an attempt that failed anyway are suspicious; one alone is our own hanging up."""
ENOUGH: Final = 8
"""So many are not waited out: bleak tries again and again until its time is over."""


class LinkWatch:
    """Counts the falls of the link that is being made now."""

    def __init__(self) -> None:
        self._path = ""
        self._up = False
        self._falls = 0
        self._died = False
        self._enough: Callable[[], None] | None = None

    @property
    def kept_falling(self) -> bool:
        """Whether it came up and fell more than once, or took the daemon with it."""
        return self._falls >= FALLS or self._died

    def begin(self, path: str) -> None:
        """A new attempt, with the device at this object path."""
        self._path = path
        self._enough = None
        self._up = self._died = False
        self._falls = 0

    def when_enough(self, tell: Callable[[], None]) -> None:
        """Have it told once that the present attempt is hopeless."""
        self._enough = tell

    def hear(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        match message.member, message.body:
            case "PropertiesChanged", [str(interface), dict() as changed, *_]:
                if message.path == self._path and interface == DEVICE:
                    self._changed(changed)
            case "NameOwnerChanged", [str(name), str(), str(owner)]:
                if name == BLUEZ and not owner and self._up:
                    self._died = True
                    self._up = False
                    self._tell_enough()
            case _:
                pass

    def _changed(self, changed: dict[str, Any]) -> None:
        if "Connected" not in changed:
            return
        up = bool(changed["Connected"].value)
        self._falls += self._up and not up
        self._up = up
        if self._falls >= ENOUGH:
            self._tell_enough()

    def _tell_enough(self) -> None:
        tell, self._enough = self._enough, None
        if tell is not None:
            tell()
