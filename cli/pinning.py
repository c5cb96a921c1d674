"""Keeps the newest keyset of the centre beside what enrolment installed."""

import secrets
from pathlib import Path

from cli.files import write_new_file
from cli.unit_setup import KEYSET_FILE, installed
from edge.config import Places
from edge.errors import QafilaError
from edge.ports.keysets import KeysetKeeper, KeysetRefused
from edge.spool.files import sync_directory
from sync.boxend.keysets import read_newer


class PinnedKeyset(KeysetKeeper):
    """``pinned/keyset.cbor``: public keys, readable while the store is locked, written by the agent alone."""

    def __init__(self, places: Places) -> None:
        self._places = places

    def take(self, raw: bytes) -> int | None:
        try:
            pinned = installed(self._places)
        except QafilaError as error:
            raise KeysetRefused(error.sentence, next_step=error.next_step, code="keyset-bundle") from error
        if pinned is None:
            raise KeysetRefused("This unit is not enrolled.", code="keyset-not-enrolled")
        found = read_newer(raw, pinned)
        if found is None:
            return None
        _replace(self._places.pinned, raw)
        return found.version


def _replace(directory: Path, raw: bytes) -> None:
    new = directory / f".tmp-{secrets.token_hex(8)}"
    try:
        write_new_file(new, raw)
        new.replace(directory / KEYSET_FILE)
    except QafilaError as error:
        raise OSError(error.sentence) from error
    finally:
        new.unlink(missing_ok=True)
    sync_directory(directory)
