"""What ends a scan without a word to whoever scans. No waiting.

A daemon that dies takes every scan with it. So does an adapter that is switched off, is reset or loses its
plug: BlueZ forgets who scanned and begins nothing again when the adapter is back. bleak says neither; its
scanner goes on as if nobody advertised.
"""

from typing import Any, Final

from dbus_fast import Message, MessageType

from drivers.transport.backend import Trouble
from drivers.transport.pairing_agent import BLUEZ

ADAPTER: Final = "org.bluez.Adapter1"


class AdapterWatch:
    """Hears the signals about one adapter and its daemon.

    Args:
        path: the adapter's object.

    Attributes:
        trouble: what has ended the scans of before, since `begin`.
        rules: what to ask of the bus.
    """

    def __init__(self, path: str) -> None:
        self.trouble: Trouble | None = None
        self._path = path
        self.rules: Final = (
            f"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{BLUEZ}'",
            f"type='signal',sender='{BLUEZ}',member='PropertiesChanged',path='{path}',arg0='{ADAPTER}'",
            f"type='signal',sender='{BLUEZ}',member='InterfacesRemoved'",
        )

    def begin(self) -> None:
        """What is begun from now on has not been ended."""
        self.trouble = None

    def hear(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        match message.member, message.body:
            case "NameOwnerChanged", [str(name), *_] if name == BLUEZ:
                self.trouble = Trouble.DAEMON
            case "PropertiesChanged", [str(interface), dict() as changed, *_]:
                if message.path == self._path and interface == ADAPTER and _off(changed):
                    self._lost()
            case "InterfacesRemoved", [str(path), list() as interfaces]:
                if path == self._path and ADAPTER in interfaces:
                    self._lost()
            case _:
                pass

    def _lost(self) -> None:
        self.trouble = self.trouble or Trouble.ADAPTER  # a daemon that is gone is the greater trouble


def _off(changed: dict[str, Any]) -> bool:
    return "Powered" in changed and not changed["Powered"].value
