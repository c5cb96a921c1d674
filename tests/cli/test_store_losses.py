"""A card rots: what is lost for good is named to the centre, and what the centre has is not counted lost."""

from pathlib import Path

import pytest

from cli.salvaging import salvage_store
from edge.security import process
from edge.store.pagecheck import PAGE_BYTES
from sync.central import standing
from tests.cli.test_store_succession import PIN, Box, Centre


@pytest.fixture(autouse=True)
def _soft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "harden", lambda: None)  # for good, and this process has other tests


def rot(box: Box, page: int) -> None:
    with box.places.database.open("r+b") as file:
        file.seek(page * PAGE_BYTES)
        file.write(bytes(PAGE_BYTES))


@pytest.mark.timeout(180)
def test_what_a_rotten_page_took_is_counted_at_the_centre(tmp_path: Path) -> None:
    centre = Centre(tmp_path / "centre")
    box = Box(tmp_path, "van-07", centre)
    box.work("Alaoui", "Benali")
    centre.take("van-07", box.places.spool_out)
    box.work("Chraibi", "Driss", "Elalaoui", "Filali")
    whole = box.places.database.read_bytes()
    for page in range(len(whole) // PAGE_BYTES - 1, 1, -1):
        rot(box, page)
        lost = salvage_store(box.places, "fatima", PIN, tmp_path / f"{page}.db")["entries_lost"]
        if lost:
            break
        box.places.database.write_bytes(whole)
    else:
        raise AssertionError("no page holds entries")
    said = salvage_store(box.places, "fatima", PIN, None)
    assert said["entries_lost"] == lost
    box.forget_spool()  # the card took it along
    box.work("Guerraoui")
    centre.take("van-07", box.places.spool_out)
    [stands] = standing.units(centre.home)
    alarms = centre.connection.execute("SELECT count(*) FROM alarms WHERE code = 'loss-reported'").fetchall()
    assert alarms == [(1,)]
    places = {
        (epoch, stream, seq)
        for epoch, stream, seq in centre.connection.execute("SELECT epoch, stream, seq FROM entries")
    }
    named = {
        (span["epoch"], span["stream"], seq)
        for span in said["lost"]
        for seq in range(span["first"], span["last"] + 1)
    }
    assert len(named) == lost
    assert stands.lost == len(named - places) > 0
    assert centre.families()[-1] == "Guerraoui", "the stream moves on"
    assert sorted(set(centre.families())) == centre.families(), "nobody twice"
    centre.close()
