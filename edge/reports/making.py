"""Asking for a page from the process that draws it, and handing it to the printer.

Both run as short processes of their own, with the facts and the page on their pipes: nothing is named in an
argument and nothing is left on a disk.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from edge.errors import QafilaError

PAPERS: Final = ("a5", "a4")
_MEDIA: Final = {"a5": "A5", "a4": "A4"}
_DRAWN_WITHIN_S: Final = 60
_TAKEN_WITHIN_S: Final = 30


class SheetFailed(QafilaError):
    """The page could not be drawn."""

    code: ClassVar[str] = "sheet-failed"


class PrinterRefused(QafilaError):
    """The page was drawn, and no printer took it."""

    code: ClassVar[str] = "printer-refused"


def draw(facts: Mapping[str, Any], *, language: str, paper: str) -> bytes:
    """The PDF of a sheet.

    Args:
        facts: what `visit.sheet` answered.
        language: one that there is a catalogue of.
        paper: one of `PAPERS`.

    Raises:
        SheetFailed: it could not be drawn; nothing was printed.
    """
    asked = json.dumps({"facts": facts, "language": language, "paper": paper}).encode()
    command = [sys.executable, "-m", "edge.reports"]
    try:
        done = subprocess.run(command, input=asked, capture_output=True, timeout=_DRAWN_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        done = None
    if done is None or done.returncode != 0 or not done.stdout.startswith(b"%PDF-"):
        raise SheetFailed(
            "The sheet could not be drawn.",
            next_step="Try again; if it fails again, call the technician and give the code.",
        )
    return done.stdout


def send(page: bytes, *, printer: str | None, paper: str) -> None:
    """Hand a page to CUPS at its true size; it prints as soon as the printer is ready.

    Args:
        page: a PDF.
        printer: its name at CUPS; None for the default one.
        paper: one of `PAPERS`.

    Raises:
        PrinterRefused: ``printer-missing`` where there is no CUPS, else `lp` did not take it.
    """
    lp = shutil.which("lp")
    if lp is None:
        raise PrinterRefused(
            "This machine has no printing system.",
            next_step="Install cups, or write the sheet to a file.",
            code="printer-missing",
        )
    queue = [] if printer is None else ["-d", printer]
    options = ("-o", f"media={_MEDIA[paper]}", "-o", "print-scaling=none", "-t", "qafila")
    try:
        done = subprocess.run(
            [lp, *queue, *options], input=page, capture_output=True, timeout=_TAKEN_WITHIN_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        done = None
    if done is None or done.returncode != 0:
        raise PrinterRefused(
            "No printer took the sheet.",
            next_step="Look at the printer, and at what lpstat -t says of it; or write the sheet to a file.",
        )
