"""A device comes into unit.toml and goes out of it, and all that a person wrote stays."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import unit_toml
from cli.unit_toml import NotWritten, with_device, without_device
from edge.config import DeviceSection, Places, load

TEXT = """\
# The unit of Ifrane.
[unit]
id = "van-07"     # painted on the door
realm = "training"

# the good oximeter
[[device]]
key = "oximeter-1"
kind = "contec-cms50"
port = "/dev/serial/by-id/one"   # left socket

# borrowed until May
[[ device ]]   # hand-written
kind = "nonin"
port = "/dev/serial/by-id/two"
key = 'oximeter-2'

[clock]
quality = "rtc"
"""
CUFF = DeviceSection(key="cuff-1", kind="sig-bp", port="ble:C0:FF:EE:00:00:01", simulated=True)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    made = Places.at(tmp_path)
    made.config.write_text(TEXT)
    return made


def test_a_device_comes_in_at_the_end_and_the_rest_stays(places: Places) -> None:
    places.config.chmod(0o640)
    unit_toml.add(places, CUFF)
    text = places.config.read_text()
    assert text.startswith(TEXT)
    assert text[len(TEXT) :] == (
        '\n[[device]]\nkey = "cuff-1"\nkind = "sig-bp"\nport = "ble:C0:FF:EE:00:00:01"\nsimulated = true\n'
    )
    assert load(places.config).device[-1] == CUFF
    assert places.config.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in places.config.parent.iterdir()) == ["unit.toml"]


def test_what_came_in_goes_out_again(places: Places) -> None:
    unit_toml.add(places, CUFF)
    unit_toml.remove(places, "cuff-1")
    assert places.config.read_text() == TEXT


def test_a_device_goes_out_and_comments_of_others_stay(places: Places) -> None:
    unit_toml.remove(places, "oximeter-1")
    text = places.config.read_text()
    assert "oximeter-1" not in text
    assert [each.key for each in load(places.config).device] == ["oximeter-2"]
    for comment in (
        "# The unit of Ifrane.",
        "# painted on the door",
        "# borrowed until May",
        "# hand-written",
    ):
        assert comment in text
    unit_toml.remove(places, "oximeter-2")
    assert load(places.config).device == ()
    assert load(places.config).clock.quality == "rtc"


@pytest.mark.parametrize(
    ("device", "says"),
    [
        (DeviceSection(key="oximeter-1", kind="nonin", port="/dev/x"), "two devices share one key"),
    ],
)
def test_what_would_be_no_configuration_is_not_written(
    places: Places, device: DeviceSection, says: str
) -> None:
    with pytest.raises(NotWritten, match=says) as refused:
        unit_toml.add(places, device)
    assert refused.value.next_step
    assert places.config.read_text() == TEXT


def test_production_takes_no_simulated_device(places: Places) -> None:
    places.config.write_text(TEXT.replace("training", "production"))
    with pytest.raises(NotWritten, match="training realm"):
        unit_toml.check(places, CUFF)


def test_a_broken_file_is_left_as_it_is(places: Places) -> None:
    places.config.write_text("[unit\n")
    with pytest.raises(NotWritten):
        unit_toml.add(places, CUFF)
    assert places.config.read_text() == "[unit\n"


def test_a_device_that_cannot_be_taken_out_alone_stays(places: Places) -> None:
    with pytest.raises(NotWritten) as refused:
        unit_toml.remove(places, "cuff-9")
    assert "by hand" in refused.value.next_step
    inline = TEXT.partition("# the good")[0] + 'device = [{key = "a1", kind = "nonin", port = "/dev/x"}]\n'
    with pytest.raises(NotWritten):
        without_device(inline.replace("[unit]", "", 1), "a1")


def test_a_folder_that_takes_no_file_is_told_with_what_to_write(places: Places) -> None:
    if os.geteuid() == 0:
        blocked = places.config.with_name("unit.toml.new")
        blocked.mkdir()  # root may write everywhere, but not a file where a folder is
    else:
        places.config.parent.chmod(0o500)
    try:
        with pytest.raises(NotWritten) as refused:
            unit_toml.add(places, CUFF)
    finally:
        places.config.parent.chmod(0o700)
    assert 'key = "cuff-1" | kind = "sig-bp"' in refused.value.next_step
    assert places.config.read_text() == TEXT


def test_a_link_stays_a_link(tmp_path: Path, places: Places) -> None:
    real = tmp_path / "elsewhere.toml"
    places.config.rename(real)
    places.config.symlink_to(real)
    unit_toml.add(places, CUFF)
    assert places.config.is_symlink()
    assert load(real).device[-1] == CUFF


@given(
    keys=st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), min_size=1, max_size=5, unique=True),
    port=st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), min_size=1, max_size=30),
    order=st.randoms(),
)
def test_any_devices_come_in_and_go_out_in_any_order(keys: list[str], port: str, order: object) -> None:
    base = TEXT.partition("# the good")[0]
    text = base
    for key in keys:
        text = with_device(text, DeviceSection(key=key, kind="nonin", port=f"/dev/{port}"))
    shuffle = order.shuffle  # type: ignore[attr-defined]  # hypothesis gives a Random
    shuffle(keys)
    for key in keys:
        text = without_device(text, key)
    assert text.strip() == base.strip()
