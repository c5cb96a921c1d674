"""Runs the parts of the check, each with its seconds against its budget.

`make check` calls this for the static part, then `make test` for the rest, then for the report.
Every part runs even when one before it failed, so that one run tells all; any failure fails the whole.
"""

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
BIN: Final = ROOT / ".venv" / "bin"
TIMES: Final = ROOT / ".venv" / "check-times.json"


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One part of the check: its commands run in order; its budget is in seconds."""

    name: str
    budget_s: int
    commands: tuple[tuple[str, ...], ...]


def _pytest(*arguments: str) -> tuple[str, ...]:
    return (str(BIN / "python"), "-m", "pytest", "-q", *arguments)


def _side_by_side(*arguments: str, workers: int = 4) -> tuple[str, ...]:
    """Several at a time on any machine: most of what a test takes is waiting, not work.

    Each worker reads all the files it is given, so a part of thousands of quick tests has fewer workers.
    """
    return _pytest("-n", str(workers), "--dist", "worksteal", *arguments)


def _fuzz() -> list[str]:
    """The files with tests of that mark; to collect all others in each worker would take longer."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(path.relative_to(ROOT)) for path in files if "mark.fuzz" in path.read_text()]


def _system(*words: str) -> list[str]:
    files = [path for word in words for path in sorted((ROOT / "tests" / "system").glob(f"test_{word}_*.py"))]
    files += [path for word in words if (path := ROOT / "tests" / "system" / f"test_{word}.py").exists()]
    return [str(path.relative_to(ROOT)) for path in files]


STATIC: Final = (
    Part(
        "static",
        90,
        (
            (str(BIN / "ruff"), "format", "--check", "."),
            (str(BIN / "ruff"), "check", "."),
            (str(BIN / "lint-imports"), "--no-cache"),
            (str(BIN / "mypy"),),
            (str(BIN / "pyright"),),
        ),
    ),
)
TESTS: Final = (
    Part(
        "unit",
        120,
        (
            _side_by_side(
                *("-m", "not fuzz and not system", "--ignore=tests/tui", "--ignore=tests/system"), workers=3
            ),
        ),
    ),
    Part("fuzz", 60, (_side_by_side("-m", "fuzz", *_fuzz()),)),
    Part(
        "torture",
        90,
        (
            (str(BIN / "python"), "-m", "torture"),
            _side_by_side("-m", "system", *_system("store", "agent")),
        ),
    ),
    Part(
        "chaos",
        60,
        (
            (str(BIN / "python"), "-m", "chaos"),
            _side_by_side("-m", "system", *_system("uplink", "centre", "link", "demo")),
        ),
    ),
    Part("howto", 90, (_side_by_side("-m", "system", *_system("howto")),)),
    Part("screens", 90, (_side_by_side("tests/tui"),)),
    Part("radio", 60, (_side_by_side("-m", "system", *_system("ble")),)),
)
"""Every file of ``tests/system`` begins with one of these words; a test holds that none is left out."""


def _run(parts: tuple[Part, ...]) -> bool:
    times: dict[str, dict[str, float | int | bool]] = json.loads(TIMES.read_text()) if TIMES.exists() else {}
    good = True
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin",
        # each worker and each process of a test would compile everything anew, and that is half their work
        "PYTHONDONTWRITEBYTECODE": "",
    }
    for part in parts:
        begin = time.monotonic()
        passed = True
        for command in part.commands:
            print(f"── {part.name}: {Path(command[0]).name} {' '.join(command[1:])}", flush=True)
            passed &= subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0
        times[part.name] = {
            "seconds": round(time.monotonic() - begin, 1),
            "budget": part.budget_s,
            "passed": passed,
        }
        TIMES.write_text(json.dumps(times))
        good &= passed
    return good


def _report() -> bool:
    times = json.loads(TIMES.read_text())
    print("\npart       seconds  budget")
    for name, row in times.items():
        over = "  over its budget" if row["seconds"] > row["budget"] else ""
        state = "" if row["passed"] else "  FAILED"
        print(f"{name:10} {row['seconds']:7.1f}  {row['budget']:6}{over}{state}")
    return all(row["passed"] for row in times.values())


def main() -> None:
    """Run what the first argument names: begin, static, tests or report.

    With ``--later`` a failure is recorded and left for the report, so that one run tells all.
    """
    words = [word for word in sys.argv[1:] if word != "--later"]
    later = "--later" in sys.argv
    match words:
        case ["begin"]:
            TIMES.unlink(missing_ok=True)
            good = True
        case ["static"]:
            good = _run(STATIC)
        case ["tests"]:
            good = _run(TESTS)
        case ["tests", *more]:
            good = _run((Part("tests", 600, (_pytest(*more),)),))
        case ["report"]:
            good = _report()
        case _:
            sys.exit("Usage: check.py begin | static | tests [pytest arguments] | report  [--later]")
    sys.exit(0 if good or later else 1)


if __name__ == "__main__":
    main()
