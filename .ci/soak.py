"""The long versions of the tests. Seed, date and result are kept in ``docs/evidence/``.

``make soak ARGS="fuzz"`` runs one part only; ``--seeds N`` and ``--rounds N`` change how long it takes.
"""

import argparse
import dataclasses
import datetime
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

ROOT: Final = Path(__file__).resolve().parent.parent
BIN: Final = ROOT / ".venv" / "bin"
EVIDENCE: Final = ROOT / "docs" / "evidence"
_SIDE_BY_SIDE: Final = ("-n", str(os.cpu_count() or 1), "--dist", "worksteal")


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What one run gave."""

    what: str
    seed: int
    seconds: float
    passed: bool
    said: str


def _run(command: list[str], more: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin",
        **(more or {}),
    }
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def _demo(broker: str) -> Callable[[int, int], list[Result]]:
    """The demo with every seed on one broker."""

    def play(seeds: int, _rounds: int) -> list[Result]:
        return [_one_demo(broker, seed) for seed in range(1, seeds + 1)]

    return play


def _one_demo(broker: str, seed: int) -> Result:
    began = time.monotonic()
    done = _run([str(BIN / "qafila"), "demo", "--seed", str(seed), "--broker", broker, "--json"])
    try:
        proof = json.loads(done.stdout)
        names = ("captured", "received", "lost", "duplicates", "conflicts", "plaintext_hits", "chain_valid")
        said = ", ".join(f"{name} {proof[name]}" for name in names)
    except (ValueError, KeyError):
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1][:200]
    return _told(f"demo on {broker}", seed, began, done.returncode == 0, said)


def fuzz(_seeds: int, rounds: int) -> list[Result]:
    """Random and mutated bytes into every reader of strangers' bytes."""
    more = {"QAFILA_FUZZ_INPUTS": str(rounds * 500)}
    return [_pytest("fuzz", "fuzz", rounds * 500, more, *_SIDE_BY_SIDE)]


def envelopes(_seeds: int, rounds: int) -> list[Result]:
    """Mutated envelopes into every reader at both ends, ten times as many as in the check."""
    count = rounds * 5
    more = {"QAFILA_ENVELOPES": str(count)}
    return [_pytest("mutated envelopes", "fuzz", count, more, "tests/sync/test_hostile_envelopes.py")]


def fuzz_touched(_seeds: int, rounds: int) -> Iterator[Result]:
    """A million inputs for each codec that differs from the commit before, or from QAFILA_SINCE."""
    since = os.environ.get("QAFILA_SINCE", "HEAD~1")
    named = _run(["git", "diff", "--name-only", since, "--", "drivers"]).stdout.split()
    shared = any(path.startswith(("drivers/codec/", "drivers/decoding")) for path in named)
    folders = {path.split("/")[2] for path in named if path.startswith("drivers/devices/")}
    touched = sorted(folder.replace("_", "-") for folder in folders - {"__init__.py"})
    kinds = json.loads(_run([str(BIN / "qafila"), "devices", "kinds", "--json"]).stdout)
    names = [kind["kind"] for kind in kinds if shared or kind["kind"] in touched]
    if not names:
        yield _told(f"fuzz, nothing touched since {since}", 0, time.monotonic(), passed=True, said="")
    for name in names:  # one by one, so that what was found of one is kept though the next is cut short
        more = {"QAFILA_FUZZ_INPUTS": str(rounds * 50), "QAFILA_FUZZ_KINDS": name}
        words = ("tests/drivers/test_decode_fuzz.py", "-k", "nothing_a_device_sends")
        yield _pytest(f"fuzz of {name}", "fuzz", rounds * 50, more, *words)


def kills(_seeds: int, rounds: int) -> list[Result]:
    """Processes killed at random, and what they had acknowledged read by fresh ones."""
    return [_pytest("kills", "system", rounds, {"QAFILA_KILL_ROUNDS": str(rounds)}, "-k", "kill")]


