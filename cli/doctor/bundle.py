"""The support file: what the doctor found, without anything that says which unit it was, or whose.

It is made from what is known to be harmless and not by striking out what is not: the sentences of the
program, its codes and versions, and numbers. Every blank that holds anything else is left out.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cli.doctor.finding import Finding
from cli.doctor.machine import described
from cli.files import write_new_file

FORM: Final = "qafila-support-1"
_MODE: Final = 0o600


def content(findings: Sequence[Finding], version: str) -> dict[str, Any]:
    """What the file holds."""
    return {
        "form": FORM,
        "qafila": version,
        **described(),
        "checks": [finding.redacted() for finding in findings],
    }


def write(path: Path, findings: Sequence[Finding], version: str) -> None:
    """Write it, for the one who asked alone, where nothing is yet.

    Raises:
        FileRefused: something is there, or the medium takes no file.
    """
    text = json.dumps(content(findings, version), ensure_ascii=False, indent=1)
    write_new_file(path, text.encode() + b"\n", mode=_MODE)
