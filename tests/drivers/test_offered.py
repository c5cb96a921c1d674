"""Device kinds of other packages: what is taken, what is left out, and where that is told."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from drivers.decoding import Decoded
from drivers.kinds import DriverContext, Origin
from drivers.offered import DriverRefused, Offered, RefusedDriver, find
from drivers.registry import BUILT_IN, Kinds
from tests.drivers.foreign_packages import KIND, install, offer

CONTEXT: Final = DriverContext("device-1", "/nowhere")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "modules", dict(sys.modules))  # what is imported here is forgotten again
    return folder


def found(*, taken: bool = False) -> Offered:
    return find(BUILT_IN if taken else {})


def test_what_an_installed_package_offers_is_a_kind_with_its_origin(site: Path) -> None:
    offer(site, "Acme-Things", "acme-t1", version="2.3")
    offered = found()
    assert list(offered.kinds) == ["acme-t1"]
    assert not offered.refused
    assert offered.kinds["acme-t1"].origin == Origin("Acme-Things", "2.3")
    assert str(offered.kinds["acme-t1"].origin) == "Acme-Things 2.3"
    assert offered.kinds["acme-t1"].decode([]) == Decoded()


def test_another_group_is_none_of_ours(site: Path) -> None:
    install(site, "acme-else", KIND.format(kind="acme-e1"), "acme-e1 = acme_else:KIND", group="else.drivers")
    install(site, "acme-broken", "", "this is no line of such a file", group="else.drivers")
    assert found() == Offered({}, [])


def _wrong(kind: str, what: str) -> str:
    return KIND.format(kind=kind) + f"\nimport dataclasses\nKIND = dataclasses.replace(KIND, {what})\n"


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        (
            "acme-r1",
            "import nowhere_to_be_found",
            "cannot be loaded: ModuleNotFoundError (nowhere_to_be_found)",
        ),
        ("acme-r2", "\n\nKIND = 1 / 0", "cannot be loaded: ZeroDivisionError at acme_refused.py:3"),
        ("acme-r3", "raise SystemExit(3)", "cannot be loaded: SystemExit at acme_refused.py:1"),
        ("acme-r4", "KIND = (", "cannot be loaded: SyntaxError at acme_refused.py:1"),
        ("acme-r5", "", "cannot be loaded: AttributeError"),
        ("acme-r6", "KIND = 'a kind'", "is no DeviceKind"),
        ("acme-r7", KIND.format(kind="acme-other"), "another name for its kind"),
        ("contec-cms50", KIND.format(kind="contec-cms50"), "which Qafila has itself"),
        ("acme_R8", KIND.format(kind="acme_R8"), "a name that no kind can have"),
        ("acme-r9", _wrong("acme-r9", "transport='serial'"), "has a transport of another type"),
        ("acme-r10", _wrong("acme-r10", "models='T1'"), "has a models of another type"),
        ("acme-r11", _wrong("acme-r11", "decode=None"), "has a decode of another type"),
    ],
    ids=lambda given: given if " " not in given and "\n" not in given else "",
)
def test_what_cannot_be_used_is_left_out_and_told(
    site: Path, caplog: pytest.LogCaptureFixture, kind: str, code: str, said: str
) -> None:
    offer(site, "acme-good", "acme-good")
    offer(site, "acme-refused", kind, code)
    offered = found(taken=True)
    assert list(offered.kinds) == ["acme-good"], "one fault takes nobody else with it"
    (refused,) = offered.refused
    assert (refused.kind, refused.stable_code) == (kind, "driver-refused")
    assert said in refused.sentence
    assert "acme-refused 1.0" in refused.sentence
    assert refused.sentence.count(". ") == 0
    assert refused.sentence.endswith(".")
    assert refused.next_step.endswith(".")
    (record,) = caplog.records
    assert record.getMessage() == "driver refused"
    assert vars(record)["code"] == "driver-refused"
    assert said in vars(record)["why"]


def test_of_two_packages_with_one_kind_none_is_used(site: Path) -> None:
    offer(site, "acme-one", "acme-twin")
    offer(site, "acme-two", "acme-twin")
    offered = found()
    assert not offered.kinds
    (refused,) = offered.refused
    assert "acme-one 1.0" in refused.sentence
    assert "acme-two 1.0" in refused.sentence


def test_one_package_seen_twice_is_one(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(site, "acme-twice", "acme-twice", version="1.0")
    offer(tmp_path / "before", "Acme_Twice", "acme-twice", version="2.0")
    monkeypatch.syspath_prepend(tmp_path / "before")
    offered = found()
    assert not offered.refused
    assert offered.kinds["acme-twice"].origin == Origin("Acme_Twice", "2.0")


def test_a_file_that_cannot_be_read_stops_nobody(site: Path) -> None:
    offer(site, "acme-good", "acme-good")
    install(site, "acme-broken", "", "this is no line of such a file")
    offered = found()
    assert list(offered.kinds) == ["acme-good"]
    assert [refused.kind for refused in offered.refused] == ["acme-broken"]


@pytest.mark.parametrize("file", ["entry_points.txt", "METADATA"])
def test_a_file_that_is_no_text_stops_nobody(site: Path, file: str) -> None:
    offer(site, "acme-good", "acme-good")
    offer(site, "acme-binary", "acme-binary")
    (site / "acme_binary-1.0.dist-info" / file).write_bytes(b"\xff\x00\xfe")
    offered = found()
    assert "acme-good" in offered.kinds
    assert not offered.refused


def test_a_package_without_its_papers_is_still_told(site: Path) -> None:
    offer(site, "acme-bare", "acme-bare", "KIND = 1")
    (site / "acme_bare-1.0.dist-info" / "METADATA").unlink()
    (refused,) = found().refused
    assert "unknown unknown" in refused.sentence


def test_others_are_looked_for_only_when_a_kind_is_not_ours(site: Path) -> None:
    offer(site, "acme-lazy", "acme-lazy")
    kinds = Kinds(BUILT_IN)
    assert kinds["contec-cms50"] is BUILT_IN["contec-cms50"]
    assert "polar-h10" in kinds
    assert kinds.get("sig-bp") is BUILT_IN["sig-bp"]
    assert "acme_lazy" not in sys.modules
    assert "acme-lazy" in kinds
    assert "acme_lazy" in sys.modules
    assert [*kinds] == [*BUILT_IN, "acme-lazy"]
    assert len(kinds) == len(BUILT_IN) + 1
    assert "acme-none" not in kinds
    assert kinds.refusal("acme-none") is None


def test_an_agent_with_built_in_kinds_alone_never_looks(tmp_path: Path) -> None:
    offer(tmp_path, "acme-noisy", "acme-noisy", "print('loaded')")
    script = (
        "import sys, cli.wiring, drivers.registry as r; r.KINDS['nonin'], r.KINDS.get('sig-bp');"
        "print('drivers.offered' in sys.modules); print(len(r.KINDS.refused))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == ["False", "loaded", "1"]


# ── told on the command line ─────────────────────────────────────────────────────────────────────


def qafila(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "devices", *words],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(site)},
    )  # fmt: skip


def test_kinds_tells_origins_and_refusals_and_the_list_stays_a_list(tmp_path: Path) -> None:
    offer(tmp_path, "acme-good", "acme-good", version="0.7")
    offer(tmp_path, "acme-bad", "acme-bad", "KIND = 1")
    done = qafila(tmp_path, "kinds", "--json")
    assert done.returncode == 0
    listed = json.loads(done.stdout)
    assert [kind["kind"] for kind in listed] == [*BUILT_IN, "acme-good"]
    assert listed[-1]["from"] == {"package": "acme-good", "version": "0.7"}
    assert all("from" not in kind for kind in listed[:-1])
    assert done.stderr == (
        "What acme-bad 1.0 offers as acme-bad is no DeviceKind. Next: let the entry point name an object "
        "made with drivers.kinds.DeviceKind. (code: driver-refused)\n"
    )
    people = qafila(tmp_path, "kinds")
    assert "A thing: T1 (from acme-good 0.7)" in people.stdout
    assert people.stderr == done.stderr


def test_decoding_with_a_refused_driver_says_why(tmp_path: Path) -> None:
    offer(tmp_path, "acme-bad", "acme-bad", "KIND = 1")
    done = qafila(tmp_path, "decode", "acme-bad", "00")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is no DeviceKind" in done.stderr
    assert "driver-refused" in done.stderr


def test_a_decoder_that_fails_says_where_and_not_what(tmp_path: Path) -> None:
    code = KIND.format(kind="acme-fails").replace(
        "lambda _: Decoded()", "lambda c: int(c[0].data.hex() + 'x')"
    )
    offer(tmp_path, "acme-fails", "acme-fails", code)
    done = qafila(tmp_path, "decode", "acme-fails", "C0FFEE")
    assert (done.returncode, done.stdout) == (1, "")
    assert "The driver of acme-fails 1.0 failed: ValueError at acme_fails.py:9." in done.stderr
    assert "driver-failed" in done.stderr
    assert "c0ffee" not in done.stderr.lower()


# ── in the agent ─────────────────────────────────────────────────────────────────────────────────


async def test_a_driver_that_cannot_be_made_is_never_there_and_says_why(
    site: Path, caplog: pytest.LogCaptureFixture
) -> None:
    offer(site, "acme-unmade", "acme-unmade")
    driver = found().kinds["acme-unmade"].make_driver(CONTEXT)
    assert isinstance(driver, RefusedDriver)
    assert (driver.key, driver.kind) == ("device-1", "acme-unmade")
    for _ in range(2):
        with pytest.raises(DriverRefused) as refused:
            async with driver.session():
                pass
        assert refused.value.stable_code == "driver-refused"
        assert "NotImplementedError at acme_unmade.py:6" in refused.value.sentence
    assert [record.getMessage() for record in caplog.records] == ["driver refused"]


async def test_a_driver_under_another_key_is_refused(site: Path) -> None:
    code = KIND.format(kind="acme-key").replace(
        "raise NotImplementedError",
        "from types import SimpleNamespace as N; return N(key='x', kind='acme-key')",
    )
    offer(site, "acme-key", "acme-key", code)
    driver = found().kinds["acme-key"].make_driver(CONTEXT)
    with pytest.raises(DriverRefused, match="another key or kind"):
        async with driver.session():
            pass
