"""Every code of centre and uplink has one sentence and a next step, and the reference says the same."""

import re
from pathlib import Path
from typing import get_args

import pytest

from sync.central import sentences as centre
from sync.uplink import sentences as uplink
from sync.wire.errors import Refusal
from tests.packaging.trouble_tables import TABLES, names_in, rendered

ROOT = Path(__file__).resolve().parents[2]
OF_OPENING = {"schema", "key", "decode"}
"""Refusals of the wire that only opening can meet; the others come from reading and verifying."""
OF_VERIFYING = set(get_args(Refusal)) - OF_OPENING


@pytest.mark.parametrize("page", TABLES, ids=lambda page: page.name)
def test_every_table_is_up_to_date(page: Path) -> None:
    """If this fails: python -m tests.packaging.trouble_tables."""
    assert sorted(names_in(page)) == sorted(TABLES[page])
    assert rendered(page) == page.read_text()


def test_every_code_has_one_sentence_and_a_next_step() -> None:
    for table in (table for tables in TABLES.values() for table in tables.values()):
        for code, (sentence, next_step) in table.items():
            assert re.fullmatch(r"[A-Z][^.]*(?:\.[a-z][^.]*)*\.", sentence), code
            assert next_step.endswith("."), code


def _said_in(module: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, (ROOT / "sync" / module).read_text()))


def test_nothing_that_the_centre_can_drop_or_quarantine_is_without_words() -> None:
    dropped = OF_VERIFYING | _said_in("central/landing.py", r'_Dropped\([^,]+, "([a-z-]+)"\)')
    assert "unit-unknown" in dropped
    assert set(centre.DROPPED) == dropped
    quarantined = set(get_args(Refusal)) | _said_in("central/exploder.py", r'Refused\("\w+", "(\w+)"\)')
    quarantined |= _said_in("central/opening.py", r'Refused\("\w+", "(\w+)"\)')
    assert "salt" in quarantined
    others = {"key-missing"}  # nacked, and not in quarantine yet
    others |= {"kind", "payload"}  # what earlier versions have put there
    assert set(centre.QUARANTINED) == quarantined | others


def test_no_way_of_losing_the_broker_is_without_words() -> None:
    ways = _said_in("central/broker.py", r'(?:_lost_why = |_answer = |return |or \(|else )"([a-z-]+)"')
    assert {"deaf", "unreachable", "silent"} <= ways
    assert {f"broker-{way}" for way in ways} == set(centre.BROKER)


def test_nothing_that_the_uplink_can_refuse_is_without_words() -> None:
    refused = OF_VERIFYING | _said_in("uplink/incoming.py", r'_refuse\("([a-z-]+)"')
    refused |= {"level", "generation", "certificate", "keyset-older"}
    refused |= {f"keyset-{code}" for code in OF_VERIFYING - {"unit"}}
    assert set(uplink.REFUSED) == refused
    links = _said_in("uplink/service.py", r'(?:LinkDown|_NotAccepted)\("([a-z-]+)"')
    links |= _said_in("uplink/connection.py", r'"(broker-[a-z-]+|receipt-[a-z-]+)"')
    assert links <= set(uplink.LINK)
