"""The whole path, once on each broker, as a newcomer runs it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


@pytest.mark.parametrize("broker", ["mosquitto", "embedded"])
def test_a_morning_with_everything_going_wrong_loses_nothing(tmp_path: Path, broker: str) -> None:
    kept = tmp_path / "kept"
    demo = subprocess.run(
        [
            sys.executable, "-m", "cli.main", "demo", "--json",
            "--patients", "3", "--seed", "11", "--broker", broker, "--keep", str(kept),
        ],
        capture_output=True, text=True, check=False, timeout=150,
    )  # fmt: skip
    assert demo.stderr == ""
    proof = json.loads(demo.stdout)
    assert proof["shortcomings"] == []
    assert demo.returncode == 0
    assert proof["captured"] == proof["received"] >= 6 * 3
    assert [
        proof[name] for name in ("lost", "duplicates", "conflicts", "plaintext_hits", "wrong_values")
    ] == [0] * 5
    assert proof["chain_valid"] is proof["scanner_control"] is True
    assert [proof[f"{what}_kills"] for what in ("agent", "broker", "collector")] == [1, 1, 1]
    assert (proof["link_cuts"], proof["broker"]) == (2, broker)
    assert (proof["slips_refused"], proof["confirmed"], proof["repeats_agreed"]) == (1, 1, 2)
    assert {file.name for file in (kept / "rehearsal").iterdir()} >= {
        "script.json", "recorder.jsonl", "planted.txt", "proof.json", "proof.txt",
    }  # fmt: skip
    assert (kept / "central" / "central.db").exists()
    assert not _still_running(str(kept))


@pytest.mark.parametrize(("how", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 1)])
def test_a_demo_that_is_stopped_leaves_nothing_running(
    tmp_path: Path, how: signal.Signals, status: int
) -> None:
    kept = tmp_path / "kept"
    # what is started in the background of a script ignores SIGINT, and would hand that on
    usual = ["env", "--default-signal=INT"]
    command = [*usual, sys.executable, "-m", "cli.main", "demo", "--keep", str(kept)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as demo:
        give_up = time.monotonic() + 60
        while not (kept / "run" / "agent.sock").exists() and time.monotonic() < give_up:
            time.sleep(0.05)
        assert _still_running(str(kept))
        demo.send_signal(how)
        demo.communicate(timeout=60)
    assert demo.returncode == status
    assert not _still_running(str(kept))


def _still_running(words: str) -> list[str]:
    """The command lines that mention the kept folder: every process of the demo names it."""
    lines: list[str] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if words in line:
                lines.append(line)
    return lines
