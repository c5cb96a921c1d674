"""Two units and a centre that share no network but a bridge, on the ports that a real centre has."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import unit_setup
from edge.config import Places
from edge.security import slots
from sync.central import setup
from sync.central.home import CentreHome
from tests.cli.units import PIN, make_unit
from tests.system.brokers import Mosquitto
from tests.system.howto import Reader, Step
from tests.system.namespaces import Network, need_namespaces

pytestmark = pytest.mark.system
STAYS = frozenset({"stays"})
UNITS = ("unit", "other")


@pytest.fixture
def network() -> Iterator[Network]:
    need_namespaces()
    with Network(["centre", *UNITS]) as made:
        yield made


def test_two_units_enrol_and_deliver_from_networks_of_their_own(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one by a claim, the other by stick; a pulled cable holds up one of them and loses nothing."""
    Mosquitto(tmp_path)._command()  # skips where there is none, and fails in CI
    monkeypatch.setattr(slots, "ARGON2", (1, 1, 64))
    host = network.address["centre"]
    with Reader(tmp_path, {"fatima": PIN}, into=network.into) as reader:
        home = CentreHome(reader.home("centre") / "central")
        setup.init(home, "training", own=setup.Mosquitto(host))
        for machine, unit in zip(UNITS, ("van-07", "van-08"), strict=True):
            make_unit(reader.home(machine), unit=unit)
        for command in (
            "mosquitto -c $QAFILA_HOME/central/mosquitto/mosquitto.conf",
            "qafila central collect --backoff-max 0.5",
            "qafila central explode --backoff-max 0.5",
            f"qafila central est --host {host}",
        ):
            reader.do(Step("centre", command, STAYS))
        stick = "/media/stick/van-0"
        for step in (
            Step("centre", f"qafila central claim van-07 --host {host} --out {stick}7.claim"),
            Step("unit", f"qafila unit enrol-online {stick}7.claim"),
            Step("other", f"qafila unit csr {stick}8.request"),
            Step("centre", f"qafila central enrol {stick}8.request --out {stick}8.bundle"),
            Step("other", f"qafila unit enrol {stick}8.bundle"),
        ):
            reader.do(step)
        for machine in UNITS:
            reader.do(Step(machine, "qafila agent", STAYS))
            reader.do(Step(machine, "qafila uplink --backoff-max 0.5", STAYS))
        for machine in UNITS:  # nothing but the bridge leads anywhere
            assert [line.split()[0] for line in network.routes(machine)] == ["10.231.77.0/24"]
        network.plug("other", into=False)
        reader.do(Step("unit", "qafila sync now --user fatima --wait 60"))
        with pytest.raises(AssertionError, match="not-received-yet"):
            reader.do(Step("other", "qafila sync now --user fatima --wait 2"))
        network.plug("other", into=True)
        reader.do(Step("other", "qafila sync now --user fatima --wait 60"))
        units = json.loads(reader.do(Step("centre", "qafila central units --json")))
        assert {each["unit"]: each["received"] > 4 for each in units} == {"van-07": True, "van-08": True}
        assert unit_setup.installed(Places.at(reader.home("unit"))) is not None
