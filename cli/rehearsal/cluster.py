"""A private PostgreSQL on this machine: for rehearsals, tests and benches, gone when it is stopped.

It lives in a folder of its own under the system's temporary one, answers on a socket in there and on no
network, and runs as somebody else where it is started by root, whom PostgreSQL refuses.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final, Self
from urllib.parse import quote

from edge.errors import QafilaError

_PATIENCE_S: Final = 60.0
_PROGRAMS: Final = Path("/usr/lib/postgresql")
"""Where Debian keeps them, a folder for each version; they are not in PATH there."""
_STAND_INS: Final = ("postgres", "nobody")
_NEEDED: Final = ("initdb", "postgres", "pg_isready", "psql")
USER: Final = "qafila"


class ClusterFailed(QafilaError):
    """No PostgreSQL could be started here."""

    code: ClassVar[str] = "postgresql-failed"


def programs() -> Path | None:
    """The folder with ``initdb`` and ``postgres``, of the newest version that is installed."""
    folders = [path.parent for path in sorted(_PROGRAMS.glob("*/bin/postgres"), key=_version)]
    if (found := shutil.which("postgres")) is not None:
        folders.append(Path(found).resolve().parent)
    whole = [folder for folder in folders if all((folder / each).exists() for each in _NEEDED)]
    return whole[-1] if whole else None


def _version(path: Path) -> float:
    name = path.parent.parent.name
    return float(name) if name.replace(".", "", 1).isdigit() else 0.0


class Cluster:
    """A running PostgreSQL.

    Args:
        durable: have commits on the disk, as a centre needs it; tests of what is written need it not.
        settings: further lines for ``postgres -c``.

    Raises:
        ClusterFailed: PostgreSQL is not installed, or does not start.
    """

    def __init__(self, *, durable: bool = False, settings: Sequence[str] = ()) -> None:
        found = programs()
        if found is None:
            raise ClusterFailed(
                "PostgreSQL is not installed on this machine.",
                next_step="install it (Debian: postgresql), or name a --database.",
                code="postgresql-missing",
            )
        self._programs = found
        self._settings = (f"fsync={'on' if durable else 'off'}", "jit=off", "max_connections=80", *settings)
        self._owner = _stand_in()
        self.directory = Path(tempfile.mkdtemp(prefix="qafila-pg-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._schemas = 0
        try:
            if self._owner is not None:
                os.chown(self.directory, self._owner, -1)
            self._run(
                *("initdb", "--pgdata", str(self._data), "--username", USER, "--auth", "trust"),
                *("--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions"),
            )
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def address(self) -> str:
        """Where it is, as a centre's --database takes it."""
        return f"postgresql:///postgres?host={quote(str(self.directory), safe='')}&user={USER}"

    def start(self) -> None:
        """Start it, after `kill` too, and wait until it answers."""
        options = [part for setting in self._settings for part in ("-c", setting)]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._programs / "postgres"),
                    *("-D", str(self._data), "-k", str(self.directory), "-c", "listen_addresses="),
                    *options,
                ],
                user=self._owner,
                cwd="/",
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _PATIENCE_S
        ready = [str(self._programs / "pg_isready"), "-q", "-h", str(self.directory)]
        while subprocess.run(ready, check=False).returncode != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ClusterFailed("PostgreSQL does not start.", next_step=f"see {self.directory / 'log'}.")
            time.sleep(0.05)

    def new_space(self) -> str:
        """An address with an empty place for one centre's tables."""
        self._schemas += 1
        name = f"centre_{self._schemas}"
        self.run_sql(f"CREATE SCHEMA {name}")
        return f"{self.address}&options={quote(f'-csearch_path={name}', safe='')}"

    def run_sql(self, statement: str) -> str:
        """What ``psql`` answers to one statement."""
        return self._run(
            "psql", "-X", "-A", "-t", "-h", str(self.directory), "-U", USER, "-c", statement, "postgres"
        )

    def kill(self) -> None:
        """As if the machine's power went, but for what the kernel still holds."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(_PATIENCE_S)
            self._process = None

    def close(self) -> None:
        """Stop it and remove everything."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            user=self._owner,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_S * 2,
        )
        if done.returncode:
            raise ClusterFailed(
                f"PostgreSQL's {program} fails: {done.stderr.strip()[:300]}", next_step="see there."
            )
        return done.stdout.strip()


def _stand_in() -> int | None:
    """As whom it runs when we are root."""
    if os.geteuid() != 0:
        return None
    for name in _STAND_INS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    return None
