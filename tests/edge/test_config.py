"""The unit's configuration: every key known, every refusal with its line and its next step."""

from pathlib import Path

import pytest

from edge.config import (
    ConfigMissing,
    ConfigRefused,
    Places,
    UnitConfig,
    check_unit,
    load,
    reference,
    write_initial,
)
from edge.config.reading import examine

GOOD = """\
[unit]
id = "van-07"
realm = "training"

[clock]
quality = "rtc"
scale = 60.0

[[device]]
key = "oximeter-1"
kind = "contec-cms50"
port = "/dev/ttyUSB0"

[[device]]
key = "oximeter-2"
kind = "contec-cms50"
port = "/dev/ttyUSB1"
simulated = true
"""


def refusal(tmp_path: Path, text: str) -> ConfigRefused:
    path = tmp_path / "unit.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigRefused) as error:
        load(path)
    assert error.value.stable_code == "config-refused"
    assert error.value.next_step
    return error.value


def test_a_good_configuration_with_its_defaults(tmp_path: Path) -> None:
    path = tmp_path / "unit.toml"
    path.write_text(GOOD, encoding="utf-8")
    config = load(path)
    assert (config.unit.id, config.seal.batch, config.security.device_secret) == (
        "van-07",
        200,
        "media/device.secret",
    )
    assert [device.simulated for device in config.device] == [False, True]
    places = Places.at(tmp_path)
    assert config.device_secret(places) == tmp_path / "media" / "device.secret"


