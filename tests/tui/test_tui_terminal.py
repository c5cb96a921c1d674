"""The whole command on a real terminal (tmux), with a real agent: it never leaves a terminal broken."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.terminals import Terminal
from tui import guard

ROOT = Path(__file__).resolve().parents[2]
PIN = "482913"
NAME = "Zz-Nobody-Planted"
CARD = "QX730915"
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        shutil.which("tmux") is None and "CI" not in os.environ, reason="tmux is not installed"
    ),
    pytest.mark.timeout(120),
]


class Box:
    """A training unit and its screen."""

    def __init__(self, home: Path, terminal: Terminal) -> None:
        self.home = home
        self.terminal = terminal

    def open(self, *options: str, program: str = "") -> None:
        words = " ".join(options)
        command = program or f"{sys.executable} -m cli.main tui"
        self.terminal.type(f"{command} --home {self.home} {words}; echo rc=$?")
        self.terminal.keys("Enter")
        self.terminal.until(lambda shown: "Code PIN" in shown and "horloge" in shown)

    def sign_in(self) -> None:
        self.terminal.type("fatima")
        self.terminal.keys("Enter")
        self.terminal.type(PIN)
        self.terminal.keys("Enter")
        self.terminal.until("nouveau")

    def begin_visit(self) -> None:
        """A burst without a pause, accents in it, as a fast typist or a scanner does it."""
        self.terminal.keys("F2")
        self.terminal.type(NAME)
        self.terminal.keys("Enter")
        self.terminal.type("Œlaïa-Éléonore")
        self.terminal.keys("Enter", "f", "Enter")
        self.terminal.type("12051978")
        self.terminal.keys("Enter")
        self.terminal.type(CARD)
        self.terminal.keys("Enter", "1", "Enter")
        self.terminal.until("Mesures enregistr")

    def processes(self, word: str) -> list[int]:
        """Processes of this home whose command line has the word."""
        found: list[int] = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.home) in command and f" {word} " in command and "-m cli.main" in command:
                found.append(int(entry.name))
        return found

    def kill(self, word: str, number: int) -> None:
        (process,) = self.processes(word)
        os.kill(process, number)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    home = tmp_path / "h"
    subprocess.run(
        [
            sys.executable, "-m", "cli.main", "unit", "init", "--realm", "training", "--id", "van-07",
            "--user", "fatima", "--pin-stdin", "--home", str(home),
        ],
        cwd=ROOT, input=PIN + "\n", text=True, check=True, capture_output=True,
    )  # fmt: skip
    terminal = Terminal(tmp_path)
    made = Box(home, terminal)
    try:
        yield made
    finally:
        terminal.end()
        give_up = time.monotonic() + 30
        while made.processes("agent") or made.processes("tui"):
            assert time.monotonic() < give_up, "something outlived its terminal"
            time.sleep(0.05)


def test_a_burst_arrives_whole_and_the_agent_ends_with_the_screen(box: Box) -> None:
    box.open()
    assert len(box.processes("agent")) == 1, "nobody answered, so an agent was started"
    box.sign_in()
    box.begin_visit()
    shown = box.terminal.shown()
    assert f"{NAME} Œlaïa-Éléonore" in shown
    assert CARD in shown
    assert "F 1978-05-12" in shown
    box.terminal.keys("F4", "1", "1", "4", "2", "Enter", "9", "1", "Enter")
    box.terminal.until("Enregistré : PNI 142/91")
    box.terminal.keys("Escape")
    box.terminal.until(lambda shown: "PNI 142/91 mmHg" in shown and "● enregistré" in shown)
    box.terminal.keys("Escape")
    box.terminal.until("visite ouverte")
    box.terminal.type(CARD)  # its digits are no choice of a row, however fast they come
    box.terminal.keys("Enter")
    box.terminal.until(lambda shown: "PNI 142/91 mmHg" in shown and "clore la visite" in shown)
    box.terminal.keys("F10", "F10")
    box.terminal.until("Quitter ?")
    box.terminal.keys("Enter")
    box.terminal.until("rc=0")
    assert box.terminal.sane()
    assert box.processes("agent") == []


def test_a_technician_sees_a_patient_only_after_the_alert_that_says_so(box: Box) -> None:
    command = ["users", "add", "tariq", "--role", "technician", "--by", "fatima", "--pin-stdin"]
    subprocess.run(
        [sys.executable, "-m", "cli.main", *command, "--home", str(box.home)],
        cwd=ROOT, input=f"{PIN}\n739154\n", text=True, check=True, capture_output=True,
    )  # fmt: skip
    box.open()
    box.sign_in()
    box.begin_visit()
    box.terminal.keys("F9")
    box.terminal.until("Écran verrouillé")
    box.terminal.keys("Up", *["BSpace"] * len("fatima"), *"tariq", "Enter", *"739154", "Enter")
    box.terminal.until("F8 urgence")
    assert NAME not in box.terminal.shown()
    box.terminal.keys("F8")
    box.terminal.until("Pourquoi")
    box.terminal.type("personne d'autre")
    box.terminal.keys("Enter", "BSpace", "BSpace")
    box.terminal.type("60")
    box.terminal.keys("F12")
    shown = box.terminal.until(lambda shown: "URGENCE" in shown and "visite ouverte" in shown)
    assert NAME in shown
    assert "(urgents : 1)" in shown, "the alert waits to leave, before everything else"
    box.terminal.keys("F9")
    box.terminal.until("Écran verrouillé")
    box.terminal.type("739154")
    box.terminal.keys("Enter")
    shown = box.terminal.until("F8 urgence")
    assert NAME not in shown
    assert "URGENCE," not in shown


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, 137), (signal.SIGSEGV, 139)],
    ids=["term", "hup", "kill", "segv"],
)
def test_a_signal_leaves_the_terminal_sane_and_says_so_in_the_status(
    box: Box, number: int, status: int
) -> None:
    box.open()
    box.sign_in()
    assert not box.terminal.sane(), "else this test would show nothing"
    box.kill("tui", number)
    shown = box.terminal.until(f"rc={status}")
    assert "prompt>" in shown
    assert box.terminal.sane()
    give_up = time.monotonic() + 30
    while box.processes("agent"):
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_a_screen_without_its_guard_ends_and_cleans_up_by_itself(box: Box) -> None:
    """The kernel tells it with SIGTERM, so this shows what SIGTERM alone does to the terminal."""
    box.open()
    box.sign_in()
    (screen,) = box.processes("tui")
    parent = int(Path(f"/proc/{screen}/stat").read_text().rsplit(")", 1)[1].split()[1])
    assert "guard.py" in Path(f"/proc/{parent}/cmdline").read_text()
    os.kill(parent, signal.SIGKILL)
    give_up = time.monotonic() + 30
    while not box.terminal.sane():  # the shell's own words may go with the screen, on which it said them
        assert time.monotonic() < give_up
        time.sleep(0.05)
    box.terminal.type("echo $((6 * 7)) is the answer")
    box.terminal.keys("Enter")
    box.terminal.until("42 is the answer")
    assert box.processes("tui") == []


def test_a_crash_leaves_a_page_without_patient_data_and_a_status(box: Box) -> None:
    """A fault planted in the code that draws a record, while a patient's name is in its hands."""
    planted = box.home / "planted.py"
    planted.write_text(
        "import sys\n"
        "sys.argv[0] = 'qafila'\n"
        "import tui.screens.capture as capture\n"
        "def broken(self):\n"
        "    name = self.patient.family\n"
        "    if self.patient.given.startswith('Œ') and self.observations:\n"
        "        raise RuntimeError(f'cannot draw {name}')\n"
        "capture.CaptureScreen._show_records = broken\n"
        "import cli.main\n"
        "cli.main.run()\n"
    )
    box.open(program=f"PYTHONPATH={ROOT} {sys.executable} {planted} tui")
    box.sign_in()
    box.begin_visit()
    box.terminal.keys("F4", "2", "9", "7", "Enter")
    shown = box.terminal.until("rc=1")
    assert "écran, référence" in shown
    assert "RuntimeError" in shown
    assert NAME not in shown
    assert CARD not in shown
    assert box.terminal.sane()


