"""`make screen`: one command, and a person looks at a live training screen, signed in."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.terminals import Terminal

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        shutil.which("tmux") is None and "CI" not in os.environ, reason="tmux is not installed"
    ),
    pytest.mark.timeout(180),
]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path, 120, 36)
    yield made
    made.end()


def _of_this_test(folder: Path) -> list[str]:
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if str(folder) in words and "qafila-screen-" in words:
            found.append(words)
    return found


def test_a_live_screen_in_one_command(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type(f"TMPDIR={tmp_path} {sys.executable} -m cli.main sim screen --language en; echo rc=$?")
    terminal.keys("Enter")
    terminal.until("visit open", within_s=90)
    words = " ".join(_of_this_test(tmp_path))
    assert "tui" in words
    terminal.keys("Enter")
    terminal.until("F12")
    # The oximeter's numbers stand still for six seconds, are kept, travel, and are received at the centre.
    terminal.until(lambda shown: "SpO₂ 9" in shown and "received" in shown, within_s=60)
    terminal.keys("F10", "F10")
    terminal.until("Quit?")
    terminal.keys("Enter")
    terminal.until("rc=0", within_s=30)
    assert terminal.sane()
    assert _of_this_test(tmp_path) == []
