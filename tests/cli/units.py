"""Units and commands for tests of what is done with them: by the program's own code, in this process.

What a process adds (its start, its streams, its end) is tested in ``test_commands.py``.
"""

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import pytest

from cli import main, unit_setup
from edge.config import Places
from edge.security import process

PIN = "482913"


def make_unit(home: Path, unit: str = "van-07", user: str = "fatima") -> Path:
    """A training unit in ``home``; its supervisor's slot is as quick as the fixture of this folder says."""
    with mock.patch.object(process, "harden"):  # for good, and this process has other tests
        unit_setup.make_unit(Places.at(home), realm="training", unit=unit, user=user, pin=PIN)
    return home


def qafila_here(*words: str, stdin: str = "", home: Path) -> "subprocess.CompletedProcess[str]":
    """What the console script does with these words, its exit status and what it wrote."""
    argv, out, err = ["qafila", *words, "--home", str(home)], io.StringIO(), io.StringIO()
    with (
        mock.patch.object(process, "harden"),
        mock.patch.object(sys, "argv", argv),
        mock.patch.object(sys, "stdin", io.StringIO(stdin)),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main.run()
    assert isinstance(ended.value.code, int)
    return subprocess.CompletedProcess(argv, ended.value.code, out.getvalue(), err.getvalue())
