"""What is put into a machine, and that it can be taken out again."""

import os
import subprocess
from pathlib import Path

import pytest

from cli.doctor import asked as agent
from cli.doctor.asked import Asked
from cli.system import units
from cli.system.host import ThisHost, says_its_version
from cli.system.slots import SystemRefused
from edge.config import Places
from tests.cli.releases import machine
from tests.cli.units import qafila_here

SYSTEMD = Path(__file__).resolve().parents[2] / "systemd"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give folders to other users")


@needs_root
def test_it_is_put_once_however_often_and_taken_out_without_the_data(tmp_path: Path) -> None:
    first = units.install(tmp_path, units_only=False, kiosk=False, centre=False, share=SYSTEMD)
    wanted = tmp_path / "etc/systemd/system/multi-user.target.wants"
    started = {path.name for path in wanted.iterdir()}
    assert "qafila-agent.service" in started
    assert not started & {"qafila-kiosk.service", "qafila-central-collect.service"}
    kept = tmp_path / "var/lib/qafila/store/qafila.db"
    kept.write_text("a patient")
    (tmp_path / "etc/systemd/system/qafila-old.service").write_text("of a release before")
    (tmp_path / "etc/systemd/system/others.service").write_text("not ours")
    assert units.install(tmp_path, units_only=False, kiosk=True, centre=False, share=SYSTEMD) == first
    assert not (tmp_path / "etc/systemd/system/qafila-old.service").exists()
    assert (wanted / "qafila-kiosk.service").is_symlink()

    assert set(units.uninstall(tmp_path)) == set(first)
    assert units.uninstall(tmp_path) == []
    left = {path.name for path in (tmp_path / "etc/systemd").rglob("*") if not path.is_dir()}
    assert left == {"others.service"}
    assert kept.read_text() == "a patient"


@needs_root
def test_a_centre_starts_what_a_centre_has(tmp_path: Path) -> None:
    units.install(tmp_path, units_only=False, kiosk=False, centre=True, share=SYSTEMD)
    wanted = tmp_path / "etc/systemd/system/multi-user.target.wants"
    assert {path.name for path in wanted.iterdir()} == set(units.OF_A_CENTRE)


@needs_root
def test_after_an_update_only_the_files_change(tmp_path: Path) -> None:
    units.install(tmp_path, units_only=True, kiosk=False, centre=False, share=SYSTEMD)
    assert (tmp_path / "etc/systemd/system/qafila-agent.service").is_file()
    assert not (tmp_path / "var").exists()


def test_a_checkout_is_not_installed(tmp_path: Path) -> None:
    with pytest.raises(SystemRefused, match="checkout"):
        units.install(tmp_path, units_only=False, kiosk=False, centre=False, share=tmp_path)


def test_only_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemRefused, match="Only root"):
        units.install(tmp_path, units_only=True, kiosk=False, centre=False, share=SYSTEMD)
    with pytest.raises(SystemRefused, match="Only root"):
        units.uninstall(tmp_path)


def test_the_commands_answer_in_one_sentence(tmp_path: Path) -> None:
    base = machine(tmp_path / "opt")
    shown = qafila_here("system", "show", "--base", str(base), home=tmp_path / "home")
    assert (shown.returncode, shown.stdout.splitlines()) == (
        0,
        ["starts    0.2.0 (number 2)", "before    0.1.0"],
    )
    for words in (
        ["system", "update", str(tmp_path / "none"), "--base", str(base)],
        ["system", "update", str(tmp_path / "none"), "--base", str(tmp_path / "nowhere")],
        ["system", "rollback", "--base", str(tmp_path / "nowhere")],
    ):
        refused = qafila_here(*words, home=tmp_path / "home")
        assert refused.returncode == 1
        assert "(code: " in refused.stderr
        assert len(refused.stderr.splitlines()) == 1


