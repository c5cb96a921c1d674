"""What the centre cannot open is sealed again and gets there, though it has landed once already."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlcipher3 import dbapi2

from cli.rehearsal import broker
from cli.rehearsal.processes import Keeper, qafila
from edge.config import Places
from edge.localapi.client import connect

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]
PIN = "482913"


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    with Keeper(tmp_path / "log", lambda _pid: None) as kept:
        yield kept


async def until(condition: Callable[[], object], what: str) -> None:
    for _ in range(1200):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"waited a minute in vain for {what}")


def rows(places: Places, sql: str) -> list[Any]:
    connection = dbapi2.connect(f"file:{places.central / 'central.db'}?mode=ro", uri=True)
    try:
        return list(connection.execute(sql).fetchall())
    finally:
        connection.close()


async def enrolled_unit(keeper: Keeper, home: Path, port: int) -> None:
    async def run(*words: str) -> None:
        await keeper.run("-".join(words[:2]), qafila(home, *words), stdin=PIN + "\n")

    request, bundle = home / "van.request", home / "van.bundle"
    unit = ("--realm", "training", "--id", "van-07", "--user", "fatima", "--pin-stdin")
    await run("unit", "init", *unit)
    await run("unit", "csr", str(request))
    await run("central", "init", "--realm", "training", "--broker", f"127.0.0.1:{port}")
    await run("central", "enrol", str(request), "--out", str(bundle))
    await run("unit", "enrol", str(bundle))


async def signed_in(places: Places, *calls: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    await until(places.socket.exists, "the agent")
    async with connect(places.socket) as api:
        await api.call("sign-in", user="fatima", pin=PIN)
        for method, fields in calls:
            await api.call(method, **fields)
        return await api.call("snapshot")


async def test_a_lost_session_key_costs_a_second_sealing_and_nothing_else(
    tmp_path: Path, keeper: Keeper
) -> None:
    """A power cut took the key message's file, and the agent that knew the key is gone too."""
    home, places, port = tmp_path, Places.at(tmp_path), broker.free_port()
    keeper.start("broker", broker.command(broker.choose("auto"), port, home))
    await until(lambda: broker.listening(port), "the broker")
    await enrolled_unit(keeper, home, port)
    keeper.start("agent", qafila(home, "agent"))
    patient = {"family": "Benali", "given": "Zoé", "sex": "female"}
    await signed_in(places, ("patient.register", patient))
    keeper.kill("agent")
    places.socket.unlink()
    for file in places.spool_out.glob("0-key-*"):
        file.unlink()

    for words in (("central", "collect"), ("central", "explode"), ("uplink", "--backoff-max", "0.5")):
        keeper.start(words[-1], qafila(home, *words))
    await until(lambda: rows(places, "SELECT 1 FROM landing WHERE stream = 'vitals'"), "the landing")
    assert not rows(places, "SELECT 1 FROM entries")

    keeper.start("agent", qafila(home, "agent"))
    tip = (await signed_in(places))["states"]["vitals"]["tip"]

    def opened() -> int:
        return int(rows(places, "SELECT count(*) FROM entries WHERE stream = 'vitals'")[0][0])

    await until(lambda: opened() == tip, "the centre's rows")
    assert tip == 2  # genesis and patient
