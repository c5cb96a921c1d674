"""Where the unit works: places with a name, and which of them it has arrived at."""

from typing import Final

from edge.records.fields import Field, Payload
from edge.store import sqlite
from edge.store.base import Base, Epoch
from edge.store.normalise import normalise
from edge.store.rows import Site

_SITES: Final = (
    "SELECT sites.site, name, max(arrivals.wall_ms) FROM sites JOIN arrivals ON arrivals.site = sites.site"
)
_LAST: Final = " GROUP BY sites.site ORDER BY max(arrivals.entry) DESC"


class SiteReads(Base):
    """What can be asked of sites."""

    def sites(self, limit: int = 200) -> list[Site]:
        """The sites, the one the unit was at last first."""
        return [Site(*row) for row in self._rows(_SITES + _LAST + " LIMIT ?", limit)]

    def site(self, site: bytes) -> Site | None:
        row = self._row(_SITES + " WHERE sites.site = ?" + _LAST, site)
        return None if row is None else Site(*row)

    def site_called(self, name: str) -> Site | None:
        """The site of this name, however it is written."""
        row = self._row(_SITES + " WHERE norm = ?" + _LAST, normalise(name))
        return None if row is None else Site(*row)

    def site_here(self, boot: bytes) -> bytes | None:
        """Where the unit arrived last, if that was in this boot: it may have driven on while it was off."""
        row = self._row("SELECT site, boot FROM arrivals ORDER BY entry DESC LIMIT 1")
        return None if row is None or row[1] != boot else row[0]


def project_site(connection: sqlite.Connection, _epoch: Epoch, entry: int, payload: Payload) -> None:
    """`Kind.SITE`: a place, perhaps by a new name, and that the unit has arrived there."""
    name = str(payload[Field.SITE_NAME])
    connection.execute(
        "INSERT INTO sites (site, name, norm) VALUES (?, ?, ?)"
        " ON CONFLICT (site) DO UPDATE SET name = excluded.name, norm = excluded.norm",
        (payload[Field.SITE], name, normalise(name)),
    )
    connection.execute(
        "INSERT INTO arrivals (entry, site, boot, wall_ms) VALUES (?, ?, ?, ?)",
        (entry, payload[Field.SITE], payload.get(Field.BOOT), payload.get(Field.WALL_MS)),
    )
