"""How every command answers: one object for machines, a few lines for people, one sentence for trouble."""

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import typer

from edge.errors import QafilaError

USAGE_EXIT = 2
TROUBLE_EXIT = 1


def emit(answer: Mapping[str, Any] | list[Any], *, as_json: bool, human: Callable[[], str]) -> None:
    """Print a command's answer: as one JSON value, or as the text a person reads."""
    print(json.dumps(answer, ensure_ascii=False) if as_json else human())


def fail(error: QafilaError, *, exit_status: int = TROUBLE_EXIT) -> NoReturn:
    """Say what is wrong and what to do next, on standard error, and end.

    With ``--json`` among the arguments the same stands on standard output as one object, so that a
    script need not parse a sentence.
    """
    if "--json" in sys.argv:
        print(
            json.dumps(
                {
                    "error": {
                        "code": error.stable_code,
                        "sentence": error.sentence,
                        "next": error.next_step,
                    }
                },
                ensure_ascii=False,
            )
        )
    next_step = f" Next: {error.next_step}" if error.next_step else ""
    print(f"{error.sentence}{next_step} (code: {error.stable_code})", file=sys.stderr)
    raise SystemExit(exit_status)


def fail_unexpected(error: BaseException) -> NoReturn:
    """A bug: say where, never what was in it; values and messages may be somebody's health data."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{f.filename.rsplit('/', 3)[-1]}:{f.lineno} {f.name}" for f in reversed(frames[-5:]))
    print(
        f"Qafila came upon a fault of its own and stopped: {type(error).__name__} at {where}. "
        "Next: send this line to those who maintain it; nothing that was called saved is lost. "
        "(code: internal)",
        file=sys.stderr,
    )
    raise SystemExit(70)


def table(rows: list[list[str]], header: list[str]) -> str:
    """Columns as wide as their widest cell, for a terminal of eighty."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
             for row in [header, *rows]]  # fmt: skip
    return "\n".join(lines)


def read_secrets(prompts: list[str], *, from_stdin: bool) -> list[str]:
    """Ask for secrets on the terminal, or take one line of standard input for each.

    Raises:
        QafilaError: ``pin-missing`` when standard input ends before all are given.
    """
    if not from_stdin:
        return [str(typer.prompt(prompt, hide_input=True)) for prompt in prompts]
    secrets: list[str] = []
    for prompt in prompts:
        line = sys.stdin.readline()
        if not line.strip():
            raise QafilaError(
                f"Standard input ended before this was given: {prompt}.",
                next_step="Give one line for each, in this order: " + ", ".join(prompts) + ".",
                code="pin-missing",
            )
        secrets.append(line.rstrip("\r\n"))
    return secrets
