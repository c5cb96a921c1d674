"""What an update asks of the machine it runs on: who is at work, whether the new version is well."""

import shutil
import subprocess
import time
from pathlib import Path
from typing import Final, Protocol

from cli.doctor import asked
from edge.config import Places

HEALTHY_WITHIN_S: Final = 60.0
_AGENT: Final = "qafila-agent.service"
_UPLINK: Final = "qafila-uplink.service"
_SERVICES: Final = (_AGENT, _UPLINK, "qafila-kiosk.service", "qafila-rescue.service")
_CENTRE: Final = ("qafila-central-collect.service", "qafila-central-explode.service")
_LOOK_S: Final = 0.5


class Host(Protocol):
    """The machine."""

    def visit_open(self) -> bool | None:
        """Whether a visit is open; None when the agent is there and does not say."""
        ...

    def take_over(self, tree: Path) -> None:
        """Have systemd know the units of this release, and start anew what runs."""
        ...

    def what_ails(self, tree: Path, version: str) -> str:
        """Why the release in this folder, which runs now, is not well; empty when it is. A minute at most."""
        ...


def says_its_version(tree: Path, version: str) -> bool:
    """Whether the program in this folder starts and knows itself: its Python, its libraries, its own code."""
    try:
        done = subprocess.run(
            [tree / "bin" / "qafila", "version"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and version in done.stdout.split()


class ThisHost:
    """The machine that this runs on, with the unit in its usual places."""

    def __init__(self, places: Places, within_s: float = HEALTHY_WITHIN_S) -> None:
        self._places = places
        self._within_s = within_s
        self._ailed = self._problem()
        self._uplink_ran = _is_active(_UPLINK)

    def visit_open(self) -> bool | None:
        said = asked.ask(self._places)
        if said.status is not None:
            return bool(said.status["visit_open"])
        return False if said.why == "agent-unreachable" else None

    def take_over(self, tree: Path) -> None:
        _run(str(tree / "bin" / "qafila"), "system", "install", "--units-only")
        _run("systemctl", "daemon-reload")
        _run("systemctl", "try-restart", *_SERVICES, *_CENTRE)

    def what_ails(self, tree: Path, version: str) -> str:
        if not says_its_version(tree, version):
            return "does-not-start"
        if not self._places.config.exists():
            return ""  # no unit was made here yet, so there is nothing more that could be well
        give_up_s = time.monotonic() + self._within_s
        while True:
            why = self._why_not(version)
            if not why or time.monotonic() > give_up_s:
                return why
            time.sleep(_LOOK_S)

    def _why_not(self, version: str) -> str:
        said = asked.ask(self._places)
        if said.status is None:
            return said.why
        if said.status["version"] != version:
            return "other-version-runs"
        if said.problem is not None and said.problem != self._ailed:
            return said.problem
        return "uplink-gone" if self._uplink_ran and not _is_active(_UPLINK) else ""

    def _problem(self) -> str | None:
        return asked.ask(self._places).problem


def _is_active(unit: str) -> bool:
    return _run("systemctl", "is-active", "--quiet", unit)


def _run(*words: str) -> bool:
    program = shutil.which(words[0])
    if program is None:
        return False
    done = subprocess.run(
        [program, *words[1:]], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120
    )
    return done.returncode == 0
