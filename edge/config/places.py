"""Where everything of a unit lies."""

import dataclasses
import os
from pathlib import Path
from typing import Final, Self

HOME_VARIABLE: Final = "QAFILA_HOME"
_ETC: Final = Path("/etc/qafila")
_VAR: Final = Path("/var/lib/qafila")
_RUN: Final = Path("/run/qafila")


@dataclasses.dataclass(frozen=True, slots=True)
class Places:
    """Every file and directory of one unit.

    Attributes:
        config: ``unit.toml``.
        base: what relative paths in the configuration are relative to.
        store: directory 0700 with the database, the slots and the agent's lock.
        database: the encrypted store.
        slots: the key slots.
        device_secret: where the device secret lies unless the configuration names another place.
        pinned: public files: the unit's request and what enrolment installed.
        spool_out: sealed files, written by the agent, read by the uplink.
        spool_in: receipts and messages, written by the uplink, emptied by the agent.
        uplink: the uplink's own notes.
        socket: the local API.
        central: the centre's home, where a centre lives on this machine too.
    """

    config: Path
    base: Path
    store: Path
    database: Path
    slots: Path
    device_secret: Path
    pinned: Path
    spool_out: Path
    spool_in: Path
    uplink: Path
    socket: Path
    central: Path

    @classmethod
    def at(cls, home: Path | None) -> Self:
        """The places under ``home``, or the system's own when there is none."""
        base = _VAR if home is None else home.absolute()
        return cls(
            config=(_ETC if home is None else base) / "unit.toml",
            base=base,
            store=base / "store",
            database=base / "store" / "qafila.db",
            slots=base / "store" / "slots",
            device_secret=base / "media" / "device.secret",
            pinned=base / "pinned",
            spool_out=base / "spool" / "out",
            spool_in=base / "spool" / "in",
            uplink=base / "uplink",
            socket=(_RUN if home is None else base / "run") / "agent.sock",
            central=base / "central",
        )

    @classmethod
    def from_environment(cls, home: Path | None) -> Self:
        """``home`` when given, else what ``QAFILA_HOME`` says, else the system's places."""
        named = os.environ.get(HOME_VARIABLE)
        return cls.at(home if home is not None or not named else Path(named))

    @property
    def configuration(self) -> Path:
        """Where the centre's configurations lie: written by the agent, read by everybody of the unit."""
        return self.pinned / "configuration"

    @property
    def agent_lock(self) -> Path:
        """Held by whoever has the store open."""
        return self.store / "agent.lock"
