"""How every command answers: one object for machines, a few lines for people, one sentence for trouble."""

import json
import sys
import traceback
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import typer

from edge.errors import QafilaError

USAGE_EXIT = 2
TROUBLE_EXIT = 1
INTERNAL_EXIT = 70


def emit(answer: Mapping[str, Any] | list[Any], *, as_json: bool, human: Callable[[], str]) -> None:
    """Print a command's answer: as one JSON value, or as the text a person reads."""
    # At once: a command may go on for hours after its answer, and a script waits for it behind a pipe.
    print(json.dumps(answer, ensure_ascii=False) if as_json else human(), flush=True)


def fail(error: QafilaError, *, exit_status: int = TROUBLE_EXIT) -> NoReturn:
    """Say what is wrong and what to do next, on standard error, and end.

    With ``--json`` among the arguments the same stands on standard output as one object, so that a
    script need not parse a sentence.
    """
    _say(error.stable_code, error.sentence, error.next_step)
    raise SystemExit(exit_status)


def warn(error: QafilaError) -> None:
    """Say what is wrong and what to do next, on standard error alone, and go on."""
    _to_stderr(error.stable_code, error.sentence, error.next_step)


def fail_unexpected(error: BaseException) -> NoReturn:
    """A bug: say where, never what was in it; values and messages may be somebody's health data."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{f.filename.rsplit('/', 3)[-1]}:{f.lineno} {f.name}" for f in reversed(frames[-5:]))
    _say(
        "internal",
        f"Qafila came upon a fault of its own and stopped: {type(error).__name__} at {where}.",
        "Send this line to those who maintain it; nothing that was called saved is lost.",
    )
    raise SystemExit(INTERNAL_EXIT)


def _say(code: str, sentence: str, next_step: str) -> None:
    if "--json" in sys.argv:
        told = {"error": {"code": code, "sentence": sentence, "next": next_step}}
        print(json.dumps(told, ensure_ascii=False))
    _to_stderr(code, sentence, next_step)


def _to_stderr(code: str, sentence: str, next_step: str) -> None:
    following = f" Next: {next_step}" if next_step else ""
    print(f"{sentence}{following} (code: {code})", file=sys.stderr)


def inert(text: str) -> str:
    """Text that somebody typed or a unit sent, so that it cannot steer the terminal.

    No control, format or direction-turning character stays.
    """
    return "".join("\ufffd" if unicodedata.category(char).startswith("C") else char for char in text)


def table(rows: list[list[str]], header: list[str]) -> str:
    """Columns as wide as their widest cell, for a terminal of eighty."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
             for row in [header, *rows]]  # fmt: skip
    return "\n".join(lines)


def read_secrets(prompts: list[str], *, from_stdin: bool, new: str = "") -> list[str]:
    """Ask for secrets on the terminal, or take one line of standard input for each.

    Args:
        prompts: what is asked, in order.
        from_stdin: one line of standard input for each instead of asking.
        new: the prompt whose secret is new; on the terminal it is asked twice, since nobody sees it.

    Raises:
        QafilaError: ``pin-missing`` when there is no terminal, or standard input ends too early.
    """
    if not from_stdin:
        if not sys.stdin.isatty():
            raise QafilaError(
                "There is no terminal to ask for a PIN.",
                next_step="Start it in a terminal, or give each PIN as a line with --pin-stdin.",
                code="pin-missing",
            )
        return [
            str(typer.prompt(prompt, hide_input=True, confirmation_prompt=prompt == new))
            for prompt in prompts
        ]
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