def test_every_night_the_journal_is_told_without_naming_anybody(tmp_path: Path) -> None:
    told = qafila_here("system", "maintain", "--json", home=tmp_path / "van-zahra")
    assert told.returncode == 2  # there is no unit here
    assert '"configuration"' in told.stdout
    assert "van-zahra" not in told.stdout


@pytest.mark.parametrize(
    ("asked", "visit"),
    [
        (Asked({"visit_open": True, "problem": None}), True),
        (Asked({"visit_open": False, "problem": None}), False),
        (Asked(None, "agent-unreachable"), False),
        (Asked(None, "agent-silent"), None),
        (Asked(None, "not-for-this-user"), None),
    ],
)
def test_whether_a_visit_is_open_is_known_or_not(
    asked: Asked, visit: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "ask", lambda _places: asked)
    assert ThisHost(Places.at(tmp_path)).visit_open() is visit


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ({"problem": None}, {"version": "0.2.0", "problem": None}, ""),
        ({"problem": "device-secret-missing"}, {"version": "0.2.0", "problem": "device-secret-missing"}, ""),
        ({"problem": None}, {"version": "0.2.0", "problem": "slots-damaged"}, "slots-damaged"),
        ({"problem": None}, {"version": "0.1.0", "problem": None}, "other-version-runs"),
        ({"problem": None}, None, "agent-unreachable"),
    ],
)
def test_what_is_well_is_what_answers_as_before(
    before: dict[str, object],
    after: dict[str, object] | None,
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = machine(tmp_path / "opt")
    (tmp_path / "home").mkdir()
    (tmp_path / "home/unit.toml").write_text("")
    monkeypatch.setattr(agent, "ask", lambda _places: Asked(before))
    here = ThisHost(Places.at(tmp_path / "home"), within_s=0.0)
    monkeypatch.setattr(agent, "ask", lambda _places: Asked(after, "" if after else "agent-unreachable"))
    assert here.what_ails(base / "a", "0.2.0") == why


def test_a_program_that_does_not_start_or_is_another_is_not_well(tmp_path: Path) -> None:
    base = machine(tmp_path / "opt")
    assert says_its_version(base / "a", "0.2.0")
    assert not says_its_version(base / "a", "0.9.0")
    assert not says_its_version(base / "nothing", "0.2.0")
    (base / "a/bin/qafila").write_text("#!/bin/sh\necho 0.2.0\nexit 1\n")
    assert not says_its_version(base / "a", "0.2.0")


def test_what_dpkg_runs_keeps_a_version_to_start_while_it_replaces_the_files(tmp_path: Path) -> None:
    """The scripts as they are shipped, with another folder in place of their own."""
    from ship import deb

    base = machine(tmp_path / "opt", previous=None)
    (base / "a").rename(base / "package")
    (base / "current").unlink()
    (base / "current").symlink_to("package")

    def run(name: str, *words: str) -> None:
        script = deb.SCRIPTS[name].replace("/opt/qafila", str(base)).replace("package/bin/qafila", "true")
        subprocess.run(["/bin/sh", "-c", script, name, *words], check=True, capture_output=True)

    def says() -> str:
        done = subprocess.run([base / "current/bin/qafila"], check=True, capture_output=True, text=True)
        return done.stdout.split()[1]

    run("preinst", "upgrade", "0.2.0")
    new = base / "package/bin/qafila.dpkg-new"
    new.write_text("#!/bin/sh\necho qafila 0.3.0\n")
    new.chmod(0o755)
    assert says() == "0.2.0"  # the files are being replaced
    new.rename(base / "package/bin/qafila")
    assert says() == "0.2.0"  # and nothing of it is started before all of it is there
    (base / "b").mkdir()  # of an update before
    run("postinst", "configure", "0.2.0")
    assert says() == "0.3.0"
    assert (base / "previous").readlink() == Path("a")
    assert not (base / "b").exists()
    run("postinst", "configure", "0.2.0")  # dpkg --configure -a after a power cut
    assert says() == "0.3.0"
    assert (base / "previous").readlink() == Path("a")
    run("postrm", "remove")
    assert not base.exists()
