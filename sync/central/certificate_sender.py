"""Renewed certificates on their way down: one retained message for each unit that has one.

They lie as files, signed by a root and holding nothing secret, so any process of the centre may send them.
"""

from pathlib import Path
from typing import Final

from sync.central.broker import Link
from sync.central.home import CentreHome
from sync.wire import topics
from sync.wire.topics import UNIT_ID

_LOOK_S: Final = 1.0


def folder(home: CentreHome) -> Path:
    return home.directory / "certificates"


class CertificateSender:
    """Sends what has not been sent on this connection; looks at the folder once a second at most."""

    def __init__(self, home: CentreHome) -> None:
        self._folder = folder(home)
        self._sent: dict[str, int] = {}
        self._next_s = 0.0

    def anew(self) -> None:
        """Another connection: the broker may have forgotten everything."""
        self._sent.clear()
        self._next_s = 0.0

    def look(self, link: Link, now_s: float) -> None:
        if now_s < self._next_s or not link.connected:
            return
        self._next_s = now_s + _LOOK_S
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            made = path.stat().st_mtime_ns
            if UNIT_ID.fullmatch(path.name) and self._sent.get(path.name) != made:
                link.publish(("certificate", path.name), topics.certificate(path.name), path.read_bytes())
                self._sent[path.name] = made
