"""A simulated cuff that was given a key keeps it over a restart, and asks for none again."""

from pathlib import Path
from typing import Final, cast

import pytest
from bumble.device import Connection

from drivers.devices.omron_hem.codec import PAIRING_MODE, set_key, unlock
from drivers.devices.omron_hem.simulator import SimulatedOmron, make_peripheral
from drivers.radio.air import Air
from drivers.radio.world import living
from drivers.simulation import kept_secret

ADDRESS: Final = "C0:FF:EE:00:00:0A"
KEY: Final = bytes(range(16))
HOST: Final = cast("Connection", None)


def cuff(bonds: Path, **options: str) -> SimulatedOmron:
    made = make_peripheral(ADDRESS, options)
    made.remember(kept_secret.secret_file(bonds, ADDRESS))
    return made


def shows_p(cuff: SimulatedOmron) -> bool:
    """Read anew: a type checker believes that it stays what it was."""
    return cuff.unit.pairing


def test_it_shows_p_until_it_is_given_a_key_and_never_again(tmp_path: Path) -> None:
    bonds = tmp_path / "bonds.json"
    first = cuff(bonds, pairing="on")
    assert shows_p(first)
    first._hear_key(HOST, PAIRING_MODE)
    first._hear_key(HOST, set_key(KEY))
    assert not shows_p(first)
    again = cuff(bonds, pairing="on")
    assert (again.unit.key, again.unit.pairing) == (KEY, False)
    again.unit.meet()
    again._hear_key(HOST, unlock(KEY))
    assert again.unit._unlocked
    again.obey("pairing on")
    again._hear_key(HOST, PAIRING_MODE)
    again._hear_key(HOST, set_key(KEY[::-1]))
    assert cuff(bonds).unit.key == KEY[::-1]


@pytest.mark.parametrize("text", ["", "zz", "\0"])
def test_a_file_that_says_nothing_is_no_key(tmp_path: Path, text: str) -> None:
    kept_secret.secret_file(tmp_path / "bonds.json", ADDRESS).write_text(text)
    assert cuff(tmp_path / "bonds.json", pairing="on").unit.pairing


async def test_it_is_whose_it_was_from_the_first_moment_in_the_air(tmp_path: Path) -> None:
    bonds = tmp_path / "bonds.json"
    kept_secret.keep(kept_secret.secret_file(bonds, ADDRESS), KEY)
    made = make_peripheral(ADDRESS, {})
    async with living(Air(), {"cuff": made}, bonds=bonds):
        assert made.unit.key == KEY