def test_numbers_are_grey_within_two_seconds_of_the_agents_death_and_come_back(box: Box) -> None:
    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "cli.main", "agent", "--home", str(box.home)],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
        )

    agent = start()
    took_s: list[float] = []
    try:
        while not (box.home / "run" / "agent.sock").exists():
            assert agent.poll() is None
            time.sleep(0.02)
        box.open()
        box.sign_in()
        box.begin_visit()
        while not took_s or (took_s[-1] >= 2.0 and len(took_s) < 3):  # the machine may have other work
            agent.kill()
            died = time.monotonic()
            box.terminal.until("AGENT ABSENT")
            took_s.append(time.monotonic() - died)
            agent.wait()
            agent = start()
            box.terminal.until("agent est revenu")
            box.terminal.type(PIN)
            box.terminal.keys("Enter")
            shown = box.terminal.until(lambda shown: "Mesures enregistr" in shown and "AGENT" not in shown)
            assert NAME in shown
        assert took_s[-1] < 2.0, took_s
        box.kill("tui", signal.SIGTERM)
        box.terminal.until("rc=143")
        assert agent.poll() is None, "an agent that was there before stays"
    finally:
        agent.kill()
        agent.wait()


def test_what_is_typed_while_the_agent_begins_anew_is_kept_without_an_alarm(box: Box) -> None:
    """Locking the store makes the agent execute itself again; the screen's connection ends and returns."""
    agent = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "agent", "--home", str(box.home)],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not (box.home / "run" / "agent.sock").exists():
            assert agent.poll() is None
            time.sleep(0.02)
        box.open()
        box.sign_in()
        subprocess.run(
            [
                sys.executable, "-m", "cli.main", "store", "lock", "--user", "fatima", "--pin-stdin",
                "--home", str(box.home),
            ],
            cwd=ROOT, input=PIN + "\n", text=True, check=True, capture_output=True,
        )  # fmt: skip
        box.terminal.until("Code PIN")
        box.terminal.keys("Up", *["BSpace"] * len("fatima"), *"fatima", "Enter")
        seen: list[str] = []
        for digit in PIN[:-1]:
            box.terminal.keys(digit)
            seen.append(box.terminal.shown())
        give_up = time.monotonic() + 40
        while b"QAFILA_LISTENING=" not in Path(f"/proc/{agent.pid}/environ").read_bytes():
            seen.append(box.terminal.shown())
            assert time.monotonic() < give_up, "it did not begin anew"
        box.terminal.keys(PIN[-1], "Enter")
        while "nouveau" not in seen[-1]:
            seen.append(box.terminal.shown())
            assert time.monotonic() < give_up, seen[-1]
        assert not [shown for shown in seen if "ABSENT" in shown or "répond pas" in shown]
        assert agent.poll() is None
    finally:
        agent.kill()
        agent.wait()


