"""What the measuring programme says of itself, without measuring anything."""

import subprocess
import sys

from bench.__main__ import ROOMS


def _bench(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bench", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_rooms_are_listed_with_their_goals_and_none_is_run() -> None:
    listed = _bench("--list")
    assert listed.returncode == 0, listed.stderr
    assert "measuring" not in listed.stderr
    assert [line.split()[0] for line in listed.stdout.splitlines() if line[0] != " "] == list(ROOMS)
    for goal in ("≥ 50000", "patients of a name", "≤ 15"):
        assert goal in listed.stdout


def test_a_word_or_an_option_that_it_does_not_know_runs_nothing() -> None:
    for words in (["centr"], ["--jsn"], ["centre", "--fast"]):
        refused = _bench(*words)
        assert refused.returncode != 0
        assert "measuring" not in refused.stderr
        assert words[-1] in refused.stderr
