"""The system units: does systemd understand them, and how much may each process do?"""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "systemd"
MOST = 1.5
"""Exposure that systemd-analyze may find in any of them, of 10."""
AS_ROOT = "qafila-settle.service"
"""It puts units back and starts services after an update that was cut short; a minute, from no input."""
UNITS = sorted(path.name for path in FOLDER.iterdir() if path.suffix in {".service", ".timer", ".path"})
SERVICES = [name for name in UNITS if name.endswith(".service")]

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine"
)


def settings(name: str) -> list[tuple[str, str]]:
    lines = (FOLDER / name).read_text().splitlines()
    return [(key, value) for line in lines if "=" in line for key, _, value in [line.partition("=")]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system of its own: Debian's units and ours, and a file where each program would be."""
    made = tmp_path_factory.mktemp("root")
    units = made / "usr/lib/systemd/system"
    shutil.copytree("/usr/lib/systemd/system", units, symlinks=True)
    for name in UNITS:
        shutil.copy(FOLDER / name, units)
    for name in SERVICES:
        for key, value in settings(name):
            if key.startswith("ExecStart"):
                program = made / value.split()[0].lstrip("-+").lstrip("/")
                program.parent.mkdir(parents=True, exist_ok=True)
                program.write_text("#!/bin/sh\n")
                program.chmod(0o755)
    return made


@needs_systemd
def test_systemd_understands_every_line(root: Path) -> None:
    command = ["systemd-analyze", "verify", f"--root={root}", "--man=no", *UNITS]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "Failed" not in said.stderr
    assert [line for line in said.stderr.splitlines() if "qafila" in line] == []


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_no_process_may_do_much(name: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(FOLDER / name)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r"exposure level for \S+: ([0-9.]+)", said.stdout)
    assert found is not None, said.stdout + said.stderr
    assert float(found[1]) <= MOST


@pytest.mark.parametrize("name", SERVICES)
def test_memory_is_bounded_and_reaches_no_disk(name: str) -> None:
    said = dict(settings(name))
    assert said["MemorySwapMax"] == "0"
    assert said["LimitCORE"] == "0"
    assert "MemoryMax" in said or name.startswith("qafila-central")  # the machine of a centre is its own
    assert "TasksMax" in said
    assert name == AS_ROOT or said["User"].startswith("qafila")
    assert said.get("WatchdogSignal", "SIGKILL") == "SIGKILL"  # anything else would ask for a core dump
    assert ("WatchdogSec" in said) == (said.get("Type") == "notify")


def test_who_sees_patients_reaches_no_network_and_who_reaches_it_sees_no_patient() -> None:
    agent, uplink = settings("qafila-agent.service"), settings("qafila-uplink.service")
    assert ("PrivateNetwork", "yes") in agent
    assert ("RestrictAddressFamilies", "AF_UNIX") in agent
    assert "PrivateUsers" not in dict(agent)  # every caller of the local API would look like nobody
    assert ("TemporaryFileSystem", "/var/lib/qafila:ro") in uplink
    seen = " ".join(value for key, value in uplink if key.startswith("Bind"))
    assert "store" not in seen
    assert "media" not in seen
    assert dict(agent)["User"] != dict(uplink)["User"]


def test_the_uplink_is_outside_the_group_of_the_socket() -> None:
    members = re.findall(r"^m (\S+)\s+(\S+)$", (FOLDER / "qafila.sysusers").read_text(), re.MULTILINE)
    assert ("qafila-uplink", "qafila") not in members
    assert ("qafila-kiosk", "qafila") in members
    assert "qafila" not in dict(settings("qafila-uplink.service"))["SupplementaryGroups"].split()


@pytest.mark.skipif(
    shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not on this machine"
)
def test_users_and_folders_come_out_as_they_are_meant(tmp_path: Path) -> None:
    """Made in a root of its own; what root has left in the store becomes the agent's."""
    for kind in ("sysusers", "tmpfiles"):
        (tmp_path / f"usr/lib/{kind}.d").mkdir(parents=True)
        shutil.copy(FOLDER / f"qafila.{kind}", tmp_path / f"usr/lib/{kind}.d/qafila.conf")
    (tmp_path / "etc").mkdir()
    making = ["systemd-sysusers", f"--root={tmp_path}"]
    subprocess.run(making, capture_output=True, check=True, timeout=60)
    ids = {
        name: (int(uid), int(gid))
        for line in (tmp_path / "etc/passwd").read_text().splitlines()
        for name, _, uid, gid, *_ in [line.split(":")]
    }
    groups = {
        name: int(gid)
        for line in (tmp_path / "etc/group").read_text().splitlines()
        for name, _, gid, _ in [line.split(":")]
    }
    assert set(ids) == {"qafila", "qafila-uplink", "qafila-kiosk", "qafila-central"}

    if ids and Path("/proc/self/status").read_text().find("\nUid:\t0\t") < 0:
        pytest.skip("only root can give a folder to somebody")
    command = [
        *("systemd-tmpfiles", f"--root={tmp_path}", "--create", "--prefix=/var/lib/qafila"),
        *("--prefix=/etc/qafila", "qafila.conf"),
    ]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    home = tmp_path / "var/lib/qafila"
    (home / "store/qafila.db").write_text("made by a command of root's")
    (tmp_path / "etc/qafila/unit.toml").write_text("")
    subprocess.run(command, capture_output=True, check=True, timeout=60)

    def whose(path: Path) -> tuple[int, int, int]:
        found = path.stat()
        return found.st_uid, found.st_gid, found.st_mode & 0o7777

    agent, uplink = ids["qafila"], ids["qafila-uplink"]
    assert whose(home / "store") == (*agent, 0o700)
    assert whose(home / "store/qafila.db")[:2] == agent
    assert whose(tmp_path / "etc/qafila/unit.toml")[:2] == agent
    assert whose(home / "spool/out") == (agent[0], groups["qafila-spool"], 0o2750)
    assert whose(home / "spool/in") == (uplink[0], groups["qafila-spool"], 0o2770)
    assert whose(home / "uplink") == (*uplink, 0o700)


def test_the_rules_for_ports_are_ones() -> None:
    """One match or assignment after another, as udev(7) has them."""
    lines = [
        line for line in (FOLDER / "60-qafila.rules").read_text().splitlines() if line[:1] not in {"#", ""}
    ]
    part = re.compile(r'[A-Z]+(?:\{\w+\})?\s*(?:==|!=|=|\+=)\s*"[^"]*"')
    assert lines
    for line in lines:
        assert all(part.fullmatch(each.strip()) for each in line.split(", "))


def test_the_terminal_of_the_kiosk_opens_nothing() -> None:
    said = configparser.ConfigParser()
    said.read_string("[main]\n" + (FOLDER / "foot.ini").read_text())
    assert set(said["key-bindings"].values()) == {"none"}
    assert {"spawn-terminal", "show-urls-launch", "search-start"} <= set(said["key-bindings"])
