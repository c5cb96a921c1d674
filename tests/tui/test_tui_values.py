"""The pure part of the screen: what is typed, what is shown, how old it is, how far it has come."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from edge.i18n.catalogue import load
from edge.localapi.events import Heartbeat, StreamsEvent
from edge.vitals.codes import Code
from tests.tui.tui_world import NOW_MS, OBSERVATIONS, FakeAgent, Ticker, observation, reading, stream
from tui.glyphs import Level, drawable, level_of
from tui.hub import Hub
from tui.monitor import NOTHING, Kind, Monitor, Tile
from tui.records import rows
from tui.situation import SILENT_AFTER_S, Situation
from tui.tiers import Tier, tier_of
from tui.typed import age_years, read_birth, read_number
from tui.widgets.flow import Part, flow
from tui.widgets.record_list import row_lines
from tui.widgets.tile import tile_rows, words_of

TODAY = datetime.date(2026, 10, 27)
EXTREMES = ("260/160", "300/200", "100", "300", "43,0", "45.0", "0", NOTHING)


def hub() -> Hub:
    return Hub(FakeAgent(), load("fr"), Level.BRAILLE, Ticker())


@pytest.mark.parametrize(
    ("code", "typed", "number"),
    [
        (Code.TEMPERATURE, "372", "37.2"),
        (Code.TEMPERATURE, "37,2", "37.2"),
        (Code.TEMPERATURE, " 37.2 ", "37.2"),
        (Code.TEMPERATURE, "37", "37"),
        (Code.SYSTOLIC, "142", "142"),
        (Code.WEIGHT, "3,25", None),
        (Code.SYSTOLIC, "14a", None),
        (Code.SYSTOLIC, "-1", None),
        (Code.SYSTOLIC, "1e3", None),
        (Code.SYSTOLIC, "", None),
        (Code.SYSTOLIC, "١٤٢", "142"),
    ],
)
def test_numbers_as_people_type_them(code: Code, typed: str, number: str | None) -> None:
    assert read_number(code, typed) == number


@pytest.mark.parametrize(
    ("typed", "birth"),
    [
        ("1978", "1978"),
        ("051978", "1978-05"),
        ("12051978", "1978-05-12"),
        ("12/05/1978", "1978-05-12"),
        ("47", "1979"),
        ("0", "2026"),
        ("31021978", None),
        ("2031", None),
        ("28102026", None),
        ("150", None),
        ("hier", None),
        ("", None),
    ],
)
def test_births_as_people_type_them(typed: str, birth: str | None) -> None:
    assert read_birth(typed, TODAY) == birth


@given(st.text(max_size=12))
def test_no_text_is_a_birth_that_the_agent_would_not_take(typed: str) -> None:
    birth = read_birth(typed, TODAY)
    assert birth is None or age_years(birth, TODAY) is not None


def test_a_stream_without_news_for_ten_seconds_is_no_number() -> None:
    monitor = Monitor()
    monitor.hear(reading("oximeter-1", {"spo2": "97"}), 100.0)
    assert monitor.tile(Kind.OXYGEN, 110.0).value == "97"
    tile = monitor.tile(Kind.OXYGEN, 110.1)
    assert (tile.value, tile.stale) == (NOTHING, True)
    assert "10 s" in words_of(tile, hub(), present=True).note


def test_of_two_sensors_the_worn_one_is_shown_and_goes_on_being_shown() -> None:
    monitor = Monitor()
    for second in range(3):
        monitor.hear(reading("oximeter-1", {"spo2": None}, missing="sensor-off"), 100.0 + second)
        monitor.hear(reading("oximeter-2", {"spo2": "97"}), 100.2 + second)
        monitor.hear(reading("oximeter-3", {"spo2": "91"}), 100.4 + second)
        monitor.hear(reading("oximeter-1", {"spo2": None}, missing="sensor-off"), 100.6 + second)
        assert monitor.tile(Kind.OXYGEN, 100.7 + second).value == "97"
    monitor.hear(reading("oximeter-2", {"spo2": None}, missing="sensor-off"), 103.0)
    assert monitor.tile(Kind.OXYGEN, 103.0).value == "91"
    monitor.hear(reading("oximeter-3", {"spo2": None}, missing="searching"), 103.5)
    tile = monitor.tile(Kind.OXYGEN, 103.6)
    assert (tile.value, tile.missing) == (NOTHING, "searching")


def test_a_loose_electrode_is_said_of_the_heart_alone() -> None:
    monitor = Monitor()
    said = reading("board-1", {"spo2": "97", "hr": "71"}).model_copy(update={"flags": ("lead-off",)})
    monitor.hear(said, 100.0)
    assert monitor.tile(Kind.OXYGEN, 100.0).flags == ()
    assert monitor.tile(Kind.HEART, 100.0).flags == ("lead-off",)


def test_a_sensor_that_is_off_shows_why_and_never_the_last_number() -> None:
    monitor = Monitor()
    monitor.hear(reading("oximeter-1", {"spo2": "97"}), 100.0)
    monitor.hear(reading("oximeter-1", {"spo2": None}, missing="sensor-off"), 101.0)
    tile = monitor.tile(Kind.OXYGEN, 101.5)
    assert (tile.value, tile.missing) == (NOTHING, "sensor-off")


def test_a_cuff_that_is_pumping_shows_its_pressure_beside_the_number_never_as_one() -> None:
    monitor = Monitor()
    monitor.hold(OBSERVATIONS, 1000.0, NOW_MS)
    monitor.hear(reading("cuff-1", {"bp.cuff": "150"}), 1000.0)
    tile = monitor.tile(Kind.PRESSURE, 1001.0)
    assert tile.value == "142/91"
    assert words_of(tile, hub(), present=True).note == "brassard 150"
    assert monitor.tile(Kind.PRESSURE, 1004.0).pumping is None


def test_half_a_pressure_is_none() -> None:
    monitor = Monitor()
    monitor.hear(reading("cuff-1", {"bp.sys": "142", "bp.dia": None}, missing="invalid"), 100.0)
    tile = monitor.tile(Kind.PRESSURE, 100.0)
    assert (tile.value, tile.missing) == (NOTHING, "invalid")


def test_what_is_stored_is_shown_with_its_age_and_temperature_only_when_there_is_one() -> None:
    monitor = Monitor()
    assert Kind.TEMPERATURE not in monitor.kinds()
    monitor.hold(OBSERVATIONS, 1000.0, NOW_MS)
    assert Kind.TEMPERATURE in monitor.kinds()
    tile = monitor.tile(Kind.PRESSURE, 1000.0)
    assert (tile.value, tile.age_s) == ("142/91", 60.0)
    assert monitor.tile(Kind.PRESSURE, 1000.0 + 15 * 60).value == NOTHING
    assert monitor.tile(Kind.OXYGEN, 1000.0).value == NOTHING, (
        "a stored stream value is not what is shown now"
    )
    assert monitor.tile(Kind.TEMPERATURE, 1000.0).manual


OLD = {"old": True, "flags": ("from-memory",), "device": "cuff-1", "source": "device"}


def test_what_comes_out_of_a_memory_is_never_the_present_value() -> None:
    monitor = Monitor()
    monitor.hear(reading("cuff-1", {"bp.sys": "118", "bp.dia": "76"}).model_copy(update={"old": True}), 1.0)
    assert monitor.tile(Kind.PRESSURE, 1.0) == Tile(Kind.PRESSURE)
    just_now = [
        observation(10, "bp.sys", "118", "mm[Hg]", 1, wall_ms=NOW_MS, **OLD),
        observation(11, "bp.dia", "76", "mm[Hg]", 1, wall_ms=NOW_MS, **OLD),
    ]
    monitor.hold(just_now, 1.0, NOW_MS)
    assert monitor.tile(Kind.PRESSURE, 1.0) == Tile(Kind.PRESSURE)
    monitor.hold([*just_now, *OBSERVATIONS[:2]], 1.0, NOW_MS)
    assert monitor.tile(Kind.PRESSURE, 1.0).value == "142/91"


@pytest.mark.parametrize(
    ("device_time", "off_s", "shown"),
    [
        ("2026-11-20T07:31:00", None, "20/11/2026 07:31 ancien"),
        ("2026-11-20T00:15:00", 3600, "19/11/2026 23:15 ancien"),
        ("TODAY07:31:00", 0, "07:31 ancien"),
        (None, None, "heure ? ancien"),
        ("0001-01-01T00:00:00", 3600, "heure ? ancien"),
    ],
)
def test_an_old_record_shows_its_own_time_and_that_it_is_old(
    device_time: str | None, off_s: int | None, shown: str
) -> None:
    at = hub()
    at.situation.hear(Heartbeat(wall_ms=NOW_MS), at.now_s())
    if device_time is not None:
        device_time = device_time.replace("TODAY", f"{at.today().isoformat()}T")
    kept = observation(
        10, "bp.sys", "118", "mm[Hg]", 1, wall_ms=NOW_MS, device_time=device_time, clock_off_s=off_s, **OLD
    )
    for width in (20, 56, 76):
        text = " ".join(part.text for line in row_lines(rows([kept], None)[0], at, width) for part in line)
        assert text.startswith(f"{shown} ")
        assert f"{at.local(NOW_MS):%H:%M}" not in text


def test_records_of_one_reading_are_one_row_and_as_far_as_their_last() -> None:
    made = rows(OBSERVATIONS, stream(15, 13, 12, 11))
    assert [row.state for row in made] == ["saved", "saved", "sent", "received"]
    assert made[-1].parts == (("bp", "142/91", "mmHg"),)
    assert [row.state for row in rows(OBSERVATIONS, stream(15, 15, 15, 12))][2:] == ["arrived", "received"]


def test_a_record_without_a_number_is_shown_with_its_reason() -> None:
    missing = observation(1, "spo2", "", "%", 1).model_copy(update={"value": None, "missing": "invalid"})
    text = " ".join(part.text for line in row_lines(rows([missing], None)[0], hub(), 76) for part in line)
    assert "non valable" in text


@given(width=st.integers(30, 160), seed=st.integers(0, 10**6))
def test_values_and_state_of_a_record_are_whole_at_every_width(width: int, seed: int) -> None:
    named = observation(1, "glucose", f"{seed % 1000}", "mg/dL", 1, device=f"meter-{seed}" * (seed % 4 + 1))
    both = rows([named, *(each.model_copy(update={"reading": 1}) for each in OBSERVATIONS[:4])], None)[0]
    lines = row_lines(both, hub(), width)
    flat = [" ".join(part.text for part in line) for line in lines]
    assert all(cell_len(line.rstrip()) <= width for line in flat)
    for value in ("142/91 mmHg", "97 %", "74 /min", f"{seed % 1000} mg/dL", "enregistré"):
        assert any(value in line for line in flat)


@given(
    value=st.sampled_from(EXTREMES) | st.from_regex(r"[0-9]{1,3}(/[0-9]{1,3}|[.,][0-9])?", fullmatch=True),
    width=st.integers(7, 60),
    height=st.integers(2, 6),
    level=st.sampled_from(Level),
    kind=st.sampled_from(Kind),
    present=st.booleans(),
)
def test_no_number_of_a_tile_is_ever_cut(
    value: str, width: int, height: int, level: Level, kind: Kind, present: bool
) -> None:
    words = words_of(Tile(kind, value, 3.0, settled=True), hub(), present=present)
    drawn = tile_rows(words, width, height, level)
    assert len(drawn) <= max(height, 4)
    assert all(cell_len(text) <= width for text, _ in drawn)
    shown = [text for text, is_value in drawn if is_value]
    if len(shown) == 3:
        from tui.widgets.big_number import big

        assert tuple(shown) == big(words.value)
    else:
        assert words.value in "".join(shown)


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=30))
)
def test_words_of_a_bar_are_never_cut_where_they_fit(words: list[str]) -> None:
    lines = flow([Part(word) for word in words], 40)
    assert [part.text for line in lines for part in line] == words or any(cell_len(w) > 40 for w in words)
    assert all(sum(cell_len(p.text) for p in line) + 2 * (len(line) - 1) <= 40 for line in lines if line)


@pytest.mark.parametrize(
    ("size", "tier"),
    [
        ((59, 40), Tier.TINY),
        ((60, 19), Tier.TINY),
        ((60, 20), Tier.SMALL),
        ((99, 29), Tier.SMALL),
        ((200, 29), Tier.SMALL),
        ((100, 30), Tier.MEDIUM),
        ((139, 60), Tier.MEDIUM),
        ((140, 40), Tier.LARGE),
    ],
)
def test_tiers(size: tuple[int, int], tier: Tier) -> None:
    assert tier_of(*size) is tier


@pytest.mark.parametrize(
    ("environment", "level"),
    [
        ({"TERM": "linux"}, Level.BOX),
        ({"TERM": "xterm-256color", "LANG": "fr_FR.UTF-8"}, Level.BRAILLE),
        ({"TERM": "xterm", "LANG": "fr_FR.ISO-8859-1"}, Level.ASCII),
        ({"TERM": "dumb"}, Level.ASCII),
        ({}, Level.ASCII),
        ({"TERM": "foot"}, Level.BRAILLE),
    ],
)
def test_the_kind_of_terminal_decides_what_is_drawn(environment: dict[str, str], level: Level) -> None:
    assert level_of(environment) is level


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=40))
def test_ascii_is_ascii_and_as_wide(text: str) -> None:
    drawn = drawable(text, Level.ASCII)
    assert drawn.isascii()
    assert cell_len(drawn) == sum(cell_len(character) for character in text)


def test_an_agent_that_is_silent_is_gone_within_two_seconds() -> None:
    situation = Situation(connected=True)
    situation.hear(Heartbeat(wall_ms=NOW_MS), 100.0)
    situation.person = object()  # type: ignore[assignment]  # whoever
    assert situation.present(100.0 + SILENT_AFTER_S - 0.01)
    assert not situation.present(100.0 + SILENT_AFTER_S)
    assert SILENT_AFTER_S + 0.2 < 2.0, "the tick that notices comes on top"


def test_the_beginning_of_a_stream_is_nobodys_record() -> None:
    situation = Situation()
    situation.hear(StreamsEvent(streams={"vitals": stream(1, 0, 0, 0), "alert": stream(1, 0, 0, 0)}), 1.0)
    assert (situation.queued, situation.queued_alerts) == (0, 0)
    situation.hear(StreamsEvent(streams={"vitals": stream(5, 0, 0, 0), "alert": stream(2, 0, 0, 0)}), 1.0)
    assert (situation.queued, situation.queued_alerts) == (5, 1)