def restores(_seeds: int, rounds: int) -> list[Result]:
    """Old copies of a store put back at random; everything is at the centre once."""
    count = max(1, rounds // 100)
    more = {"QAFILA_RESTORES": str(count)}
    return [_pytest("restores", "system", count, more, "tests/system/test_store_restores.py")]


def waves(_seeds: int, rounds: int) -> list[Result]:
    """Everything between a strap and the centre killed again and again while it is recorded."""
    lives = max(10, rounds // 500)
    more = {"QAFILA_WAVE_LIVES": str(lives)}
    return [_pytest("waves", "system", lives, more, "tests/system/test_link_waves.py")]


def crossing(_seeds: int, rounds: int) -> list[Result]:
    """Two devices and two patients, in ten times as many steps as in the check."""
    steps = max(10_000, rounds // 2)
    more = {"QAFILA_CROSS_STEPS": str(steps)}
    return [_pytest("never crossed", "not system", steps, more, "tests/edge/agent/test_agent_crossing.py")]


def planted(_seeds: int, _rounds: int) -> list[Result]:
    """A thousand planted names, looked for in every file and in the memory of processes."""
    more = {"QAFILA_PLANTED": "1000"}
    return [_pytest("planted names", "system", 1000, more, "tests/system/test_store_planted_names.py")]


def changes(_seeds: int, _rounds: int) -> list[Result]:
    """Kills at each of the first 128 steps of a migration, a backup, a new key, a purge and an erasure."""
    return _counted("torture", "changes", "--part", "changes", "--rounds", str(5 * 128))


def refused(_seeds: int, rounds: int) -> list[Result]:
    """Writes that the disk refuses, because it is full or read-only, at every place in turn."""
    count = str(max(1000, rounds // 10))
    return _counted("torture", "refused writes", "--part", "refused", "--rounds", count)


def torture(_seeds: int, rounds: int) -> list[Result]:
    """Kills, power cuts and rotten disks, in the proportion of the check."""
    return _counted("torture", "torture", "--rounds", str(rounds))


def chaos(_seeds: int, rounds: int) -> list[Result]:
    """Everything broken at random while units deliver; a tenth as many faults as the torture has kills."""
    return _counted("chaos", "chaos", "--rounds", str(max(1, rounds // 10)))


def _counted(module: str, what: str, *words: str) -> list[Result]:
    """A program that ends with a line of counts."""
    began = time.monotonic()
    done = _run([str(BIN / "python"), "-m", module, *words])
    said = done.stdout.strip().splitlines() or [done.stderr.strip()[-200:] or "nothing"]
    seed = int(said[-1].rpartition("seed=")[2]) if "seed=" in said[-1] else 0
    return [_told(what, seed, began, done.returncode == 0, "; ".join(said[1:]))]


def package(_seeds: int, _rounds: int) -> list[Result]:
    """The Debian package and updates, built and tried on a copy of this system."""
    began = time.monotonic()
    done = _run([str(BIN / "python"), "-m", "ship.tryout"])
    said = done.stdout.strip().splitlines() or [done.stderr.strip()[-200:] or "nothing"]
    return [_told("package", 0, began, done.returncode == 0, "; ".join([said[-1], *said[:-1]]))]


def bluez(_seeds: int, _rounds: int) -> list[Result]:
    """Our Bluetooth against the real bluetoothd and kernel, in an emulated machine."""
    began = time.monotonic()
    done = _run([str(BIN / "python"), "-m", "tests.bluez"])
    lines = done.stdout.strip().splitlines()
    verdict = [line for line in lines if line.startswith(("passed: ", "FAILED: "))]
    said = "; ".join(lines[lines.index(verdict[0]) :]) if verdict else (done.stderr.strip() or "nothing")
    report = ROOT / "build" / "bluez" / "junit.xml"
    cases = ElementTree.parse(report).iter("testcase") if verdict and report.exists() else []  # noqa: S314  our own
    results = [
        Result(str(case.get("name")), 0, round(float(case.get("time", 0)), 1), len(case) == 0, "")
        for case in cases
    ]
    return [*results, _told("bluez, all of it", 0, began, done.returncode == 0, said[:600])]


def _pytest(what: str, marker: str, count: int, more: Mapping[str, str], *words: str) -> Result:
    began = time.monotonic()
    seed = int(time.monotonic_ns() % 10**6)
    command = [str(BIN / "python"), "-m", "pytest", "-q", "-m", marker, "-o", "timeout=0", *words]
    done = _run(command, {**more, "QAFILA_SEED": str(seed), "QAFILA_FUZZ_SEED": str(seed)})
    lines = done.stdout.strip().splitlines() or ["nothing"]
    # of a failure also what was wrong: nobody runs an hour again to read it
    wrong = [] if done.returncode == 0 else [line for line in lines if line.startswith("E  ")][:4]
    if done.returncode not in {0, 1}:  # killed, or it never began: neither says so on standard output
        wrong += [f"ended by {done.returncode}", done.stderr.strip()[-200:].replace("\n", " ")]
    last = " ".join([lines[-1], *wrong]).replace("|", "/")
    return _told(f"{what}, {count:,} each", seed, began, done.returncode == 0, last)


def _told(what: str, seed: int, began: float, passed: bool, said: str) -> Result:
    result = Result(what, seed, round(time.monotonic() - began, 1), passed, said)
    print(f"{'passed' if passed else 'FAILED'}  {what}, seed {seed}, {result.seconds} s: {said}", flush=True)
    return result


PARTS: Final[dict[str, Callable[[int, int], Iterable[Result]]]] = {
    "demo-mosquitto": _demo("mosquitto"),
    "demo-embedded": _demo("embedded"),
    "fuzz": fuzz,
    "envelopes": envelopes,
    "fuzz-touched": fuzz_touched,
    "kills": kills,
    "restores": restores,
    "waves": waves,
    "crossing": crossing,
    "planted": planted,
    "changes": changes,
    "refused": refused,
    "torture": torture,
    "chaos": chaos,
    "package": package,
    "bluez": bluez,
}


def main() -> None:
    """Run the parts asked for and keep what they gave."""
    parser = argparse.ArgumentParser(description="The long versions of the tests.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which parts; all when none is named")
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds of the demo on each broker")
    parser.add_argument(
        "--rounds", type=int, default=20_000, help="kills; inputs of each fuzz are 500 times as many"
    )
    asked = parser.parse_args()
    commit = _run(["git", "rev-parse", "--short", "HEAD"]).stdout.strip()
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()  # noqa: TID251  the date of a record for people
    since = f"QAFILA_SINCE={os.environ['QAFILA_SINCE']} " if "QAFILA_SINCE" in os.environ else ""
    for part in asked.parts or PARTS:
        lines = [
            f"# Soak: {part}, {today}",
            "",
            f"Commit {commit}, Python {platform.python_version()}, {os.cpu_count()} cores.",
            f'Made by `{since}make soak ARGS="{part} --seeds {asked.seeds} --rounds {asked.rounds}"`.',
            "",
            "| what | seed | seconds | result | said |",
            "| --- | --- | --- | --- | --- |",
        ]
        passed = True
        EVIDENCE.mkdir(parents=True, exist_ok=True)
        for result in PARTS[part](asked.seeds, asked.rounds):
            passed &= result.passed
            verdict = "passed" if result.passed else "FAILED"
            lines.append(f"| {result.what} | {result.seed} | {result.seconds} | {verdict} | {result.said} |")
            (EVIDENCE / f"{today}-{part}.md").write_text("\n".join(lines) + "\n")
        if not passed:
            sys.exit(1)


if __name__ == "__main__":
    main()
