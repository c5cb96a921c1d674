"""Who was erased is found nowhere any more, on the unit nor at the centre; every process a real one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.rehearsal import broker
from cli.rehearsal.processes import Keeper, qafila
from edge.config import Places
from edge.localapi.client import connect
from edge.security import device_secret
from edge.security.slots import Slots
from tests.edge.store.under_the_cipher import pages
from tests.system.test_link_reseal import PIN, enrolled_unit, rows, signed_in, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
PLANTED = "Zzyzxplanted"
CONTROL = "Ouarzazicontrol"


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    with Keeper(tmp_path / "log", lambda _pid: None) as kept:
        yield kept


async def seen(places: Places, family: str) -> str:
    """A patient with a closed visit, an alert and a reading."""
    async with connect(places.socket) as api:
        await api.call("sign-in", user="fatima", pin=PIN)
        identifiers = [{"system": "cin", "value": f"{family}1"}]
        registered = await api.call(
            "patient.register",
            family=family,
            given=family,
            sex="female",
            village=family,
            identifiers=identifiers,
        )
        patient = registered["patient"]
        visit = (await api.call("encounter.open", patient=patient))["encounter"]
        values = [{"code": "temp", "value": "37.2"}]
        await api.call("observe", encounter=visit, values=values)
        await api.call("alert.raise", patient=patient, code="urgent", text=family)
        await api.call("patient.find", text=family)
        await api.call("encounter.close", encounter=visit)
        return str(patient)


def under_the_cipher(places: Places) -> bytes:
    key = Slots.load(places.slots, device_secret.read(places.device_secret)).unlock("fatima", PIN)
    return pages(places.database, key)


async def test_an_erased_patient_is_nowhere(tmp_path: Path, keeper: Keeper) -> None:
    home, places, port = tmp_path, Places.at(tmp_path), broker.free_port()
    keeper.start("broker", broker.command(broker.choose("auto"), port, home))
    await until(lambda: broker.listening(port), "the broker")
    await enrolled_unit(keeper, home, port)
    for words in (("agent",), ("central", "collect"), ("central", "explode"), ("uplink",)):
        keeper.start(words[-1], qafila(home, *words))
    await signed_in(places)
    gone, _ = await seen(places, PLANTED), await seen(places, CONTROL)

    def closed() -> int:
        return int(rows(places, "SELECT count(*) FROM encounters WHERE event = 'closed'")[0][0])

    await until(lambda: closed() == 2, "both visits at the centre")

    def at_the_centre(name: str) -> int:
        return sum(file.read_bytes().count(name.encode()) for file in places.central.glob("central.db*"))

    assert at_the_centre(PLANTED) > 5
    keys = [str(places.central / f"records-{n}.key") for n in (1, 2)]
    order = [
        "--reason",
        "asked in writing",
        "--key",
        keys[0],
        "--by",
        "hakim",
        "--key",
        keys[1],
        "--by",
        "leila",
    ]
    await keeper.run("erase", qafila(home, "central", "erase", gone, *order))
    await until(
        lambda: rows(places, "SELECT 1 FROM erasures_of_units WHERE done_ms > 0"), "the unit's answer"
    )

    async with connect(places.socket) as api:
        await api.call("sign-in", user="fatima", pin=PIN)
        shown = await api.call("patient.list")
        assert [each["family"] for each in shown["patients"]] == [CONTROL]
        assert (await api.call("store.verify"))["valid"] is True
        assert (await api.call("patient.find", text=PLANTED[:5]))["patients"] == []
        before = places.database.stat().st_ino
        await api.call("lock")  # the store gets another key with it
    assert places.database.stat().st_ino != before
    for name in ("agent", "uplink", "collect", "explode"):
        keeper.kill(name)

    found = under_the_cipher(places).lower()
    assert CONTROL.lower().encode() in found
    assert PLANTED.lower().encode() not in found
    assert at_the_centre(CONTROL) > 5
    assert at_the_centre(PLANTED) == 0
    for file in home.rglob("*"):  # spool, WAL, logs, notes
        assert not file.is_file() or PLANTED.encode() not in file.read_bytes(), file
    assert not list(places.spool_out.glob("*vitals*")), "what was received lies in no spool"
