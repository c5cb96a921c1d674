"""Three collectors and two exploders on one PostgreSQL, behind a real broker, killed all the time."""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.rehearsal import cluster
from cli.rehearsal.cluster import Cluster
from edge.records.fields import Stream
from tests.sync import central_world
from tests.sync.central_world import Centre, Unit, make_centre
from tests.system.brokers import Broker, Mosquitto
from tests.system.test_centre_processes import Process, Van, until

pytestmark = pytest.mark.system
ROUNDS = max(3, int(os.environ.get("QAFILA_KILL_ROUNDS", "30")) // 10)
SEED = int(os.environ.get("QAFILA_SEED", "7"))
VISITS = 2 * ROUNDS


@pytest.fixture
def postgresql() -> Iterator[Cluster]:
    if cluster.programs() is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed here")
        pytest.skip("PostgreSQL is not installed here")
    with Cluster(durable=True) as running:
        yield running


@pytest.fixture
def centre(tmp_path: Path, postgresql: Cluster) -> Iterator[Centre]:
    central_world.new_place = postgresql.new_space
    try:
        yield make_centre(tmp_path)
    finally:
        central_world.new_place = lambda: None


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Mosquitto(tmp_path) as running:
        yield running


class Crew:
    """The processes of one kind, each with a log of its own."""

    def __init__(self, word: str, n: int, centre: Centre, port: int) -> None:
        self.all = [Process(word, centre.home.directory.parent, port) for _ in range(n)]
        for number, each in enumerate(self.all):
            each.log = each.log.with_name(f"{word}-{number}.log")

    def start(self) -> None:
        for each in self.all:
            each.start()

    def kill(self) -> None:
        for each in self.all:
            each.kill()


def test_any_of_them_is_killed_at_any_time_and_nothing_is_lost_or_doubled(
    centre: Centre, broker: Broker, postgresql: Cluster
) -> None:
    chance = random.Random(SEED)  # noqa: S311  a test's own chance
    units = [centre.unit(f"van-{number:02}") for number in range(4)]
    for unit in units:
        for _ in range(VISITS):
            unit.visit()
    tips = {unit.name: len(unit.journal[Stream.VITALS]) for unit in units}
    vans = [Van(unit, centre, broker.port, speaks_5=True) for unit in units]
    collectors, exploders = Crew("collect", 3, centre, broker.port), Crew("explode", 2, centre, broker.port)
    crews = [*collectors.all, *exploders.all]
    try:
        collectors.start()
        exploders.start()
        lives = dict.fromkeys(crews, 1)
        all_at_work(lives)
        for round_ in range(ROUNDS):
            send(vans, chance, "landed")
            victim = crews[chance.randrange(len(crews))]
            lives[victim] = victim.said().count("broker-connected") + 1
            one_dies(centre, vans, victim)
            if round_ == ROUNDS // 2:
                all_at_work(lives)  # who finds no database at its very first look says so and ends
                postgresql.kill()
                postgresql.start()
                centre.restart()
        deadline = time.monotonic() + 90
        while any(van.through("opened") < tips[van.unit.name] for van in vans):
            assert time.monotonic() < deadline, {van.unit.name: van.through("opened") for van in vans}
            send(vans, chance, "opened")
            time.sleep(0.3)
        check(centre, units, tips)
        newest_are_retained(vans, tips)
        all_at_work(lives)
        assert [each.stop() for each in crews] == [0] * 5
    finally:
        collectors.kill()
        exploders.kill()
        for van in vans:
            van.disconnect()


def all_at_work(lives: dict[Process, int]) -> None:
    """Each has come to the broker as often as it should have by now."""
    for process, times in lives.items():
        process.wait_for("broker-connected", times)


def one_dies(centre: Centre, vans: list[Van], victim: Process) -> None:
    """In the middle of it; what receipts have said until then is there."""
    receipted = {van.unit.name: (van.through("landed"), van.through("opened")) for van in vans}
    victim.kill()
    for name, (landed, opened) in receipted.items():
        assert kept(centre, name)[0] >= landed
        assert kept(centre, name)[1] >= opened
    victim.start()


def newest_are_retained(vans: list[Van], tips: dict[str, int]) -> None:
    """Whoever wrote them, and whoever published last."""
    for van in vans:
        van.heard.clear()
        van.disconnect()
        van.connect()
    until(lambda: all(all_through(van, tips) for van in vans), "the retained receipts")


def all_through(van: Van, tips: dict[str, int]) -> bool:
    return all(van.through(level) == tips[van.unit.name] for level in ("landed", "opened"))


def send(vans: list[Van], chance: random.Random, level: str) -> None:
    """What an uplink would: all that no receipt covers, cut anew, in an order of its own."""
    for van in vans:
        after, tip = van.through(level), len(van.unit.journal[Stream.VITALS])
        messages = [van.unit.key_message()]
        while after < tip:
            last = min(tip, after + chance.randint(1, 17))
            messages.append(van.unit.batch(Stream.VITALS, after + 1, last))
            after = last
        chance.shuffle(messages)
        van.send(*messages[:30])


def kept(centre: Centre, unit: str) -> tuple[int, int]:
    landed = centre.value("SELECT coalesce(max(last), 0) FROM spans WHERE first = 1 AND unit = ?", unit)
    opened = centre.value("SELECT coalesce(max(through), 0) FROM chains WHERE unit = ?", unit)
    return landed, opened


def check(centre: Centre, units: list[Unit], tips: dict[str, int]) -> None:
    for unit in units:
        rows = centre.rows("SELECT seq, leaf, payload FROM entries WHERE unit = ? ORDER BY seq", unit.name)
        journal = unit.journal[Stream.VITALS]
        assert rows == [(entry.seq, entry.leaf, entry.payload) for entry in journal]
        assert centre.value("SELECT count(*) FROM observations WHERE unit = ?", unit.name) == VISITS * 6
        assert kept(centre, unit.name) == (tips[unit.name], tips[unit.name])
    until(lambda: not centre.rows("SELECT 1 FROM landing WHERE settled = 0"), "all to be settled")
    until(lambda: not centre.rows("SELECT 1 FROM work"), "nothing to be left to do")
    assert centre.rows("SELECT 1 FROM conflicts") == []
    assert centre.rows("SELECT 1 FROM quarantine") == []
