"""A real terminal (tmux) that a test types into and looks at."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


class Terminal:
    """A tmux of its own, with a shell in it."""

    def __init__(self, folder: Path, width: int = 100, height: int = 30, at: Path = ROOT) -> None:
        self._socket = folder / "tmux"
        self.tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), "-c", str(at),
            "env", "-u", "NO_COLOR", "PS1=prompt>", "bash", "--norc", "--noprofile", "--noediting",
        )  # fmt: skip

    def tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), *words],  # noqa: S607  tmux is on PATH where these tests run
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def keys(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)

    def shown(self) -> str:
        return self.tmux("capture-pane", "-p")

    def until(self, what: str | Callable[[str], bool], within_s: float = 40.0) -> str:
        give_up = time.monotonic() + within_s
        while True:
            shown = self.shown()
            if what in shown if isinstance(what, str) else what(shown):
                return shown
            assert time.monotonic() < give_up, f"waited in vain for {what!r}:\n{shown}"
            time.sleep(0.03)

    def sane(self) -> bool:
        """Neither on the other screen, nor with mouse reports, nor without a cursor, nor raw."""
        flags = self.tmux("display-message", "-p", "#{alternate_on} #{mouse_any_flag} #{cursor_flag}").split()
        tty = self.tmux("display-message", "-p", "#{pane_tty}").strip()
        state = subprocess.run(["stty", "-a", "-F", tty], capture_output=True, text=True, check=True).stdout  # noqa: S607  as above
        return flags == ["0", "0", "1"] and {"icanon", "echo", "isig"} <= set(state.split())

    def end(self) -> None:
        subprocess.run(["tmux", "-S", str(self._socket), "kill-server"], capture_output=True, check=False)  # noqa: S607  as above
