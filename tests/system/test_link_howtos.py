"""The pages of ``docs/howto``, done word by word on clean folders."""

from pathlib import Path

import pytest

from drivers.simulation.scenario import find
from sync.central import database
from sync.central.home import CentreHome
from tests.system.brokers import Mosquitto, free_port
from tests.system.howto import PAGES, Reader, steps_of

pytestmark = pytest.mark.system
PINS = {"fatima": "482913"}
DONE = {"enrol-offline.md"}


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Somebody with an empty machine; where the broker is and how fast the cuff deflates is not as shown."""
    Mosquitto(tmp_path)._command()  # skips where there is none, and fails in CI
    port = free_port()
    inner = next(other for other in iter(free_port, None) if other != port)
    cuff = tmp_path / "quick.toml"
    shipped = find("every-device").read_text()
    cuff.write_text(
        shipped.replace('kind = "suntech-nibp"', 'kind = "suntech-nibp"\noptions = { deflates = 90 }')
    )
    at = f"--host 127.0.0.1 --port {port} --centre-port {inner}"
    return Reader(tmp_path, PINS, {"--host broker.example.org": at, "every-device": str(cuff)})


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
