"""Runs the pages of ``docs/howto``: their commands in order, as somebody would type them who reads the page.

A command stands in a block whose first line names its machine: ``sh unit`` or ``sh centre``. Behind that may
stand

* ``stays``: it runs in a terminal of its own until the page is over, or until somebody stops it;
* ``waits``: it waits for what is said at the other machine; before the next command of its own it has ended;
* ``until``: it is given again until its answer shows what the block of text behind it says;
* ``any-status``: it may end as it likes, as a doctor does that has found something.

A block that begins with ``text`` shows lines that the answer holds, in that order, with ``…`` for anything.
Each command gets a terminal, and answers to what it asks there: secrets are never given in any other way.
"""

import contextlib
import dataclasses
import os
import re
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = ROOT / "docs" / "howto"
WAIT_S: Final = 100.0
ENDS_WITHIN_S: Final = 20.0
FLAGS: Final = frozenset({"stays", "waits", "until", "any-status"})
_STEERING: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_FENCE: Final = re.compile(r"^ *```(?P<info>[^\n`]*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One command of a page.

    Attributes:
        shown: what the page says that it answers, line by line.
    """

    machine: str
    command: str
    flags: frozenset[str] = frozenset()
    shown: tuple[str, ...] = ()

    def matches(self, said: str) -> bool:
        """Whether the answer holds the lines that are shown, in their order."""
        lines = [" ".join(line.split()) for line in said.splitlines()]
        at = 0
        for wanted in self.shown:
            pattern = re.compile(".*".join(re.escape(part) for part in " ".join(wanted.split()).split("…")))
            at = next((n + 1 for n in range(at, len(lines)) if pattern.fullmatch(lines[n])), 0)
            if not at:
                return False
        return True


def steps_of(page: Path) -> list[Step]:
    """The commands of a page, in order.

    Raises:
        ValueError: a block of commands does not say where it is to be typed.
    """
    steps: list[Step] = []
    for block in _FENCE.finditer(page.read_text()):
        info, lines = block["info"].split(), tuple(filter(None, map(str.strip, block["text"].splitlines())))
        if info[:1] == ["sh"]:
            machine, *flags = info[1:] or [""]
            if not machine or not FLAGS.issuperset(flags):
                raise ValueError(f"{page.name}: ```{block['info']}")
            steps += [Step(machine, line, frozenset(flags)) for line in lines]
        elif info == ["text"] and steps:
            steps[-1] = dataclasses.replace(steps[-1], shown=lines)
    return steps


class Terminal:
    """One command in a terminal of its own.

    Args:
        answer: what is typed where a prompt ends the output so far; None where that is no prompt.
    """

    def __init__(
        self, words: list[str], environment: Mapping[str, str], cwd: Path, answer: Callable[[str], str | None]
    ) -> None:
        self._ours, theirs = os.openpty()
        self._answer = answer
        self._answered = 0
        self._asked_to_end = False
        self.said = ""
        self.process = subprocess.Popen(
            ["/usr/bin/setsid", "--ctty", *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            cwd=cwd,
        )
        os.close(theirs)

    def read(self, seconds: float) -> bool:
        """Take what it says, and answer what it asks; False when there will be no more."""
        if not self._more(seconds):
            self._answer_prompt()  # by now somebody may know what to say
            return True
        try:
            data = os.read(self._ours, 65_536)
        except OSError:  # its last end is closed
            return False
        text = data.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
        self.said += _STEERING.sub("", text)
        self._answer_prompt()
        return True

    def _answer_prompt(self) -> None:
        asked = self.said[self._answered :]
        if asked.endswith(": ") and (typed := self._answer(asked.rsplit("\n", 1)[-1])) is not None:
            self._answered = len(self.said)
            os.write(self._ours, typed.encode() + b"\n")

    def take_what_is_there(self) -> None:
        while self._more(0) and self.read(0):
            pass

    def _more(self, seconds: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._ours, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    def run(self) -> int:
        """Until it has ended; its exit status."""
        end = time.monotonic() + WAIT_S
        while self.read(0.2):
            assert time.monotonic() < end, f"no end after {WAIT_S} s: {self.said}"
        return self.process.wait(10)

    def ask_to_end(self) -> None:
        """Ctrl-C, as a person ends what runs in a terminal."""
        if self.process.poll() is None and not self._asked_to_end:
            os.write(self._ours, b"\x03")
            self._asked_to_end = True

    def end(self) -> None:
        if self.process.poll() is None:
            self.ask_to_end()
            end = time.monotonic() + ENDS_WITHIN_S
            while self.process.poll() is None and time.monotonic() < end and self.read(0.05):
                pass
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(max(0.0, end - time.monotonic()))
            self.process.kill()
            self.process.wait(10)
        os.close(self._ours)


class Reader:
    """Somebody who does what a page says, at a unit and at a centre that begin with nothing.

    Args:
        directory: where both have their folders and their media.
        pins: by person, what is typed when a PIN is asked for.
        places: what stands for each name on the page, such as a broker's address.
        into: words before each command, by machine, such as those that enter its network.
        ports: of the centre's broker, for units and for its own processes.
    """

    def __init__(
        self,
        directory: Path,
        pins: Mapping[str, str],
        places: Mapping[str, str] | None = None,
        into: Mapping[str, list[str]] | None = None,
        *,
        ports: tuple[int, int] = (8883, 8884),
    ) -> None:
        self.ports = ports
        self.directory = directory
        self._pins = dict(pins)
        self._places = dict(places or {})
        self._into = dict(into or {})
        self._last = ""
        self._heard: dict[str, str] = {}
        self._running: list[tuple[Step, Terminal]] = []
        self._waiting: dict[str, tuple[Step, Terminal]] = {}
        self.commands = 0
        for medium in ("stick", "blue", "red", "green"):
            (directory / "media" / medium).mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        terminals = [terminal for _, terminal in [*self._running, *self._waiting.values()]]
        for terminal in terminals:
            terminal.ask_to_end()
        for terminal in terminals:
            terminal.end()

    def home(self, machine: str) -> Path:
        path = self.directory / machine
        path.mkdir(exist_ok=True)
        return path

    def follow(self, page: str) -> None:
        """Do all that the page says.

        Raises:
            AssertionError: a command failed, or did not answer as the page shows.
        """
        for step in steps_of(PAGES / page):
            self.do(step)
        for machine in list(self._waiting):
            self._finish(machine)

    def do(self, step: Step) -> str:
        """Type one command; what it said.

        Raises:
            AssertionError: it failed, or did not answer as the page shows.
        """
        self.commands += 1
        self._finish(step.machine)
        if step.machine == "newcard":  # it is in the place of the other
            self.switch_off("unit")
        if {"stays", "waits"} & step.flags:
            return self._stay(step)
        end = time.monotonic() + WAIT_S
        while True:
            terminal = self._start(step)
            try:
                status = terminal.run()
            except AssertionError as error:
                raise AssertionError(f"$ {step.command}\n{error}{self._logs()}") from None
            finally:
                terminal.end()
            good = (status == 0 or "any-status" in step.flags) and step.matches(terminal.said)
            if good or "until" not in step.flags or time.monotonic() > end:
                assert good, f"$ {step.command}\n{terminal.said}\nexit {status}; {self._logs()}"
                self._hear(step, terminal.said)
                return terminal.said
            time.sleep(0.2)

    def _stay(self, step: Step) -> str:
        terminal = self._start(step)
        if "waits" in step.flags:
            self._waiting[step.machine] = (step, terminal)
        else:
            self._running.append((step, terminal))
        end = time.monotonic() + WAIT_S
        ready = self._ready(step)
        while not (ready(terminal.said) and step.matches(terminal.said)):
            assert terminal.read(0.05), f"$ {step.command}\n{terminal.said}"
            assert time.monotonic() < end, f"$ {step.command}\n{terminal.said}"
        self._hear(step, terminal.said)
        return terminal.said

    def switch_off(self, machine: str, command: str = "") -> None:
        """End what runs there, or that one command."""
        for each in [each for each in self._running if each[0].machine == machine]:
            if each[0].command.startswith(command):
                each[1].end()
                self._running.remove(each)

    def _finish(self, machine: str) -> None:
        """What waited for the other machine has to end well now."""
        if machine not in self._waiting:
            return
        step, terminal = self._waiting.pop(machine)
        try:
            status = terminal.run()
        finally:
            terminal.end()
        assert status == 0, f"$ {step.command}\n{terminal.said}\nexit {status}"

    def _hear(self, step: Step, said: str) -> None:
        """What is read out by telephone stands alone on a line, indented."""
        if (told := re.search(r"^ {4}(\S.*)$", said, re.MULTILINE)) is not None:
            self._heard[step.machine] = told[1]

    def _ready(self, step: Step) -> Callable[[str], bool]:
        """When a person would see that it runs; the next command is typed then."""
        if step.command.startswith("qafila agent"):
            return lambda _: (self.home(step.machine) / "run" / "agent.sock").exists()
        if "waits" in step.flags:
            return lambda said: said.endswith(": ") and "PIN" not in said.rsplit("\n", 1)[-1]
        if step.command.startswith(("mosquitto", "qafila sim run", "qafila central est")):
            return lambda said: bool(said.strip())
        return lambda _: True

    def _start(self, step: Step) -> Terminal:
        command = re.sub(r"(?<= )/media/", f"{self.directory}/media/", step.command)
        for name, place in self._places.items():
            command = command.replace(name, place)
        environment = {
            **{name: os.environ[name] for name in ("LANG", "LC_ALL", "SSL_CERT_FILE") if name in os.environ},
            "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}:/usr/sbin",
            "HOME": str(self.directory),
            "QAFILA_HOME": str(self.home(step.machine)),
            "TERM": "dumb",
            "COLUMNS": "200",
        }
        words = [*self._into.get(step.machine, []), "sh", "-c", f"exec {command}"]
        return Terminal(words, environment, self.home(step.machine), self._typed)

    def _typed(self, prompt: str) -> str | None:
        """What is typed at a prompt; None for one that nobody here knows the answer to."""
        if prompt.startswith("Repeat"):
            return self._last
        if "Type its name to go on" in prompt:
            return "van-07"
        if prompt.startswith("Challenge"):
            return self._heard.get("unit")
        if prompt.startswith("Code"):
            return self._heard.get("centre")
        named = re.search(r"PIN (?:of|for) (\w+)", prompt)
        if named is None:
            return None
        self._last = self._pins[named[1]]
        return self._last

    def _logs(self) -> str:
        """The end of what the others have said."""
        for _, terminal in self._running:
            terminal.take_what_is_there()
        return "".join(f"\n── {step.command}\n{terminal.said[-1500:]}" for step, terminal in self._running)
