"""Keys of the centre change while everything runs: uplink, collector and exploder on a real broker."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.ports.sealing import ReceiptRefused
from edge.records.fields import Stream
from edge.spool.files import write_atomically
from sync.central import keyring
from sync.wire import keyset, receipts
from sync.wire.keyset import Keyset, Use
from tests.sync.central_world import REALM, Centre, Unit, make_centre
from tests.sync.uplink_rig import CentreKeys
from tests.system.brokers import Mosquitto
from tests.system.test_centre_processes import Process
from tests.system.uplink_process import Uplink, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


class Link:
    """A centre with its processes, a broker, an uplink, and a unit that seals by hand."""

    def __init__(self, directory: Path, broker: Mosquitto) -> None:
        self.centre: Centre = make_centre(directory)
        self.unit: Unit = self.centre.unit()
        self.processes = [Process(word, directory, broker.port) for word in _WORDS]
        self.uplink = Uplink(directory, CentreKeys(), [broker.port])
        self.uplink.settings["keyset"] = self.centre.home.keyset.read_bytes().hex()
        self.uplink.settings["roots"] = [root.hex() for root in self.centre.home.read_roots()]

    def put(self, word: str, first: int, n: int, content: bytes) -> None:
        priority = {"key": 0, "vitals": 2}[word]
        name = f"{priority}-{word}-{first}-{n}-{os.urandom(8).hex()}"
        write_atomically(self.uplink.spool_out, name, content)

    def newest(self, level: str, keys: Keyset) -> int:
        """How far the vitals are by the newest receipt that these keys believe; -1 for none."""
        through = -1
        for path in self.uplink.spool_in.glob(f"{level}-*"):
            try:
                receipt = receipts.verify(path.read_bytes(), keys, "van-07")
            except (ReceiptRefused, FileNotFoundError):
                continue
            through = max(through, receipt.streams[Stream.VITALS].through if receipt.streams else 0)
        return through

    def close(self) -> None:
        self.uplink.kill()
        for process in self.processes:
            process.kill()


_WORDS = ("collect", "explode")


@pytest.fixture
def link(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Link]:
    made = Link(tmp_path, mosquitto)
    yield made
    made.close()


def test_keys_are_renewed_and_retired_without_a_visit_to_the_unit(link: Link) -> None:
    unit, home, first = link.unit, link.centre.home, link.centre.keyset
    unit.visit()
    link.put("key", 0, 0, unit.key_message().payload)
    link.put("vitals", 1, 5, unit.batch(Stream.VITALS, 1, 5).payload)
    for process in link.processes:
        process.start()
    link.uplink.start()
    until(lambda: link.newest("opened", first) == 5)
    for use in (Use.LANDED, Use.OPENED, Use.SEAL_TO):
        keyring.rotate(home, use)
        for key in first.of_use(use):
            keyring.retire(home, key.kid.hex())
    present = home.read_keyset(REALM)
    until(lambda: list(link.uplink.spool_in.glob(f"keyset-{present.version:012d}")))
    [left] = link.uplink.spool_in.glob(f"keyset-{present.version:012d}")
    assert keyset.read(left.read_bytes(), home.read_roots(), REALM) == present
    unit.keyset = present
    unit.new_session()
    link.put("key", 0, 0, unit.key_message().payload)
    link.put("vitals", 6, 5, unit.batch(Stream.VITALS, 6, 10).payload)
    until(lambda: link.newest("landed", present) == 10)
    until(lambda: link.newest("opened", present) == 10)
    assert link.newest("opened", first) < 10, "only the new key signs, and only who has the keyset reads it"
    link.uplink.kill()
    for path in link.uplink.spool_in.iterdir():
        path.unlink()
    link.uplink.start()  # as after weeks away: it knows the first keyset only
    until(lambda: link.newest("opened", present) == 10)
    assert not link.uplink.lines("keyset-")
