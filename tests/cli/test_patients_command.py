"""`qafila patients …` and `qafila sites …` against a real agent."""

import asyncio
import json
from pathlib import Path
from typing import Any

from edge.config import Places
from edge.localapi.client import connect
from tests.cli.test_commands import agent, error_of
from tests.cli.units import PIN, make_unit, qafila_here


def run(home: Path, *words: str) -> Any:  # noqa: ANN401  as wide as JSON
    """What a command answers, or the code of its refusal."""
    done = qafila_here(*words, "--pin-stdin", "--json", stdin=PIN + "\n", home=home)
    return json.loads(done.stdout) if done.returncode == 0 else error_of(done)["code"]


def told(home: Path, *words: str) -> str:
    done = qafila_here(*words, "--pin-stdin", stdin=PIN + "\n", home=home)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def two_entries_of_one_person(home: Path) -> tuple[str, str]:
    async with connect(Places.at(home).socket) as api:
        await api.call("sign-in", user="fatima", pin=PIN)
        arabic: dict[str, Any] = {
            "family_arabic": "بنعلي",
            "given_arabic": "زهرة",
            "birth": "1961",
            "birth_estimated": True,
        }
        consents = [{"scope": "care", "decision": "given"}]
        zahra: dict[str, Any] = {"family": "Benali", "given": "Zahra", "sex": "female"}
        one = await api.call("patient.register", **zahra, **arabic, consents=consents)
        visit = await api.call("encounter.open", patient=one["patient"])
        await api.call("encounter.close", encounter=visit["encounter"])
        two = await api.call("patient.register", **(zahra | {"family": "Ben Ali"}))
        return one["patient"], two["patient"]


def test_one_person_entered_twice_is_found_merged_shown_and_parted(tmp_path: Path) -> None:
    home = make_unit(tmp_path / "van")
    by, user = ("--by", "fatima"), ("--user", "fatima")
    with agent(home):
        assert run(home, "sites", "arrive", "Imilchil", *user)["site"]
        one, two = asyncio.run(two_entries_of_one_person(home))
        merge = ("patients", "merge", one, two, "--reason", "same card", *by)
        assert len(run(home, *merge)["saved"]) == 1
        assert run(home, *merge) == "patient-merged"
        [found] = run(home, "patients", "find", "زهره", *user)["patients"]
        assert (found["patient"], found["merged"]) == (one, 1)
        record = told(home, "patients", "show", two, *user)
        for part in ("Benali Zahra", "بنعلي زهرة", "about 1961", "care", "given", "Imilchil", "Ben Ali", two):
            assert part in record, part
        assert "two persons again" in told(home, "patients", "unmerge", two, "--reason", "two sisters", *by)
        assert "at the centre once it has received this" in told(home, *merge)
        assert "*  Imilchil" in told(home, "sites", "list", *user)
