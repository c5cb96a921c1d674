"""Answering a unit that calls because nobody there gets in: the code, logged before it is released."""

import dataclasses
import json
import os
from pathlib import Path
from typing import ClassVar

from edge import recovery
from edge.clock import Clock
from edge.errors import QafilaError
from edge.recovery import Reason
from sync.central import database
from sync.central.home import CentreError, CentreHome, read_file
from sync.wire.keyset import Use


class RecoveryNotGiven(QafilaError):
    """No code was given; nothing was logged."""

    code: ClassVar[str] = "recovery-not-given"


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A call for help.

    Attributes:
        unit, user, reason: as the caller says them.
        by: who answers the call.
    """

    unit: str
    user: str
    reason: str
    by: str


def answer(home: CentreHome, asked: Asked, challenge: str, key_file: Path, clock: Clock) -> str:
    """The code that answers a challenge.

    Raises:
        RecoveryNotGiven: no such unit, or another key than the keyset names.
        RecoveryRefused: the challenge does not fit unit, user and reason.
        CentreError: it cannot be logged, so no code is given.
    """
    realm = home.read_settings().realm
    _check_unit(home, asked.unit)
    private = read_file(key_file)
    try:
        public = recovery.public(private)
    except ValueError:
        public = b""
    if public not in {key.key for key in home.read_keyset(realm).of_use(Use.RECOVERY)}:
        raise RecoveryNotGiven(
            "This is not the recovery key that the keyset names.",
            next_step="take the one that was made with this centre.",
            code="centre-key-wrong",
        )
    code = recovery.answer(private, challenge, asked.unit, asked.user, Reason(asked.reason))
    _log(home, asked, clock.now().wall_ms)
    return code


def _check_unit(home: CentreHome, unit: str) -> None:
    connection = database.connect(home.database)
    try:
        known = connection.execute("SELECT 1 FROM units WHERE unit = ?", (unit,)).fetchone()
    finally:
        connection.close()
    if known is None:
        raise RecoveryNotGiven(
            f"No unit {unit} is enrolled here.", next_step="have its name spelt.", code="unit-unknown"
        )


def _log(home: CentreHome, asked: Asked, wall_ms: int) -> None:
    """One line, on the disk when this returns."""
    line = json.dumps({"wall_ms": wall_ms, **dataclasses.asdict(asked)}, ensure_ascii=False) + "\n"
    try:
        descriptor = os.open(home.recoveries, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        try:
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        folder = os.open(home.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise CentreError(
            "The call cannot be logged, so no code is given.",
            next_step="free space, or check who owns the centre's folder.",
            code="recovery-not-logged",
        ) from error