@pytest.mark.parametrize(
    ("before", "after", "line", "says"),
    [
        ("realm =", "rea1m =", "line 3", "realm"),
        ("quality =", "qualty =", "line 6", "quality"),
        ('port = "/dev/ttyUSB1"', 'prot = "/dev/ttyUSB1"', "line 17", "port"),
        ("[clock]", "[clok]", "line 5", "clock"),
    ],
)
def test_an_unknown_key_is_named_with_its_line_and_the_nearest_known_one(
    tmp_path: Path, before: str, after: str, line: str, says: str
) -> None:
    error = refusal(tmp_path, GOOD.replace(before, after))
    assert line in error.sentence
    assert f"`{says}`" in error.next_step


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('id = "van-07"', 'id = "Van 07"', "unit.id"),
        ('id = "van-07"', "", "unit.id` is missing"),
        ('realm = "training"', 'realm = "test"', "unit.realm"),
        ("scale = 60.0", "scale = 0", "clock.scale"),
        ('key = "oximeter-2"', 'key = "oximeter-1"', "share one key"),
        ("[unit]", "[unit", "line 1"),
        ('realm = "training"', 'realm = "production"\n', "training realm"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(tmp_path: Path, before: str, after: str, says: str) -> None:
    assert says in refusal(tmp_path, GOOD.replace(before, after)).sentence


@pytest.mark.parametrize(
    ("before", "after", "line", "next_step"),
    [
        ("scale = 60.0", 'scale = "fast"', 7, "Write a number, without quotes."),
        ("scale = 60.0", 'scale = "60"', 7, "Write a number, without quotes."),
        ("scale = 60.0", "scale = true", 7, "Write a number, without quotes."),
        ("simulated = true", 'simulated = "oui"', 18, "Write true or false, without quotes."),
        ('id = "van-07"', "id = 7", 2, 'Write it in quotes, as id = "…".'),
        ('quality = "rtc"', 'quality = "ntpd"', 6, 'Did you mean "ntp"?'),
        ('quality = "rtc"', 'quality = "x"', 6, "Write one of: none, operator, rtc, ntp, gnss, centre."),
        ('quality = "rtc"', "quality = rtc", 6, 'Put a text in quotes: key = "value".'),
        ('quality = "rtc"', 'quality\t"rtc"', 6, "There is a tab where = should stand: write key = value."),
        ('quality = "rtc"', 'quality: "rtc"', 6, "Write = in the place of the colon: key = value."),
        (
            'quality = "rtc"',
            "quality = “rtc”",
            6,
            'Put straight quotes (") in the place of the typographic ones.',
        ),
        ("[unit]", "\ufeff[unit]", 1, "Save the file without a byte-order mark, as plain UTF-8."),
        ("[clock]", "[unit]", 5, "It stands there twice: keep one of them."),
        ("scale = 60.0", 'profile = "2g"', 7, "`profile` belongs below [link]."),
        ("[clock]", "[nonsense]", 5, "Remove it."),
        ('key = "oximeter-2"', "", 14, "Add it to that [[device]]."),
        ('realm = "training"', "", 1, "Add it below [unit]."),
    ],
)
def test_each_mistake_has_its_line_and_what_was_meant(
    before: str, after: str, line: int, next_step: str
) -> None:
    found = examine(GOOD.replace(before, after, 1))
    assert isinstance(found, list)
    assert (found[0].line, found[0].next_step) == (line, next_step), found


def test_all_mistakes_are_found_at_once_and_tabs_around_words_are_none() -> None:
    wrong = GOOD.replace("scale = 60.0", "scale = 0\nqualty = 3").replace('port = "/dev/ttyUSB1"', "")
    found = examine(wrong)
    assert isinstance(found, list)
    assert [each.key for each in found] == ["clock.qualty", "clock.scale", "device.1.port"]
    assert isinstance(examine(GOOD.replace("quality = ", "\tquality\t=\t")), UnitConfig)
    deep = examine("a = " + "[" * 100_000)
    assert isinstance(deep, list)
    assert "TOML" in deep[0].sentence


def test_production_takes_neither_a_simulator_nor_a_scaled_clock(tmp_path: Path) -> None:
    production = GOOD.replace("training", "production").replace("scale = 60.0", "")
    assert "simulated" in refusal(tmp_path, production).sentence
    scaled = GOOD.replace("training", "production").replace("simulated = true", "")
    assert "scale" in refusal(tmp_path, scaled).sentence


BLUETOOTH = """
[radio]
backend = "virtual"
virtual = "unix:run/air"

[[device]]
key = "cuff-1"
kind = "sig-bp"
port = "ble:C0:FF:EE:00:00:01"
simulated = true
"""


def test_a_virtual_radio_belongs_to_training_and_to_simulated_devices(tmp_path: Path) -> None:
    path = tmp_path / "unit.toml"
    path.write_text(GOOD + BLUETOOTH, encoding="utf-8")
    config = load(path)
    assert config.virtual_radio(Places.at(tmp_path)) == f"unix:{tmp_path}/run/air"
    assert config.device[2].bluetooth
    assert not config.device[0].bluetooth
    bare = '[unit]\nid = "van-07"\nrealm = "production"\n'
    assert "virtual radio" in refusal(tmp_path, bare + BLUETOOTH.replace("simulated = true", "")).sentence
    without = BLUETOOTH.replace("simulated = true", "")
    assert "simulated" in refusal(tmp_path, GOOD + without).sentence
    nowhere = BLUETOOTH.replace('virtual = "unix:run/air"', "")
    assert "radio.virtual" in refusal(tmp_path, GOOD + nowhere).sentence
    abroad = BLUETOOTH.replace("unix:run/air", "tcp:example.org:80")
    assert "radio.virtual" in refusal(tmp_path, GOOD + abroad).sentence


def test_production_enrols_a_bluetooth_device_by_its_address(tmp_path: Path) -> None:
    unit = '[unit]\nid = "van-07"\nrealm = "production"\n'
    device = '[[device]]\nkey = "cuff-1"\nkind = "sig-bp"\nport = "ble:c0:ff:ee:00:00:01"\n'
    path = tmp_path / "unit.toml"
    path.write_text(unit + device, encoding="utf-8")
    assert load(path).virtual_radio(Places.at(tmp_path)) is None
    for port in ("ble:any", "ble:name:Polar", "ble:C0:FF"):
        assert "address" in refusal(tmp_path, unit + device.replace("ble:c0:ff:ee:00:00:01", port)).sentence


def test_no_configuration_means_no_unit_here(tmp_path: Path) -> None:
    with pytest.raises(ConfigMissing) as error:
        load(tmp_path / "unit.toml")
    assert "unit init" in error.value.next_step


def test_the_first_configuration_is_written_once_and_reads_back(tmp_path: Path) -> None:
    places = Places.at(tmp_path / "home")
    write_initial(places, "van-07", "training")
    assert load(places.config).unit.realm == "training"
    with pytest.raises(ConfigRefused):
        write_initial(places, "van-08", "training")
    assert load(places.config).unit.id == "van-07"


def test_a_home_holds_everything_and_none_means_the_systems_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places.at(tmp_path)
    for field in Places.__dataclass_fields__:
        assert getattr(places, field).is_relative_to(tmp_path)
    system = Places.at(None)
    assert system.config == Path("/etc/qafila/unit.toml")
    assert system.socket == Path("/run/qafila/agent.sock")
    monkeypatch.setenv("QAFILA_HOME", str(tmp_path))
    assert Places.from_environment(None) == places


DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"


def test_the_reference_is_made_from_the_models() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert reference.put_into(text) == text, "run python -m edge.config.reference on it"
    assert reference.described(text) == reference.sections()


def test_a_device_in_single_brackets_is_told_of_the_double_ones(tmp_path: Path) -> None:
    error = refusal(tmp_path, GOOD.split("[[device]]", maxsplit=1)[0] + '[device]\nkey = "oximeter-1"\n')
    assert error.next_step == "Put its name in double brackets: [[device]]."


@pytest.mark.parametrize("unit", ["van\u202e70", "van\x1b[2J", "v" * 4000])
def test_a_name_that_is_refused_cannot_steer_what_shows_it(unit: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        check_unit(unit, "training")
    assert unit not in refused.value.sentence
    assert refused.value.sentence.isprintable()
