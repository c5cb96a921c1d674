"""Does the tutorial lead where it says? Every file is written, every command run, every answer compared."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.tui.terminals import ROOT, Terminal
from tests.tui.tutorial_page import Command, File, Screen, read

PAGE: Final = ROOT / "docs" / "tutorials" / "write-a-driver.md"
PIN: Final = "482913"
PORT: Final = "/tmp/tallboy-port"  # noqa: S108  as the page has it; each run takes another
MEASURED: Final = "404d2c3137322e342a37350d0a"
MOST_LINES: Final = 150
LIVE: Final = ("qafila unit init", "python -m qafila_tallboy.simulator", "qafila tui", "qafila devices list")
"""What is typed into terminals; everything else is run and answers."""
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        shutil.which("tmux") is None and "CI" not in os.environ, reason="tmux is not installed"
    ),
    pytest.mark.timeout(240),
]


class Reader:
    """Somebody who follows the page in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "tallboy"
        self.work.mkdir()
        self._site = folder / "site"
        self.port = str(folder / "port")
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            # As if this environment were installed into: the one the tests run in stays as it is.
            "PIP_TARGET": str(self._site),
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONPATH": str(self._site),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def write(self, file: File) -> None:
        path = self.work / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as end:
            end.write(self.here(file.text))

    def run(self, command: Command) -> None:
        done = self.ask(command.words)
        assert (done.returncode, done.stderr) == (0, ""), command.words
        said = done.stdout
        assert command.answers(said), f"{command.words}\n{said}\n, and the page shows\n{command.shown}"

    def ask(self, words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            shlex.split(words),
            cwd=self.work,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def here(self, text: str) -> str:
        return text.replace(PORT, self.port)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


@pytest.fixture
def terminals(reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Terminal]]:
    for name, value in reader.environment.items():
        monkeypatch.setenv(name, value)
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    made = [Terminal(folder, at=reader.work) for folder in folders]
    try:
        yield made
    finally:
        for terminal in made:
            terminal.end()
        give_up = time.monotonic() + 30
        while any(str(tmp_path) in command for command in _commands_running()):
            assert time.monotonic() < give_up, "something outlived its terminal"
            time.sleep(0.05)


def _commands_running() -> Iterator[str]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                yield (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue


def test_the_page_leads_from_an_empty_folder_to_the_screen(reader: Reader, terminals: list[Terminal]) -> None:
    simulator, screen = terminals
    seen: list[str] = []
    for step in read(PAGE):
        match step:
            case File():
                reader.write(step)
                seen.append(step.path)
            case Command() if not step.words.startswith(LIVE):
                reader.run(step)
            case Command():
                seen.append(_live(step, reader, simulator, screen))
            case Screen():
                _order(simulator, screen, "measure", "172.4 cm")
                _order(simulator, screen, "rod", "not a patient")
                screen.until(step.shows)
                seen.append("screen")
    assert seen == [
        "pyproject.toml", "qafila_tallboy/codec.py", "qafila_tallboy/__init__.py", "tests/vectors.json",
        "tests/test_tallboy.py", "qafila_tallboy/simulator.py", "qafila unit init", "van/unit.toml",
        "python -m qafila_tallboy.simulator", "qafila tui", "screen", "qafila devices list",
    ]  # fmt: skip
    assert "100.0" not in screen.shown()
    listed = json.loads(reader.ask("qafila devices kinds --json").stdout)
    (tallboy,) = [kind for kind in listed if kind["kind"] == "tallboy-s2"]
    assert tallboy["from"] == {"package": "qafila-tallboy", "version": "0.1.0"}
    decoded = json.loads(reader.ask(f"qafila devices decode tallboy-s2 {MEASURED} --json").stdout)
    assert decoded["readings"][0]["values"] == [{"code": "height", "value": "172.4", "unit": "cm"}]
    screen.keys("F10", "F10")
    screen.until("Quit?")
    screen.keys("Enter")
    screen.until("prompt>")


def _order(simulator: Terminal, screen: Terminal, order: str, seen: str) -> None:
    """Let the device do something until it is seen: before the driver has recognised it, nobody listens."""
    give_up = time.monotonic() + 60
    while seen not in screen.shown():
        assert time.monotonic() < give_up, screen.shown()
        simulator.type(order)
        simulator.keys("Enter")
        again = time.monotonic() + 10
        while seen not in screen.shown() and time.monotonic() < again:
            time.sleep(0.05)


def _live(step: Command, reader: Reader, simulator: Terminal, screen: Terminal) -> str:
    """Type a command where the page says, and see that it does what it says."""
    (which,) = [words for words in LIVE if step.words.startswith(words)]
    words = reader.here(step.words)
    if which == "qafila devices list":
        step = Command(step.words, reader.here(step.shown))
        give_up = time.monotonic() + 30
        while not step.answers(said := reader.ask(words).stdout):
            assert time.monotonic() < give_up, said
        return which
    terminal = simulator if which == "python -m qafila_tallboy.simulator" else screen
    terminal.type(words)
    terminal.keys("Enter")
    if which == "qafila unit init":
        for prompt in ("PIN for fatima", "Repeat"):
            terminal.until(prompt)
            terminal.type(PIN)
            terminal.keys("Enter")
        terminal.until("Fingerprint")
    elif which == "qafila tui":
        terminal.until("User name")
        _begin_visit(terminal)
    else:
        shown = Command("", reader.here(step.shown))
        terminal.until(lambda said: shown.answers(said.replace("\n", "").partition(words)[2]))
    return which


def _begin_visit(screen: Terminal) -> None:
    screen.type("fatima")
    screen.keys("Enter")
    screen.type(PIN)
    screen.keys("Enter")
    screen.until("new")
    screen.keys("F2")
    for text in ("Alaoui", "Samira"):
        screen.type(text)
        screen.keys("Enter")
    screen.keys("f", "Enter")
    screen.type("12051978")
    screen.keys("Enter")
    screen.type("QX730915")
    screen.keys("F12")
    screen.until("Readings")


def _python() -> dict[str, str]:
    steps = [step for step in read(PAGE) if isinstance(step, File)]
    return {file.path: file.text for file in steps if file.path.startswith("qafila_tallboy/")}


def test_a_whole_device_is_short() -> None:
    files = _python()
    assert len(files) == 3
    assert sum(len(text.splitlines()) for text in files.values()) <= MOST_LINES


def test_the_page_s_driver_imports_only_what_the_page_allows() -> None:
    allowed = re.findall(r"^\| `((?:drivers|edge)\.[\w.]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert len(allowed) == 7
    for path, text in _python().items():
        for node in ast.walk(ast.parse(text)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                if name.partition(".")[0] in {"edge", "drivers", "sync", "tui", "cli"}:
                    assert any(f"{name}.".startswith(f"{module}.") for module in allowed), f"{path}: {name}"


@pytest.mark.parametrize(
    "page", ["```python\nx\n```\n", "```console\nno command\n```\n"], ids=["no name", "no command"]
)
def test_a_block_that_says_not_what_it_is_is_refused(page: str, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(page)
    with pytest.raises(ValueError, match="without a"):
        read(tmp_path / "page.md")
