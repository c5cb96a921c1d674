"""The nurse's screen on a real pseudo-terminal: what a frame costs, what it sends, how soon a key shows.

The screen runs in a process of its own, on the made-up agent of its tests, with ECG and pleth at 120 by 36.
Its CPU time is read from /proc, its output counted at the other end of the pseudo-terminal. Key to paint is
from the write of a key to the first byte that shows it, with both waves running.
"""

import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import Any, Final

SIZE: Final = (120, 36)
WARM_UP_S: Final = 4.0
MEASURED_S: Final = 12.0
KEYS: Final = 40
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_ROOT: Final = Path(__file__).resolve().parents[1]

_PROGRAM: Final = """
import sys
sys.path.insert(0, {root!r})
from bench.screen_player import play
play(waves={waves!r})
"""


class _Screen:
    """The process and its terminal."""

    def __init__(self, *, waves: bool) -> None:
        self.near, far = pty.openpty()
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
        environment = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "TEXTUAL"}}
        environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TEXTUAL_ANIMATIONS": "none"}
        self.began_s = time.monotonic()
        with tempfile.NamedTemporaryFile("w", suffix=".py", delete=False) as script:
            script.write(_PROGRAM.format(root=str(_ROOT), waves=waves))
        self._script = Path(script.name)
        self.process = subprocess.Popen(
            [sys.executable, script.name], stdin=far, stdout=far, stderr=far, env=environment, cwd=_ROOT,
            start_new_session=True,
        )  # fmt: skip
        os.close(far)

    def read(self, seconds: float, until: bytes | None = None) -> bytes:
        """What it writes in so many seconds, or until something is among it."""
        got = b""
        give_up = time.monotonic() + seconds
        while (left := give_up - time.monotonic()) > 0:
            if select.select([self.near], [], [], left)[0]:
                try:
                    got += os.read(self.near, 65536)
                except OSError:  # it has ended
                    return got
                if until is not None and until in got:
                    return got
        return got

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def pss_mib(self) -> float:
        rollup = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024

    def end(self) -> None:
        self.process.terminate()
        give_up = time.monotonic() + 5
        while self.process.poll() is None and time.monotonic() < give_up:
            self.read(0.05)
        self.process.kill()
        self.process.wait()
        os.close(self.near)
        self._script.unlink()


def run() -> list[dict[str, Any]]:
    """The figures, each beside its goal."""
    from tui.widgets.wave import FRAMES_PER_S

    quiet_cpu, quiet_bytes, _, _, _ = _measure(waves=False)
    cpu, sent, keys, paint_s, pss = _measure(waves=True)
    return [
        {
            "name": f"CPU a frame, ECG and pleth, 120 by 36, {FRAMES_PER_S} frames/s",
            "value": cpu * 1000 / MEASURED_S / FRAMES_PER_S,
            "unit": "ms",
            "goal": "≤ 4",
        },
        {
            "name": "the same without waves, for comparison",
            "value": quiet_cpu * 1000 / MEASURED_S / FRAMES_PER_S,
            "unit": "ms",
            "goal": "",
        },
        {"name": "CPU of one core with both waves", "value": cpu / MEASURED_S * 100, "unit": "%", "goal": ""},
        {"name": "sent to the terminal", "value": sent / MEASURED_S / 1000, "unit": "kB/s", "goal": "≤ 80"},
        {
            "name": "sent without waves",
            "value": quiet_bytes / MEASURED_S / 1000,
            "unit": "kB/s",
            "goal": "",
        },
        {"name": "key to paint, median", "value": statistics.median(keys) * 1000, "unit": "ms", "goal": ""},
        {
            "name": "key to paint, 95 of 100",
            "value": sorted(keys)[int(len(keys) * 0.95) - 1] * 1000,
            "unit": "ms",
            "goal": "≤ 100",
        },
        {"name": "start to first paint", "value": paint_s, "unit": "s", "goal": "≤ 2.5"},
        {"name": "screen, PSS", "value": pss, "unit": "MiB", "goal": "≤ 60"},
    ]


def _measure(*, waves: bool) -> tuple[float, int, list[float], float, float]:
    screen = _Screen(waves=waves)
    try:
        first = screen.read(20, until=b"van-07")
        if b"van-07" not in first:
            raise RuntimeError("the screen did not appear")
        paint_s = time.monotonic() - screen.began_s
        screen.read(WARM_UP_S)
        before_s = screen.cpu_s()
        sent = len(screen.read(MEASURED_S))
        cpu = screen.cpu_s() - before_s
        pss = screen.pss_mib()
        return cpu, sent, _keys(screen), paint_s, pss
    finally:
        screen.end()


def _keys(screen: _Screen) -> list[float]:
    """Type digits into an open line and wait for each to appear."""
    os.write(screen.near, b"\x1bOS")  # F4
    screen.read(0.7)
    os.write(screen.near, b"7")
    screen.read(0.5)
    waits: list[float] = []
    for count in range(KEYS):
        screen.read(0.05 + 0.013 * (count % 7))  # at any moment of a frame
        key = "123456789"[count % 9].encode()
        began = time.monotonic()
        os.write(screen.near, key)
        if key not in screen.read(2.0, until=b"m" + key):
            raise RuntimeError("a key was lost")
        waits.append(time.monotonic() - began)
        os.write(screen.near, b"\x7f")
        screen.read(0.08)
    return waits
