"""Training and production never meet: every pair of a box's realm and a centre's, with a simulated device.

What is simulated reaches a centre where both are of the training realm, and nowhere else; each pair has
more than one wall, and each wall stands by itself.
"""

import asyncio
import contextlib
import dataclasses
import itertools
from pathlib import Path
from typing import Final, get_args

import pytest
from typer.testing import CliRunner

from cli.commands.sim import app as sim
from edge.agent.parts import Device
from edge.config import ConfigRefused, Places, load
from edge.errors import QafilaError
from edge.records.fields import Source
from sync.boxend.receipts import BoxReceiptReader
from sync.central import database, setup
from sync.central.exploder import Exploder
from sync.central.home import CentreHome, Realm, read_file
from sync.central.landing import Lander, Upward
from sync.central.receipts import ReceiptWriter
from sync.central.setup import EnrolmentRefused
from sync.wire import topics
from sync.wire.enrolment import Broker, make_request, read_bundle
from sync.wire.errors import EnvelopeRefused
from tests.edge.agent.agent_world import UNIT, ScriptedDriver, World, pressure
from tests.edge.agent.agent_world import Centre as Keys
from tests.sync.central_world import SetClock, Unit

pytestmark = pytest.mark.system

REALMS: Final[tuple[Realm, ...]] = get_args(Realm)
PAIRS: Final = list(itertools.product(REALMS, REALMS))
SIMULATED: Final = """
[[device]]
key = "cuff-1"
kind = "sig-bp"
port = "ble:C0:FF:EE:00:01:01"
simulated = true

[radio]
backend = "virtual"
virtual = "unix:sim/air"
"""


def unit_file(home: Path, realm: str, more: str = "") -> Places:
    home.mkdir()
    (home / "unit.toml").write_text(f'[unit]\nid = "van-07"\nrealm = "{realm}"\n{more}')
    return Places.at(home)


def make_centre(folder: Path, realm: Realm) -> CentreHome:
    home = CentreHome(folder / "central")
    setup.init(home, realm, (Broker("127.0.0.1", 8883, tls=True),))
    return home


@pytest.mark.parametrize("box", REALMS)
def test_the_box_takes_a_simulated_device_in_training_only(tmp_path: Path, box: Realm) -> None:
    places = unit_file(tmp_path / "van", box, SIMULATED)
    if box == "training":
        assert load(places.config).device[0].simulated
    else:
        with pytest.raises(ConfigRefused, match="training realm"):
            load(places.config)


def test_simulators_are_started_for_a_training_box_only(tmp_path: Path) -> None:
    unit_file(tmp_path / "van", "production")
    result = CliRunner().invoke(sim, ["run", "normal-adult", "--home", str(tmp_path / "van")])
    assert isinstance(result.exception, QafilaError)
    assert result.exception.stable_code == "simulation-in-production"


@pytest.mark.parametrize(("box", "centre"), PAIRS)
async def test_what_a_simulator_says_comes_to_a_centre_where_both_are_training(
    tmp_path: Path, box: Realm, centre: Realm
) -> None:
    """An agent that was started all the same, was lied to, and is believed by a centre all the same."""
    home = make_centre(tmp_path, centre)
    keys = Keys(box)
    with contextlib.nullcontext() if box == centre else pytest.raises(ValueError, match="other realm"):
        BoxReceiptReader(UNIT, box, home.read_keyset(centre))  # the box believes no keyset of the other realm
    keys.keyset = dataclasses.replace(home.read_keyset(centre), realm=box)  # so it is told a lie
    simulator = ScriptedDriver("cuff-1")
    world = World(tmp_path / "van", keys, [Device(simulator, simulated=True)], realm=box)
    world.make()
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["saved", "readings"])
        simulator.say(pressure(120, 80))
        if box == "training":
            await nurse.event("saved")
        else:
            assert (await nurse.event("not-saved"))["code"] == "simulated-refused"
        assert len((await nurse.ask("tray.list"))["observations"]) == (2 if box == "training" else 0)
        async with asyncio.timeout(30):
            wanted = set(range(1, 4 if box == "training" else 2))  # its genesis, and what was measured
            while not wanted <= {
                seq for name in world.spooled("vitals") for seq in range(name.first, name.first + name.n)
            }:
                await asyncio.sleep(0.02)
    store = world.store()
    identity = store.identity()
    store.close()
    believed = make_request(UNIT, centre, identity.sign_private, identity.recv_public, 1)
    setup.enrol(home, believed, SetClock())
    sent = [
        Upward(topics.up(UNIT, name.word), world.outbox.read(name)) for name in sorted(world.outbox.list())
    ]
    assert simulated_at(home, centre, sent) == (2 if box == centre == "training" else 0)


def simulated_at(home: CentreHome, realm: Realm, sent: list[Upward]) -> int:
    """How many simulated observations a centre of this realm makes of what a box sent."""
    landed, opened = (
        ReceiptWriter(level, realm, 1, read_file(path))
        for level, path in (("landed", home.landed_key), ("opened", home.opened_key))
    )
    Lander(database.connect(home.database), realm, SetClock(), landed).land(sent)
    looking = database.connect(home.database)
    exploder = Exploder(
        database.connect(home.database), realm, SetClock(), read_file(home.seal_to_key), opened
    )
    exploder.round()
    while exploder.pending:
        exploder.round()
    rows = looking.execute("SELECT source FROM observations").fetchall()
    assert {source for (source,) in rows} <= {int(Source.SIMULATED)}
    return len(rows)


@pytest.mark.parametrize(("box", "centre"), PAIRS)
def test_a_box_is_enrolled_by_a_centre_of_its_own_realm_only(
    tmp_path: Path, box: Realm, centre: Realm
) -> None:
    home = make_centre(tmp_path, centre)
    unit = Unit("van-07", home.read_keyset(centre), box)
    if box == centre:
        _, bundle = setup.enrol(home, unit.request(), SetClock())
        assert read_bundle(bundle, unit.request()).realm == box
    else:
        with pytest.raises(EnrolmentRefused) as refused:
            setup.enrol(home, unit.request(), SetClock())
        assert refused.value.stable_code == "request-realm"
        # nor does a box take the answer that another unit of its name was given there
        other = Unit("van-07", unit.keyset, centre)
        _, bundle = setup.enrol(home, other.request(), SetClock())
        with pytest.raises(EnvelopeRefused):
            read_bundle(bundle, unit.request())
