"""What lies beside a unit's store and opens nothing by itself: it goes into a backup, and comes out of it."""

from pathlib import Path
from typing import Final

from cli.unit_setup import BUNDLE_FILE, KEYSET_FILE, REQUEST_FILE
from edge.config import Places
from edge.security.files import make_private_directory, write_private
from edge.security.slot_file import copies_of

SLOTS: Final = "slots"
CONFIG: Final = "unit.toml"


def papers(places: Places) -> dict[str, bytes]:
    """Those that are there."""
    there: dict[str, bytes] = {}
    for name, copies in _where(places).items():
        for path in copies:
            try:
                there.setdefault(name, path.read_bytes())
            except OSError:  # the other copy, or a backup without it
                continue
    return there


def put_back(places: Places, found: dict[str, bytes]) -> list[str]:
    """Write those of which there is no copy here, and say which; what is here is never written over.

    Raises:
        OSError: the disk does not take one.
    """
    written: list[str] = []
    for name, copies in _where(places).items():
        if name not in found or any(path.exists() for path in copies):
            continue
        for path in copies:
            if name == SLOTS:
                make_private_directory(path.parent)
            else:
                path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            write_private(path, found[name])
            if name != SLOTS:
                path.chmod(0o644)  # the uplink reads it
        written.append(name)
    return written


def _where(places: Places) -> dict[str, tuple[Path, ...]]:
    return {
        SLOTS: copies_of(places.slots),
        REQUEST_FILE: (places.pinned / REQUEST_FILE,),
        BUNDLE_FILE: (places.pinned / BUNDLE_FILE,),
        KEYSET_FILE: (places.pinned / KEYSET_FILE,),
        CONFIG: (places.config,),
    }