def test_a_pleth_runs_and_a_reading_is_kept(box: Box) -> None:
    """The simulated oximeter on a pseudo-terminal, at its own speed."""
    port = box.home / "oximeter"
    with (box.home / "unit.toml").open("a") as config:
        config.write(
            f'\n[[device]]\nkey = "oximeter-1"\nkind = "contec-cms50"\nport = "{port}"\nsimulated = true\n'
        )
    simulator = subprocess.Popen(
        [sys.executable, "-m", "drivers.devices.contec_cms50.simulator", "--link", str(port), "--seed", "7"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        while not port.exists():
            assert simulator.poll() is None
            time.sleep(0.02)
        box.open()
        box.sign_in()
        box.begin_visit()
        assert simulator.stdin is not None
        simulator.stdin.write(b"spo2 97\nfinger on\n")
        simulator.stdin.flush()
        box.terminal.until(lambda shown: sum("\u2800" < c < "\u2900" for c in shown) > 60, within_s=40)
        box.terminal.until("● enregistré", within_s=40)
        assert "simulé" in box.terminal.shown()
    finally:
        assert simulator.stdin is not None
        simulator.stdin.close()
        simulator.terminate()
        simulator.wait()


def test_the_guard_gives_a_terminal_back_as_it_was() -> None:
    import termios
    import tty

    near, far = os.openpty()
    try:
        saved = guard.save(far)
        tty.setraw(far)
        assert guard.restore(far, saved)
        assert guard.save(far) == saved
        assert not guard.restore(far, saved), "nothing to do"
        assert termios.tcgetattr(far)[3] & termios.ICANON
    finally:
        os.close(near)
        os.close(far)


def test_without_a_terminal_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "tui", "--home", str(tmp_path)],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "(code: no-terminal)" in done.stderr
