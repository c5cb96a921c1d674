"""The pages of ``docs/howto``, done word by word on clean folders."""

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from cli import unit_setup
from drivers.simulation.scenario import find
from edge.clock import SystemClock
from edge.config import Places
from edge.security import process, slots
from sync.central import database, setup
from sync.central.home import CentreHome
from tests.system.brokers import Mosquitto, free_port
from tests.system.howto import PAGES, Reader, Step, steps_of

STAYS = frozenset({"stays"})
pytestmark = pytest.mark.system
PINS = {"fatima": "482913", "amina": "739164"}
DONE = {
    "enrol-offline.md",
    "enrol-online.md",
    "forgotten-pin.md",
    "pair-a-cuff.md",
    "read-doctor.md",
    "remove-a-person.md",
    "replace-a-card.md",
    "retire-a-box.md",
}


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Somebody with an empty machine; where the broker is, and how often and fast cuffs measure, differ."""
    Mosquitto(tmp_path)._command()  # skips where there is none, and fails in CI
    port = free_port()
    inner = next(other for other in iter(free_port, None) if other != port)
    cuff = tmp_path / "quick.toml"
    shipped = find("every-device").read_text()
    shipped = shipped.replace('kind = "suntech-nibp"', 'kind = "suntech-nibp"\noptions = { deflates = 90 }')
    cuff.write_text(shipped.replace("{ every = 90 }", "{ every = 4 }"))
    est = next(other for other in iter(free_port, None) if other not in {port, inner})
    online = f"--host 127.0.0.1 --port {est}"
    at = f"--host 127.0.0.1 --port {port} --centre-port {inner}"
    return Reader(
        tmp_path,
        PINS,
        {"--host broker.example.org": at, "--host est.example.org": online, "every-device": str(cuff)},
        ports=(port, inner),
    )


@pytest.fixture
def enrolled(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """The same with a unit that is enrolled; its people's PINs are quick to try."""
    monkeypatch.setattr(slots, "ARGON2", (1, 1, 64))
    van, centre = Places.at(reader.home("unit")), CentreHome(reader.home("centre") / "central")
    own = setup.Mosquitto("127.0.0.1", reader.ports[0], reader.ports[1])
    setup.init(centre, "training", own=own)
    with mock.patch.object(process, "harden"):  # for good, and this process has other tests
        unit_setup.make_unit(van, realm="training", unit="van-07", user="fatima", pin=PINS["fatima"])
    request, bundle = van.pinned / unit_setup.REQUEST_FILE, reader.directory / "bundle"
    bundle.write_bytes(setup.enrol(centre, request.read_bytes(), SystemClock())[1])
    unit_setup.install_bundle(van, bundle)
    with reader:
        reader.do(Step("unit", "qafila users add amina --by fatima"))
        yield reader


def readings(reader: Reader, device: str) -> list[tuple[str, str]]:
    """Code and value of what the centre has received of a device."""
    connection = database.connect(CentreHome(reader.home("centre") / "central").database)
    try:
        rows = connection.execute(
            "SELECT code, value FROM observations WHERE device = ? AND value IS NOT NULL", (device,)
        ).fetchall()
        return [(str(code), str(value)) for code, value in rows]
    finally:
        connection.close()


def test_every_command_of_a_page_says_where_it_is_typed() -> None:
    """And every page that has commands is done by a test."""
    with_commands = {page.name for page in PAGES.glob("*.md") if steps_of(page)}
    assert with_commands == DONE


def test_enrolling_offline_ends_with_a_received_reading(reader: Reader) -> None:
    with reader:
        reader.follow("enrol-offline.md")
        codes = {code for code, _ in readings(reader, "cuff-2")}
    assert {"bp.sys", "bp.dia"} <= codes


def test_a_forgotten_pin(enrolled: Reader) -> None:
    (enrolled.home("centre") / "central" / "recovery.key").rename(
        enrolled.directory / "media" / "green" / "recovery.key"
    )
    enrolled.follow("forgotten-pin.md")


def test_pairing_a_cuff(enrolled: Reader) -> None:
    enrolled.follow("pair-a-cuff.md")


def start_centre(reader: Reader) -> None:
    reader.do(Step("centre", "mosquitto -c $QAFILA_HOME/central/mosquitto/mosquitto.conf", STAYS))
    for name in ("collect", "explode"):
        reader.do(Step("centre", f"qafila central {name}", STAYS))


def test_retiring_a_box(enrolled: Reader) -> None:
    start_centre(enrolled)
    for step in steps_of(PAGES / "retire-a-box.md"):
        if "unit retire" in step.command:
            enrolled.switch_off("unit", "qafila agent")
        enrolled.do(step)


def test_replacing_a_card(enrolled: Reader) -> None:
    start_centre(enrolled)
    enrolled.do(Step("unit", "qafila uplink", STAYS))
    enrolled.follow("replace-a-card.md")


@pytest.mark.parametrize("page", ["read-doctor.md", "remove-a-person.md"])
def test_what_needs_no_centre(enrolled: Reader, page: str) -> None:
    enrolled.follow(page)


def test_enrolling_online(reader: Reader) -> None:
    with reader:
        for step in steps_of(PAGES / "enrol-offline.md"):
            if step.machine == "centre" and ("stays" in step.flags or "central init" in step.command):
                reader.do(step)
        reader.follow("enrol-online.md")
