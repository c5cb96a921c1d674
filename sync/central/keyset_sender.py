"""Tells every unit which of the centre's keys hold: the keyset, retained under each unit's own topic.

It needs no key: a root has signed it. It is sent whole to everybody, again with every connection, and at
once when it changes; the file is looked at now and then, so no process has to be started anew for it.
"""

from typing import Final

from sync.central.broker import Link
from sync.central.database import Connection
from sync.central.home import CentreHome, read_file
from sync.wire import topics

LOOK_S: Final = 2.0
"""How often it is looked whether the keyset has changed or a unit was enrolled."""


class KeysetWatch:
    """Sees when the keyset becomes another: this process's own key may be another then, too."""

    def __init__(self, home: CentreHome) -> None:
        self._home = home
        self._looked_s = float("-inf")
        self._stamp = self._look()

    def changed(self, now_s: float) -> bool:
        """Whether it is another than at the last look."""
        if now_s - self._looked_s < LOOK_S:
            return False
        self._looked_s = now_s
        stamp = self._look()
        if stamp is None or stamp == self._stamp:
            return False
        self._stamp = stamp
        return True

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self._home.keyset.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino


class KeysetSender:
    """Remembers to whom what was sent on this connection."""

    def __init__(self, home: CentreHome, connection: Connection) -> None:
        self._home = home
        self._connection = connection
        self._looked_s = float("-inf")
        self._raw = read_file(home.keyset)
        self._told: set[str] = set()

    def anew(self, *, changed: bool = False) -> None:
        """Tell everybody: the connection is another, or the keyset is.

        Raises:
            CentreError: the file is missing.
        """
        if changed:
            self._raw = read_file(self._home.keyset)
        self._told.clear()
        self._looked_s = float("-inf")

    def look(self, link: Link, now_s: float) -> None:
        """Send it to those who have not been told."""
        if now_s - self._looked_s < LOOK_S or not link.connected:
            return
        self._looked_s = now_s
        for (unit,) in self._connection.execute("SELECT unit FROM units ORDER BY unit").fetchall():
            if unit not in self._told:
                self._told.add(unit)
                link.publish(("keyset", unit), topics.keyset(unit), self._raw)
