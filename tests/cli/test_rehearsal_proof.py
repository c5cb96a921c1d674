"""The proof passes only when all of it holds, and says in words what does not."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.rehearsal.oracle import Identity, Verdict
from cli.rehearsal.proof import Proof
from cli.rehearsal.stage import Breakages

GOOD_VERDICT = Verdict(
    captured=9,
    received=9,
    lost=frozenset(),
    unknown=frozenset(),
    duplicates=0,
    conflicts=0,
    chain_break=None,
)
GOOD = Proof(
    verdict=GOOD_VERDICT,
    breakages=Breakages(link_cuts=2, agent_kills=1, broker_kills=1, collector_kills=1),
    planned=Breakages(link_cuts=2, agent_kills=1, broker_kills=1, collector_kills=1),
    store_valid=True,
    wrong_values=0,
    plaintext_hits=0,
    scanner_control=True,
    spied_messages=5,
    bytes_up=900,
    claims=4,
    too_early=[],
    unit_knows=True,
    slips_refused=1,
    confirmed=1,
    repeats_agreed=2,
    broker="mosquitto",
    patients=1,
    seed=7,
    seconds=12.34,
    canaries=["Zoé-Maëlle"],
)
SOMEBODY = frozenset({Identity("van-07", "00", "vitals", 3)})


def test_a_good_rehearsal_has_no_shortcomings() -> None:
    assert GOOD.shortcomings() == []
    assert "FAILED" not in GOOD.as_text()


def test_the_json_has_every_promised_name() -> None:
    promised = {
        "captured", "received", "lost", "duplicates", "conflicts", "chain_valid", "link_cuts", "agent_kills",
        "broker_kills", "collector_kills", "plaintext_hits", "scanner_control", "broker", "bytes_per_entry",
        "seconds", "canaries",
    }  # fmt: skip
    answer = GOOD.as_json()
    assert promised <= set(answer)
    assert (answer["lost"], answer["bytes_per_entry"], answer["link_cuts"]) == (0, 100.0, 2)


@pytest.mark.parametrize(
    "harm",
    [
        {"lost": SOMEBODY},
        {"received": 8},
        {"captured": 0, "received": 0},
        {"duplicates": 1},
        {"conflicts": 1},
        {"chain_break": "van-07 00 vitals 3: its leaf does not fit its content"},
    ],
    ids=str,
)
def test_any_harm_the_oracle_found_fails_it(harm: dict[str, Any]) -> None:
    proof = dataclasses.replace(GOOD, verdict=dataclasses.replace(GOOD_VERDICT, **harm))
    assert proof.shortcomings()
    assert "FAILED" in proof.as_text()


@pytest.mark.parametrize(
    "harm",
    [
        {"store_valid": False},
        {"wrong_values": 1},
        {"plaintext_hits": 1},
        {"scanner_control": False},
        {"spied_messages": 0},
        {"too_early": ["vitals opened through 9"]},
        {"unit_knows": False},
    ],
    ids=str,
)
def test_any_other_harm_fails_it(harm: dict[str, Any]) -> None:
    assert dataclasses.replace(GOOD, **harm).shortcomings()


@pytest.mark.parametrize("what", ["link_cuts", "agent_kills", "broker_kills", "collector_kills"])
def test_a_fault_that_struck_nothing_fails_it(what: str) -> None:
    breakages = dataclasses.replace(GOOD.breakages, **{what: 0})
    assert len(dataclasses.replace(GOOD, breakages=breakages).shortcomings()) == 1


def test_the_chain_is_valid_only_when_both_ends_say_so() -> None:
    assert GOOD.chain_valid
    assert not dataclasses.replace(GOOD, store_valid=False).chain_valid
    broken = dataclasses.replace(GOOD_VERDICT, chain_break="somewhere")
    assert not dataclasses.replace(GOOD, verdict=broken).chain_valid


def test_the_human_proof_names_no_patient() -> None:
    assert "Zoé" not in GOOD.as_text()


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    demo = subprocess.run(
        [sys.executable, "-m", "cli.main", "demo", "--keep", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert demo.returncode == 1
    assert "keep-not-empty" in demo.stderr
    assert demo.stdout == ""
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("words", [["--patients", "0"], ["--broker", "carrier-pigeon"]], ids=" ".join)
def test_nonsense_is_a_usage_error(words: list[str]) -> None:
    demo = subprocess.run(
        [sys.executable, "-m", "cli.main", "demo", *words], capture_output=True, text=True, check=False
    )
    assert demo.returncode == 2
