"""What unit.toml says of the link reaches the uplink."""

import json
from pathlib import Path
from typing import get_args

import pytest

from cli.uplink_launch import link_settings
from edge.config import LinkSection, load
from sync.uplink.profiles import PROFILES
from sync.uplink.settings import parse
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


def test_the_configuration_names_the_profiles_there_are() -> None:
    assert get_args(LinkSection.model_fields["profile"].annotation) == tuple(PROFILES)
