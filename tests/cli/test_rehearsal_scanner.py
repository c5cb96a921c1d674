"""The scanner finds every spelling wherever it stands, and nothing where there is nothing."""

import base64
import json
import os
import random
import re
import unicodedata
import urllib.parse
from pathlib import Path

import pytest

from cli.rehearsal.people import invent
from cli.rehearsal.scanner import MIN_CANARY_BYTES, Scanner, spellings
from cli.rehearsal.script import write
from edge.records.names import in_own_fields

NAME = "Zoé-Maëlle d'Aït Ouçâma"
NFC, NFD = (unicodedata.normalize(form, NAME) for form in ("NFC", "NFD"))

DISGUISES = {
    "plain": NFC.encode(),
    "decomposed": NFD.encode(),
    "json": json.dumps({"given": NFC}).encode(),
    "json, upper-case digits": re.sub(rb"u00..", lambda m: b"u" + m[0][1:].upper(), json.dumps(NFC).encode()),
    "hex": NFC.encode().hex().encode(),
    "hex, upper": NFC.encode().hex().upper().encode(),
    "hex of decomposed": NFD.encode().hex().encode(),
    "base64": base64.b64encode(NFC.encode()),
    "base64, second alignment": base64.b64encode(b"x" + NFC.encode() + b"tail"),
    "base64, third alignment": base64.b64encode(b"xy" + NFC.encode() + b"t"),
    "base64 of decomposed": base64.b64encode(b"{'n':'" + NFD.encode() + b"'}"),
    "base64 for addresses": base64.urlsafe_b64encode(b"??>" + NFC.encode()),
}  # fmt: skip


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
@pytest.mark.parametrize("before", range(5))
def test_a_name_is_found_in_every_disguise_at_every_position(disguise: bytes, before: int) -> None:
    data = bytes(range(before)) + disguise + b"\x00\xff"
    assert {hit.canary for hit in Scanner([NAME]).search(data, "here")} == {NAME}


def test_each_spelling_is_found_by_its_own_name() -> None:
    scanner = Scanner([NAME])
    for encoding, needles in spellings(NAME).items():
        for needle in needles:
            found = {hit.encoding for hit in scanner.search(b"-" + needle + b"-", "here")}
            assert encoding in found


def test_base64_of_anything_around_it_is_found() -> None:
    rng = random.Random(1)  # noqa: S311  surroundings, not secrets
    scanner = Scanner(["QZ012345"])
    for _ in range(300):
        around = rng.randbytes(rng.randrange(9)), rng.randbytes(rng.randrange(9))
        assert scanner.search(base64.b64encode(around[0] + b"QZ012345" + around[1]), "here")


def test_nothing_is_found_in_random_bytes_and_their_encodings() -> None:
    scanner = Scanner(write(7, 12).canaries)
    noise = os.urandom(3_000_000)
    for data in (noise, noise.hex().encode(), base64.b64encode(noise)):
        assert not scanner.search(data, "noise")


def test_almost_a_name_is_not_a_name() -> None:
    assert not Scanner([NAME]).search(NFC[:-1].encode() + b" " + NFC[1:].encode(), "here")


def test_a_name_across_two_chunks_of_a_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.rehearsal.scanner._CHUNK", 16)
    file = tmp_path / "log"
    file.write_bytes(b"." * 11 + NFC.encode() + b"." * 30)
    assert Scanner([NAME]).search_file(file, "log")


def test_a_tree_is_searched_by_content_and_by_name_except_what_is_left_out(tmp_path: Path) -> None:
    for folder in ("store", "central", "spool"):
        (tmp_path / folder).mkdir()
    (tmp_path / "store" / "wal").write_bytes(b"1234" + NFD.encode())
    (tmp_path / "central" / "rows").write_bytes(NFC.encode())
    (tmp_path / "spool" / f"2-{NFC}").write_bytes(b"")
    (tmp_path / "store" / "pty").symlink_to("/dev/null")
    hits = Scanner([NAME]).search_tree(tmp_path, leave_out=[tmp_path / "central"])
    assert {hit.place for hit in hits} == {"store/wal", f"the name spool/2-{NFC}"}


def test_a_short_text_is_refused_rather_than_searched_badly() -> None:
    with pytest.raises(ValueError, match="7 bytes"):
        Scanner(["Amina"])


def test_every_invented_text_is_long_enough_and_no_identifier_comes_twice() -> None:
    people = invent(random.Random(3), 300)  # noqa: S311  invented people
    assert all(len(unicodedata.normalize("NFC", text).encode()) >= MIN_CANARY_BYTES
               for person in people for text in person.texts)  # fmt: skip
    assert len({person.identifier for person in people}) == len({person.phone for person in people}) == 300


def test_the_same_seed_tells_the_same_morning() -> None:
    assert write(7, 12) == write(7, 12)
    assert write(7, 12) != write(8, 12)


@pytest.mark.parametrize("patients", [1, 2, 3, 12, 60])
def test_every_morning_holds_every_fault(patients: int) -> None:
    script = write(5, patients)
    faults = [fault.value for visit in script.visits for _, fault in visit.faults]
    twice = ["cut-link", "restore-link"] * 2
    assert sorted(faults) == sorted([*twice, "kill-agent", "kill-broker", "kill-collector"])
    assert sum(visit.rare is not None for visit in script.visits) == 1
    assert sum(visit.early for visit in script.visits) == 1
    assert any(visit.alert for visit in script.visits)
    assert urllib.parse.quote(script.unit) == script.unit


def test_every_name_is_one_that_the_agent_takes() -> None:
    people = invent(random.Random(3), 300)  # noqa: S311  invented people
    names = [in_own_fields(person.family, person.given, "", "") for person in people]
    assert None not in names
    assert {bool(name.family_arabic) for name in names if name} == {True, False}
