"""Opens the nurse's screen: its agent where one is needed, the screen itself, and who watches over both."""

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn

from edge.config import Places
from edge.errors import QafilaError
from tui import guard

if TYPE_CHECKING:
    from edge.config.box import ScreenSection

_PR_SET_PDEATHSIG: Final = 1
LOG_FILE: Final = "agent.log"


class NoTerminal(QafilaError):
    """The screen was started where nobody could see it or type."""

    code: ClassVar[str] = "no-terminal"


def open_screen(
    places: Places,
    *,
    home: Path | None,
    language: str,
    glyphs: str | None,
    waves: bool,
    person: tuple[str, str] | None = None,
) -> NoReturn:
    """Become the screen of a unit; this process and its child end with the exit status.

    A training unit whose agent does not run gets one, which ends with the screen. ``person`` signs in at
    once; only for a training screen that is opened by a rehearsal.

    Raises:
        NoTerminal: standard input or output is none.
        QafilaError: the configuration of a unit that has no agent yet cannot be read.
    """
    if not (os.isatty(0) and os.isatty(1)):
        raise NoTerminal(
            "The screen needs a terminal for its input and its output.",
            next_step="Start it in a terminal, without pipes.",
        )
    saved = guard.save(0)
    agent = 0
    if not _answers(places.socket):
        agent = _agent_for_training(places, home)
    screen = _forked(
        lambda: _screen(places, language=language, glyphs=glyphs, waves=waves, person=person),
        dies_with=signal.SIGTERM,
    )
    script = str(Path(guard.__file__))
    os.execv(sys.executable, [sys.executable, "-I", "-S", script, str(screen), str(agent), saved])  # noqa: S606  our own script


def configured_language(places: Places) -> str:
    """In which language the screen begins: what the unit's configuration says, or the usual one."""
    return _configured(places).language


def _configured(places: Places) -> "ScreenSection":
    from edge.config import ConfigRefused, effective
    from edge.config.box import ScreenSection

    try:
        return effective(places).config.screen
    except ConfigRefused:  # whoever opens the screen sees there what is wrong with the unit
        return ScreenSection()


def handed_over(places: Places, descriptor: int) -> tuple[str, str]:
    """User and PIN, a line each, from whoever opened this screen on a training unit.

    Raises:
        QafilaError: ``not-training``: on a production unit everybody types a PIN.
    """
    from edge.config import load

    with os.fdopen(descriptor) as lines:
        user, pin = lines.readline().rstrip("\n"), lines.readline().rstrip("\n")
    if load(places.config).unit.realm != "training":
        raise QafilaError(
            "Only a training screen may be opened for somebody who is signed in already.",
            next_step="Open it with qafila tui and type the PIN there.",
            code="not-training",
        )
    return user, pin


def _screen(
    places: Places, *, language: str, glyphs: str | None, waves: bool, person: tuple[str, str] | None
) -> int:
    """The screen's own process, from its first line to its exit status."""
    from edge.i18n.catalogue import load
    from edge.security import process
    from tui.agent import SocketAgent
    from tui.app import QafilaApp
    from tui.glyphs import Level, of_this_terminal

    process.harden()
    level = of_this_terminal() if glyphs is None else Level(glyphs)
    app = QafilaApp(
        SocketAgent(places.socket),
        load(language),
        level,
        waves=waves,
        shapes_arabic=_configured(places).arabic == "shape",
        person=person,
    )
    app.run(mouse=False)
    return app.return_code or 0


def _agent_for_training(places: Places, home: Path | None) -> int:
    """Start an agent where nobody answers and nothing real can be at stake; its process id, or 0."""
    from edge.config import load

    if load(places.config).unit.realm != "training":
        return 0
    words = ["-m", "cli.main", "agent", *([] if home is None else ["--home", str(home)])]

    def become_agent() -> int:
        log = os.open(places.base / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.setsid()  # the terminal's signals are the screen's
        for target, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, target)
        os.execv(sys.executable, [sys.executable, *words])  # noqa: S606  our own command

    return _forked(become_agent, dies_with=signal.SIGTERM)


def _forked(work: Callable[[], int], *, dies_with: signal.Signals) -> int:
    """Run ``work`` in a child that the kernel ends when this process ends; the child's id.

    Forked while there is one thread. The parent becomes the guard by exec, which keeps its place.
    """
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(dies_with), 0, 0, 0)
        if os.getppid() == parent:
            status = work()
    except QafilaError as error:
        status = 1
        _say(f"{error.sentence} Next: {error.next_step} (code: {error.stable_code})")
    except Exception as error:  # noqa: BLE001  where a process meets the world: values stay unsaid
        _say(f"The screen could not start: {type(error).__name__}. (code: internal)")
    finally:
        sys.stdout.flush()
        os._exit(status)


def _say(words: str) -> None:
    os.write(2, f"{words}\n".encode())


def _answers(path: Path) -> bool:
    """Whether somebody listens at the socket; asked without loading the client."""
    from edge.localapi.unix import short_path

    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, short_path(path) as address:
            return probe.connect_ex(address) == 0
    except OSError:
        return False
