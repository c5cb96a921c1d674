"""What a release leaves with systemd: units, users, folders, rules for ports."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cli.system.slots import SystemRefused

SHARE: Final = Path(sys.prefix) / "share"
"""In a release; a checkout has none there."""
_UNITS: Final = "etc/systemd/system"
_OTHERS: Final = {
    "qafila.sysusers": "etc/sysusers.d/qafila.conf",
    "qafila.tmpfiles": "etc/tmpfiles.d/qafila.conf",
    "60-qafila.rules": "etc/udev/rules.d/60-qafila.rules",
}
_UNIT_KINDS: Final = (".service", ".timer", ".path")
OF_A_UNIT: Final = (
    "qafila-agent.service", "qafila-agent.path", "qafila-uplink.service", "qafila-uplink.path",
    "qafila-maintenance.timer", "qafila-settle.service",
)  # fmt: skip
OF_A_KIOSK: Final = ("qafila-kiosk.service",)
OF_A_CENTRE: Final = ("qafila-central-collect.service", "qafila-central-explode.service")
_WITHIN_S: Final = 120


def install(root: Path, *, units_only: bool, kiosk: bool, centre: bool, share: Path = SHARE) -> list[str]:
    """Put this release's files where systemd and udev look; the places of what was put, below ``root``.

    Args:
        root: the system's; another for a system that is being put together.
        units_only: neither users nor what starts at boot change; after an update.
        kiosk: whether the screen starts at boot.
        centre: whether the machine is a centre instead of a unit.
        share: the release's files.

    Raises:
        SystemRefused: this runs from no release, not as root, or systemd refuses.
    """
    files = _files(share)
    _check_root()
    put: list[str] = []
    for source, place in files:
        target = root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.new")
        shutil.copyfile(source, fresh)
        fresh.chmod(0o644)
        fresh.rename(target)
        put.append(place)
    for old in _stale(root, [place for _, place in files]):
        old.unlink()
    if units_only:
        return put
    _run("systemd-sysusers", f"--root={root}", "qafila.conf")
    _run("systemd-tmpfiles", f"--root={root}", "--create", "qafila.conf", *_ours())
    wanted = (OF_A_CENTRE if centre else OF_A_UNIT) + (OF_A_KIOSK if kiosk else ())
    _run("systemctl", f"--root={root}", "enable", *wanted)
    if _running(root):
        _run("systemctl", "daemon-reload")
        _run("udevadm", "control", "--reload", may_fail=True)
        _run("systemctl", "start", "--no-block", *wanted, may_fail=True)
    return put


def uninstall(root: Path) -> list[str]:
    """Stop and take out what `install` has put there; configuration and data stay. What was removed.

    Raises:
        SystemRefused: not as root.
    """
    _check_root()
    found = _ours_in(root)
    names = [path.name for path in found if path.suffix in _UNIT_KINDS]
    if names:
        if _running(root):
            _run("systemctl", "stop", *names, may_fail=True)
        _run("systemctl", f"--root={root}", "disable", *names, may_fail=True)
    for path in found:
        path.unlink(missing_ok=True)
    if _running(root):
        _run("systemctl", "daemon-reload", may_fail=True)
    return [str(path.relative_to(root)) for path in found]


def _files(share: Path) -> list[tuple[Path, str]]:
    if not (share / "qafila-agent.service").is_file():
        raise SystemRefused(
            "This runs from a checkout, which is not what a machine starts at boot.",
            next_step="make deb, then dpkg -i the package that it has built.",
            code="not-a-release",
        )
    units = [path for path in sorted(share.iterdir()) if path.suffix in _UNIT_KINDS]
    return [(path, f"{_UNITS}/{path.name}") for path in units] + [
        (share / name, place) for name, place in _OTHERS.items()
    ]


def _ours_in(root: Path) -> list[Path]:
    units = [path for path in sorted((root / _UNITS).glob("qafila-*")) if path.suffix in _UNIT_KINDS]
    return [path for path in [*units, *(root / place for place in _OTHERS.values())] if path.is_file()]


def _stale(root: Path, places: Sequence[str]) -> list[Path]:
    """Units of a release before this one that this one has no more."""
    return [path for path in _ours_in(root) if str(path.relative_to(root)) not in places]


def _ours() -> list[str]:
    """Only our folders are made; the rest of the file belongs to a boot."""
    return [f"--prefix={place}" for place in ("/etc/qafila", "/run/qafila", "/var/lib/qafila")]


def _check_root() -> None:
    if os.geteuid() != 0:
        raise SystemRefused(
            "Only root may change what this machine starts.",
            next_step="Run it with sudo.",
            code="not-root",
        )


def _running(root: Path) -> bool:
    """Whether this is the system that runs now, and systemd runs it."""
    return root == Path("/") and Path("/run/systemd/system").is_dir()


def _run(*words: str, may_fail: bool = False) -> None:
    program = shutil.which(words[0])
    if program is None:
        if may_fail:
            return
        raise SystemRefused(
            f"There is no {words[0]} on this machine.",
            next_step="Qafila runs as a service under systemd; install it, or start the processes yourself.",
            code="no-systemd",
        )
    done = subprocess.run(
        [program, *words[1:]],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_WITHIN_S,
    )  # fmt: skip
    if done.returncode != 0 and not may_fail:
        said = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        raise SystemRefused(f"{words[0]} refuses: {said}.", next_step="Mend that, then run it again.")
