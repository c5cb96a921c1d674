"""How long a command takes from nothing, and the agent's memory."""

import contextlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final, Self

import typer.main

from cli.main import build

ROUNDS: Final = 3
PIN: Final = "482913"
COMMANDS: Final = (
    ("version",),
    ("--help",),
    ("unit", "show"),
    ("devices", "kinds"),
    ("devices", "decode", "contec-cms50", "863506 4A61"),
    ("status",),
)


def run() -> list[dict[str, Any]]:
    """Medians of whole processes, start to end; proportional set sizes of a running agent."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _qafila(
            home, "unit", "init", "--realm", "training", "--id", "bench-1", "--user", "bench", "--pin-stdin"
        )
        agent = subprocess.Popen(_words(home, "agent"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            began = time.perf_counter()
            while not (home / "run" / "agent.sock").exists():
                if agent.poll() is not None or time.perf_counter() - began > 20:
                    raise RuntimeError("the agent did not start")
                time.sleep(0.01)
            rows = [
                {
                    "name": "agent from start to socket",
                    "value": time.perf_counter() - began,
                    "unit": "s",
                    "goal": "≤ 3",
                }
            ]
            rows += [_cold_start(home, words) for words in (*COMMANDS, *_helps())]
            rows.append(
                {
                    "name": "agent, PSS while locked",
                    "value": _pss_mib(agent.pid),
                    "unit": "MiB",
                    "goal": "≤ 60",
                }
            )
            with _Watch(agent.pid) as watch:
                _qafila(home, "store", "verify", "--user", "bench", "--pin-stdin")  # signs in, which unlocks
            rows.append(
                {"name": "agent, PSS unlocked", "value": _pss_mib(agent.pid), "unit": "MiB", "goal": "≤ 60"}
            )
            rows.append(
                {
                    "name": "agent, peak PSS while a PIN unlocks (Argon2id takes 64 of it)",
                    "value": watch.peak_mib,
                    "unit": "MiB",
                    "goal": "",
                }
            )
            return rows
        finally:
            agent.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                agent.wait(5)
            agent.kill()


def _helps() -> list[tuple[str, ...]]:
    """``--help`` of every command: what each loads before it knows what is asked."""

    def leaves(command: Any, words: tuple[str, ...]) -> list[tuple[str, ...]]:  # noqa: ANN401  typer's own private kind
        inner = getattr(command, "commands", None)
        if not inner:
            return [(*words, "--help")]
        return [leaf for word, child in inner.items() for leaf in leaves(child, (*words, word))]

    return leaves(typer.main.get_command(build([])), ())


def _cold_start(home: Path, words: tuple[str, ...]) -> dict[str, Any]:
    seconds: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        _qafila(home, *words)
        seconds.append(time.perf_counter() - began)
    return {"name": f"qafila {' '.join(words)}", "value": statistics.median(seconds), "unit": "s", "goal": ""}


def _words(home: Path, *words: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "cli.main",
        *words,
        *([] if "--help" in words or words == ("version",) else _at(home, words)),
    ]


def _at(home: Path, words: tuple[str, ...]) -> list[str]:
    return [] if words[:2] in {("devices", "kinds"), ("devices", "decode")} else ["--home", str(home)]


def _qafila(home: Path, *words: str) -> None:
    done = subprocess.run(_words(home, *words), input=PIN + "\n", text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"qafila {' '.join(words)}: {done.stderr.strip()}")


def _pss_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return float("nan")


class _Watch:
    """The highest proportional set size of a process while the block runs, looked at every few ms."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look)
        self.peak_mib = 0.0

    def __enter__(self) -> Self:
        self._looking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._looking.join()

    def _look(self) -> None:
        while not self._over.wait(0.003):
            self.peak_mib = max(self.peak_mib, _pss_mib(self._pid))
