"""What unit.toml says of the link reaches the uplink."""

import json
from pathlib import Path
from typing import get_args

import pytest

from cli.uplink_launch import brokers, link_settings
from edge.clock import SystemClock
from edge.config import LinkSection, Places, effective, load
from edge.config.slots import STATE, Document, Slots
from sync.boxend.pinned import Enrolment
from sync.uplink.enrolled import LOOK_S, Watch
from sync.uplink.profiles import PROFILES
from sync.uplink.settings import parse
from sync.wire.enrolment import Broker
from sync.wire.keyset import Keyset
from tests.sync.uplink_rig import CentreKeys

UNIT = '[unit]\nid = "van-07"\nrealm = "training"\n'


def settings_of(directory: Path, link: str) -> tuple[str, int, int]:
    (directory / "unit.toml").write_text(UNIT + link)
    keys = CentreKeys()
    values = {
        "unit": "van-07",
        "realm": "training",
        **{name: str(directory) for name in ("spool_out", "spool_in", "notes")},
        "brokers": [{"host": "127.0.0.1", "port": 1883}],
        "keyset": keys.raw_keyset.hex(),
        "roots": [root.hex() for root in keys.roots],
        **link_settings(load(directory / "unit.toml")),
    }
    read = parse(json.dumps(values))
    return read.profile, read.day_bytes, read.patience.keepalive_s


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("", ("4g", 0, 20)),
        ('[link]\nprofile = "satellite"\n', ("satellite", 5_000_000, 120)),
        ('[link]\nprofile = "satellite"\nday_mb = 20\n', ("satellite", 20_000_000, 120)),
        ('[link]\nprofile = "2g"\nday_mb = 0\n', ("2g", 0, 60)),
    ],
)
def test_the_link_of_a_unit(tmp_path: Path, link: str, expected: tuple[str, int, int]) -> None:
    assert settings_of(tmp_path, link) == expected


def test_brokers_of_the_centre_come_first_and_those_of_the_enrolment_stay(tmp_path: Path) -> None:
    (tmp_path / "unit.toml").write_text(UNIT)
    places = Places.at(tmp_path)
    keyset = Keyset(1, "training", (1,), ())
    own = Broker("mqtt.old.example", 8883, tls=True)
    enrolment = Enrolment("van-07", "training", (), keyset, b"", (own,))
    assert brokers(effective(places), enrolment) == [{"host": own.host, "port": 8883, "tls": True}]
    text = '[link]\nprofile = "satellite"\n' + "".join(
        f'[[broker]]\nhost = "{host}"\n' for host in ("mqtt.new.example", "mqtt.old.example")
    )
    Slots(places.configuration).try_out(Document(1, "00", text, {}), needs_receipt=True)
    holds = effective(places)
    assert [each["host"] for each in brokers(holds, enrolment)] == ["mqtt.new.example", "mqtt.old.example"]
    assert link_settings(holds.config)["profile"] == "satellite"


def test_the_uplink_begins_anew_when_another_configuration_holds_and_not_when_it_is_kept(
    tmp_path: Path,
) -> None:
    slots = Slots(tmp_path)

    class Later(SystemClock):
        """Time for a look goes by with each."""

        looks = 0

        def monotonic_s(self) -> float:
            self.looks += 1
            return self.looks * LOOK_S

    def watch() -> Watch:
        return Watch(None, Later(), tmp_path / STATE)

    before = watch()
    assert not before.changed()
    slots.try_out(Document(1, "00", "", {}), needs_receipt=True)
    assert before.changed()
    tried = watch()
    slots.began()
    slots.keep()
    assert not tried.changed()
    slots.try_out(Document(2, "01", "", {}), needs_receipt=True)
    assert tried.changed()
    slots.go_back("no-receipt")
    assert not tried.changed(), "what this one knows holds again"
    (tmp_path / STATE).write_bytes(b"[")
    assert tried.changed()


def test_the_configuration_names_the_profiles_there_are() -> None:
    assert get_args(LinkSection.model_fields["profile"].annotation) == tuple(PROFILES)
