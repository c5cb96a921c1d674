"""Planted names and identifiers: found where they must be, and nowhere a thief may look.

``QAFILA_PLANTED`` sets how many; it is long, and runs with a thousand in `make soak`. Nowhere: the store's
file and log, the spool, the notes, every process's log, the memory of an agent whose store was locked, and
the memory of the uplink that carried them.
"""

import asyncio
import contextlib
import os
import random
import shutil
import string
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.rehearsal import broker
from cli.rehearsal.processes import Keeper, qafila
from cli.rehearsal.scanner import Hit, Scanner
from edge.config import Places
from edge.localapi.client import AgentUnreachable, connect
from tests.system.test_link_reseal import PIN, enrolled_unit, rows, signed_in, until
from tests.system.test_store_erasing import under_the_cipher

PLANTED = int(os.environ.get("QAFILA_PLANTED", "0"))
EACH = 4
"""Family name, given name, village and identifier of one patient."""

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.skipif(PLANTED == 0, reason="long; make soak ARGS=planted runs it"),
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("gcore") is None,
        reason="memory is looked into by root, with gcore of gdb",
    ),
]


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    with Keeper(tmp_path / "log", lambda _pid: None) as kept:
        yield kept


def names() -> list[str]:
    dice = random.Random(int(os.environ.get("QAFILA_SEED", "7")))  # noqa: S311  a seed, to be repeated
    letters = string.ascii_lowercase
    return ["Zq" + "".join(dice.choices(letters, k=10)) for _ in range(PLANTED)]


async def planted(places: Places, words: list[str]) -> None:
    """A patient for every four words, one with a visit and an alert, all looked at."""
    async with connect(places.socket) as api:
        await api.call("sign-in", user="fatima", pin=PIN)
        patient = ""
        for at in range(0, PLANTED, EACH):
            family, given, village, number = words[at : at + EACH]
            person: dict[str, Any] = {"family": family, "given": given, "sex": "female", "village": village}
            identifiers = [{"system": "cin", "value": number}]
            patient = (await api.call("patient.register", **person, identifiers=identifiers))["patient"]
        visit = (await api.call("encounter.open", patient=patient))["encounter"]
        await api.call("observe", encounter=visit, values=[{"code": "temp", "value": "37.2"}])
        await api.call("alert.raise", patient=patient, code="urgent", text=words[0])
        await api.call("encounter.close", encounter=visit)
        assert (await api.call("patient.find", text=words[0]))["patients"]
        assert (await api.call("patient.list"))["patients"]


def in_memory(scanner: Scanner, pid: int, into: Path) -> set[Hit]:
    """What stands in the memory of a process, as a debugger takes it down."""
    subprocess.run(["gcore", "-o", str(into), str(pid)], check=True, capture_output=True)  # noqa: S607  gdb's
    dump = into.with_name(f"{into.name}.{pid}")
    try:
        assert b"qafila" in dump.read_bytes()
        return scanner.search_file(dump, "memory")
    finally:
        dump.unlink()


async def test_planted_names_are_nowhere_a_thief_may_look(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, keeper: Keeper
) -> None:
    home, places, port = tmp_path, Places.at(tmp_path), broker.free_port()
    words, dumps = names(), tmp_path_factory.mktemp("dumps")
    scanner = Scanner(words)
    keeper.start("broker", broker.command(broker.choose("auto"), port, home))
    await until(lambda: broker.listening(port), "the broker")
    await enrolled_unit(keeper, home, port)
    for command in (("agent",), ("central", "collect"), ("central", "explode"), ("uplink",)):
        keeper.start(command[-1], qafila(home, *command))
    await signed_in(places)
    await planted(places, words)
    patients = PLANTED // EACH
    await until(
        lambda: rows(places, "SELECT count(DISTINCT patient) FROM patients")[0][0] == patients,
        "every patient at the centre",
    )

    def found(hits: set[Hit]) -> set[str]:
        return {hit.canary for hit in hits}

    async def at(name: str) -> set[Hit]:
        return await asyncio.to_thread(in_memory, scanner, keeper.kept(name).pid, dumps / name)

    assert found(await at("agent")), (
        "control: the search finds them in the memory of an agent that knows them"
    )
    assert await at("uplink") == set()
    async with connect(places.socket) as api:
        await api.call("sign-in", user="fatima", pin=PIN)
        await api.call("lock")
    async with asyncio.timeout(60):  # it begins anew
        while await at("agent"):
            with contextlib.suppress(AgentUnreachable):
                async with connect(places.socket) as api:
                    await api.call("status")
    for name in ("agent", "uplink", "collect", "explode"):
        keeper.kill(name)

    assert found(scanner.search(under_the_cipher(places), "under the cipher")) == set(words), "control"
    assert found(scanner.search_tree(places.central)) == set(words), "control: the centre may know them"
    assert scanner.search_tree(home, leave_out=[places.central]) == set()
