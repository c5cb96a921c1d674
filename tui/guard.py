"""Watches over the terminal while a screen has it, and puts it right when the screen dies.

The command ``qafila tui`` forks: the child is the screen, and the parent replaces itself by this
script, which keeps its place as child of the shell. SIGKILL and a crash of the interpreter leave a
terminal raw, on its other screen, without a cursor; only a process that outlives the screen can repair
that.

    python -I -S guard.py SCREEN_PID AGENT_PID|0 TERMINAL_STATE

It knows nothing of patients. Its exit status is the screen's own, or 128 and the signal that ended it.
"""

import contextlib
import os
import signal
import sys
import termios
import time
from typing import Any, Final

RESET: Final = (
    "\x1b[<u"  # kitty's keyboard protocol, as it was before
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l"  # no mouse reports
    "\x1b[?1004l\x1b[?2004l\x1b[?2048l\x1b[?2026l"  # no focus, paste or size reports, nothing held back
    "\x1b[?7h\x1b[?25h\x1b[0m"  # wrap lines, show the cursor, plain colours
    "\x1b[?1049l"  # back from the other screen
    "\r\n"
)
_PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_AGENT_ENDS_WITHIN_S: Final = 5.0


def save(descriptor: int) -> str:
    """The state of a terminal as one word for the command line."""
    flags = termios.tcgetattr(descriptor)
    control = [value if isinstance(value, int) else value[0] for value in flags[6]]
    return ":".join(str(number) for number in [*flags[:6], *control])


def restore(descriptor: int, saved: str) -> bool:
    """Give a terminal the state `save` has seen; whether it had another one."""
    numbers = [int(word) for word in saved.split(":")]
    wanted: list[Any] = [*numbers[:6], [bytes([number]) for number in numbers[6:]]]
    try:
        changed = save(descriptor) != saved
        if changed:
            termios.tcsetattr(descriptor, termios.TCSANOW, wanted)
    except termios.error:  # hung up: there is no terminal any more
        return False
    return changed


def watch(screen: int, agent: int, saved: str) -> int:
    """Wait for the end of the screen, put the terminal right, end the agent that was started for it."""
    for number in _PASSED_ON:
        signal.signal(number, lambda received, _: _tell(screen, received))
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # we may repair the terminal even from the background
    status = os.waitstatus_to_exitcode(os.waitpid(screen, 0)[1])
    if restore(0, saved) or status < 0:
        with contextlib.suppress(OSError):
            os.write(1, RESET.encode())
    if agent:
        _end(agent)
    return status if status >= 0 else 128 - status


def _tell(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def _end(agent: int) -> None:
    """Ask our own child to end, then insist."""
    _tell(agent, signal.SIGTERM)
    give_up = time.monotonic() + _AGENT_ENDS_WITHIN_S
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(agent, os.WNOHANG)[0] == 0:
            if time.monotonic() > give_up:
                _tell(agent, signal.SIGKILL)
                os.waitpid(agent, 0)
                return
            time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(watch(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
