"""What people decided about whom to believe and whom to erase, beside the database.

A database that is put back from a copy forgets what was decided since; a unit that was revoked must not be
believed again for that, nor somebody live on who was to be erased. So every such decision is appended to a
file of the home, one JSON object a line, before the database commits it, and a restore has it done again. The
file is as much and as little to be trusted as the database in the same folder, and stands in no copy.

    {"what": "begun", "ms"}
    {"what": "revoked", "id", "ms", "unit", "state", "reason", "by", "through": [[epoch, stream, seq], …]}
    {"what": "erased", "id", "ms", "erasure", "patient", "reason", "by": [two],
     "orders": {unit: [number, base64]}}
    {"what": "granted", "id", "ms", "unit", "former", "backup", "reason", "by"}
    {"what": "taken-back", "id"}   what has this id was not committed
"""

import contextlib
import dataclasses
import json
import os
import secrets
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, Final

from sync.central.home import CentreError, CentreHome

BEGUN: Final = "begun"
REVOKED: Final = "revoked"
ERASED: Final = "erased"
GRANTED: Final = "granted"
_TAKEN_BACK: Final = "taken-back"


@dataclasses.dataclass(frozen=True, slots=True)
class Decisions:
    """What stands in the file.

    Attributes:
        begun_ms: since when it is kept; None where there is none.
        made: in order; what was taken back is left out.
        unreadable: lines that say nothing, as a power cut may leave one.
    """

    begun_ms: int | None
    made: tuple[Mapping[str, Any], ...]
    unreadable: int


def begin(home: CentreHome, now_ms: int) -> None:
    """Keep the file from now on, where it is not kept yet.

    Raises:
        CentreError: it cannot be written.
    """
    if not home.decisions.exists():
        _append(home, {"what": BEGUN, "ms": now_ms})


@contextlib.contextmanager
def noted(home: CentreHome) -> Generator["Notes"]:
    """Around the transaction of a decision: what is noted inside is taken back if the transaction fails.

    Raises:
        CentreError: it cannot be noted, so nothing is decided.
    """
    notes = Notes(home)
    try:
        yield notes
    except BaseException:
        for id_ in notes.ids:
            with contextlib.suppress(CentreError):  # then it holds: it was decided, and is done at a restore
                _append(home, {"what": _TAKEN_BACK, "id": id_})
        raise


class Notes:
    """Takes the decisions of one transaction."""

    def __init__(self, home: CentreHome) -> None:
        self._home = home
        self.ids: list[str] = []

    def add(self, what: str, ms: int, **said: Any) -> None:  # noqa: ANN401  as wide as JSON
        """Note one, durably; call it before the commit.

        Raises:
            CentreError: it is not noted.
        """
        begin(self._home, ms)
        id_ = secrets.token_hex(8)
        _append(self._home, {"what": what, "id": id_, "ms": ms, **said})
        self.ids.append(id_)


def read(home: CentreHome) -> Decisions:
    """Everything that was decided, as far as it reads.

    Raises:
        CentreError: the file is there and cannot be read.
    """
    try:
        lines = home.decisions.read_bytes().splitlines()
    except FileNotFoundError:
        return Decisions(None, (), 0)
    except OSError as error:
        raise _trouble(home, "read", error) from error
    begun_ms: int | None = None
    made: dict[str, Mapping[str, Any]] = {}
    unreadable = 0
    for line in lines:
        match _object(line):
            case {"what": "begun", "ms": int(ms)}:
                begun_ms = ms if begun_ms is None else begun_ms
            case {"what": "taken-back", "id": str(id_)}:
                made.pop(id_, None)
            case {"what": str(), "id": str(id_), "ms": int()} as decision:
                made[id_] = decision
            case _:
                unreadable += bool(line)
    return Decisions(begun_ms, tuple(made.values()), unreadable)


def _object(line: bytes) -> dict[str, Any]:
    """The line's object; an empty one where it has none."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # JSON names its keys


def _append(home: CentreHome, said: Mapping[str, Any]) -> None:
    """One line, on the disk when this returns; a torn one before it ends where it is."""
    line = json.dumps(said, ensure_ascii=False) + "\n"
    try:
        descriptor = os.open(home.decisions, os.O_CREAT | os.O_APPEND | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            raw = (b"\n" if torn else b"") + line.encode()
            if os.write(descriptor, raw) != len(raw):
                raise OSError(28, os.strerror(28))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _sync(home.directory)
    except OSError as error:
        raise _trouble(home, "written", error) from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _trouble(home: CentreHome, what: str, error: OSError) -> CentreError:
    return CentreError(
        f"{home.decisions} cannot be {what}: {error.strerror}. Nothing was changed.",
        next_step="free space, or check who owns the centre's folder, and give the command again.",
        code="decision-not-noted",
    )
