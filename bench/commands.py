"""How long a command takes from nothing, and the agent's memory."""

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

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
            _qafila(home, "store", "verify", "--user", "bench", "--pin-stdin")  # signs in, which unlocks
            rows.append(
                {"name": "agent, PSS unlocked", "value": _pss_mib(agent.pid), "unit": "MiB", "goal": "≤ 60"}
            )
            rows.append(
                {
                    "name": "agent, peak RSS (Argon2id takes 64 of it)",
                    "value": _peak_mib(agent.pid),
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


def _peak_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")
