"""Pictures that reviewers look at, and the one in the README."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.tui.tui_stage import app, measuring, settled
from tests.tui.tui_world import FakeAgent
from tui.glyphs import Level

ROOT = Path(__file__).resolve().parents[2]
SnapCompare = Callable[..., bool]


async def _settled(pilot: Pilot[None]) -> None:
    await settled(pilot)


async def _measuring(pilot: Pilot[None]) -> None:
    await measuring(pilot)


def test_sign_in(snap_compare: SnapCompare) -> None:
    assert snap_compare(app(signed_in=False), run_before=_settled, terminal_size=(80, 24))


def test_patients(snap_compare: SnapCompare) -> None:
    screen = app(FakeAgent(), capture=False)
    assert snap_compare(screen, run_before=_settled, terminal_size=(80, 24))


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 48)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_capture(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert snap_compare(app(), run_before=_measuring, terminal_size=size)


def test_capture_without_colours(snap_compare: SnapCompare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(app(), run_before=_measuring, terminal_size=(80, 24))


def test_capture_on_the_console(snap_compare: SnapCompare) -> None:
    assert snap_compare(app(level=Level.BOX), run_before=_measuring, terminal_size=(100, 37))


def test_the_readmes_picture_is_what_the_screen_shows() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "make_picture.py"), "--check"],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
