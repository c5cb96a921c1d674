"""What devices say, all of it on the screen: tiles, the list of what is stored, the list of devices."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.i18n.catalogue import LANGUAGES, load
from edge.localapi.shapes import PlaceShown
from tests.tui.tui_stage import app, drawn, in_order, settled, text
from tests.tui.tui_world import (
    NOW_MS,
    OBSERVATIONS,
    FakeAgent,
    Ticker,
    device,
    observation,
    reading,
)
from tui.device_book import DeviceBook
from tui.glyphs import Level, drawable
from tui.hub import Hub
from tui.monitor import NOTHING, Kind, Monitor
from tui.screens.capture import CaptureScreen
from tui.screens.devices import DevicesScreen
from tui.tiers import tier_of
from tui.widgets.flow import Part
from tui.widgets.scroller import fits, last_first, pieces
from tui.widgets.tile import TileView, words_of
from tui.widgets.tile_grid import arrangement

SIZES = ((50, 12), (60, 20), (80, 24), (99, 29), (100, 30), (120, 36), (139, 39), (140, 40), (160, 48))
TYPED = {"device": None, "source": "manual"}
EVERYTHING = (
    *[each.model_copy(update={"value": {"bp.sys": "260", "bp.dia": "160"}.get(each.code, each.value)})
      for each in OBSERVATIONS],
    observation(20, "rr", "45", "/min", 6, **TYPED),
    observation(21, "glucose", "599", "mg/dL", 7, device="meter-1"),
    observation(22, "weight", "249.9", "kg", 8, device="scale-1"),
    observation(23, "height", "195.5", "cm", 9, **TYPED),
    observation(24, "pain", "10", "{score}", 10, **TYPED),
)  # fmt: skip


def hub() -> Hub:
    return Hub(FakeAgent(), load("fr"), Level.BRAILLE, Ticker())


# ── tiles ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", LANGUAGES)
async def test_ten_tiles_are_whole_at_every_size_and_so_is_the_footer(language: str) -> None:
    agent = FakeAgent()
    agent.observations = list(EVERYTHING)
    agent.devices = (device("a", "nonin", battery=3), device("cuff-2", "suntech-nibp", on_command=True))
    screen = app(agent, language=language, level=Level.ASCII)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        agent.say(reading("a", {"spo2": "100", "pulse.spo2": "300"}), reading("b", {"hr": "299"}))
        screen.hub.situation.glass_until_s = screen.hub.now_s() + 1790
        await settled(pilot)
        point = screen.hub.say("number.point")
        for size in SIZES:
            await pilot.resize_terminal(*size)
            capture = screen.screen
            assert isinstance(capture, CaptureScreen)
            keys = [
                drawable(in_order(f"{key} {screen.hub.say(code)}", language), Level.ASCII)
                for key, code in capture.keys_now()
            ]
            values = ("260/160", "100", "300", "299", f"37{point}2", "45", "599", f"249{point}9")
            shown = await drawn(pilot, [*values, *keys])
            for value in values:
                assert re.search(rf"(?<![\d/]){re.escape(value)}(?![\d/])", shown), (size, value, shown)
            tiles = [tile for tile in capture.query(TileView) if tile.size.area]
            assert len(tiles) == (0 if size == (50, 12) else 10), size
            assert all(tile.region.bottom <= capture.footer.region.y for tile in tiles), size
            for kind, value in (
                ("height", f"195{point}5"),
                ("pain", "10"),
            ):  # never big, so beside their names
                name = drawable(in_order(screen.hub.say(f"tile.{kind}"), language).strip(), Level.ASCII)
                beside = rf"{re.escape(name)} {value}"
                if language == "ar":  # the name stands at the right of the number and its unit
                    beside += rf"|{value}(?: \S+)? {re.escape(name)}"
                assert re.search(beside, shown), (size, value, shown)
            assert capture.keys_now()[0] == ("F3", "key.cuff")
            assert len(capture.keys_now()) == (9 if size == (50, 12) else 16)
            assert all(each in shown for each in keys), (size, shown)
            for header in (
                screen.hub.say("header.battery", devices="a"),
                screen.hub.say("header.glass", left="29 min"),
            ):
                assert drawable(in_order(header, language), Level.ASCII) in shown, size


@given(width=st.integers(60, 240), height=st.integers(20, 70), count=st.integers(4, len(Kind)))
def test_every_tile_has_a_place_as_wide_as_the_longest_value(width: int, height: int, count: int) -> None:
    chosen = arrangement(tier_of(width, height), width, count)
    assert chosen.big + chosen.plain * chosen.rows >= count
    assert len(chosen.columns.split()) == max(1, chosen.big)
    fractions = [int(part.removesuffix("fr")) for part in chosen.columns.split()]
    narrowest = width * min(fractions) // sum(fractions)
    assert not chosen.big or narrowest - 4 >= len("260/160"), "a frame and a blank on both sides"
    assert not chosen.rows or width // chosen.plain - 2 >= len("Glycémie 599 mg/dL")


def test_a_tile_comes_with_its_first_number() -> None:
    monitor = Monitor()
    assert monitor.kinds() == (Kind.PRESSURE, Kind.OXYGEN, Kind.PULSE, Kind.HEART)
    monitor.hear(reading("scale-1", {"weight": "64.2"}, finished=True), 1.0)
    assert Kind.WEIGHT in monitor.kinds()
    assert monitor.tile(Kind.WEIGHT, 60.0).value == "64.2"


def test_a_measurement_that_is_over_stays_and_a_display_does_not() -> None:
    monitor = Monitor()
    monitor.hear(reading("thermometer-1", {"temp": "36.7"}, finished=True), 100.0)
    assert monitor.tile(Kind.TEMPERATURE, 400.0).value == "36.7"
    monitor.hear(reading("board-1", {"temp": "34.1"}), 401.0)
    assert monitor.tile(Kind.TEMPERATURE, 402.0).value == "34.1"
    tile = monitor.tile(Kind.TEMPERATURE, 412.0)
    assert (tile.value, tile.stale) == (NOTHING, True), "the probe has fallen silent"
    monitor.hear(reading("oximeter-2", {"spo2": "97"}, finished=True), 500.0)
    assert monitor.tile(Kind.OXYGEN, 560.0).value == "97"
    monitor.hold([observation(12, "spo2", "97", "%", 2, wall_ms=NOW_MS)], 560.0, NOW_MS)
    assert monitor.tile(Kind.OXYGEN, 590.0).value == "97", "stored is no reason to forget it"


def test_an_empty_cuff_is_not_pumping() -> None:
    monitor = Monitor()
    monitor.hear(reading("cuff-2", {"bp.cuff": "0"}), 100.0)
    assert monitor.pumping(100.0) == frozenset()
    assert monitor.tile(Kind.PRESSURE, 100.0).pumping is None
    monitor.hear(reading("cuff-2", {"bp.cuff": "148"}), 101.0)
    assert monitor.pumping(101.0) == frozenset({"cuff-2"})
    assert monitor.tile(Kind.PRESSURE, 101.0).pumping == "148"
    monitor.hear(reading("cuff-2", {"bp.sys": "118", "bp.dia": "76"}, finished=True), 101.5)
    assert monitor.pumping(101.6) == frozenset()


def test_a_low_battery_is_said_at_the_number_it_will_take_away() -> None:
    at, monitor = hub(), Monitor()
    at.situation.devices = {"oximeter-1": device("oximeter-1", "nonin", battery=7)}
    monitor.hear(reading("oximeter-1", {"spo2": "97"}), 1.0)
    assert words_of(monitor.tile(Kind.OXYGEN, 1.0), at, present=True).note == "pile faible"
    at.situation.devices = {"oximeter-1": device("oximeter-1", "nonin", battery=70)}
    assert words_of(monitor.tile(Kind.OXYGEN, 1.0), at, present=True).note != "pile faible"


# ── the list of what is stored ──────────────────────────────────────────────────────────────────


@given(heights=st.lists(st.integers(1, 9), max_size=30), room=st.integers(1, 12))
def test_moving_down_shows_every_line_once_and_no_entry_in_parts_that_fits(
    heights: list[int], room: int
) -> None:
    entries = [
        [[Part(f"{number}/{line}")] for line in range(height)] for number, height in enumerate(heights)
    ]
    shown = pieces(entries, room)
    seen: list[str] = []
    first = 0
    while first < len(shown):
        count = fits(shown, first, room)
        assert count >= 1
        window = shown[first : first + count]
        assert sum(len(piece.lines) for piece in window) <= room
        seen += [line[0].text for piece in window for line in piece.lines]
        first += count
    assert seen == [line[0].text for entry in entries for line in entry]
    assert all(len(piece.lines) == heights[piece.entry] or heights[piece.entry] > room for piece in shown)
    last = last_first(shown, room)
    assert last + fits(shown, last, room) == len(shown)
    fuller = shown[last - 1 :] if last else []
    assert not last or sum(len(piece.lines) for piece in fuller) > room, "nobody moves past the last page"


async def test_every_record_is_reached_with_keys_and_one_that_comes_moves_nothing() -> None:
    agent = FakeAgent()
    agent.observations = [
        observation(n, "weight", f"{50 + n}", "kg", n, device=f"scale-{n:02}") for n in range(1, 31)
    ]
    screen = app(agent, language="en")
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        seen: set[str] = set()
        for _ in range(30):
            seen |= set(re.findall(r"scale-\d\d", text(pilot)))
            await pilot.press("down")
        await settled(pilot)
        assert seen == {f"scale-{n:02}" for n in range(1, 31)}
        assert "▲ 26" in text(pilot)
        await pilot.press("pageup")
        await settled(pilot)
        before = re.findall(r"scale-\d\d", text(pilot))
        agent.observations.append(observation(40, "weight", "99", "kg", 40, device="scale-40"))
        screen.screen.read()  # type: ignore[attr-defined]  # it is the capture screen
        await settled(pilot)
        assert re.findall(r"scale-\d\d", text(pilot)) == before
        await pilot.press("home")
        await settled(pilot)
        assert "scale-40" in text(pilot)


# ── the list of devices ─────────────────────────────────────────────────────────────────────────


async def test_every_device_says_what_it_says_though_no_tile_follows_it() -> None:
    agent, clock = FakeAgent(), Ticker()
    agent.devices = tuple(device(f"oximeter-{n}", "nonin", battery=n * 9) for n in range(1, 7))
    agent.place = PlaceShown(latitude="33.533", longitude="-5.100")
    agent.observations = [observation(5, "spo2", "91", "%", 5, device="oximeter-6")]
    screen = app(agent, clock=clock)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        for n in range(1, 6):
            agent.say(reading(f"oximeter-{n}", {"spo2": f"{90 + n}"}))
        await settled(pilot)
        await pilot.press("f6")
        await settled(pilot)
        assert isinstance(screen.screen, DevicesScreen)
        shown = text(pilot)
        for n in range(1, 6):
            assert re.search(rf"oximeter-{n}  nonin  présent .*SpO₂ {90 + n}", shown), shown
        assert re.search(r"oximeter-6 .*SpO₂ 91 %\s+✓ noté 15:31", shown), shown
        assert "PILE 9 %" in shown
        assert "pile 18 %" in shown
        assert "33.533 ; -5.100" in shown
        clock.s += 12
        agent.beat()
        await settled(pilot)
        shown = text(pilot)
        assert "SpO₂ 95" not in shown, "what a display said twelve seconds ago is no value of now"
        assert "-- depuis 12 s" in shown
        await pilot.press("escape")
        await settled(pilot)
        assert isinstance(screen.screen, CaptureScreen)


def test_what_comes_out_of_a_memory_is_no_devices_present_word() -> None:
    book = DeviceBook()
    book.hear(reading("cuff-1", {"bp.sys": "118"}, finished=True).model_copy(update={"old": True}), 1.0)
    assert book.said("cuff-1", 1.0).groups == ()
    assert book.said("cuff-1", 1.0).remembered
    book.hear(reading("cuff-2", {"bp.cuff": "150"}), 1.0)
    assert book.said("cuff-2", 1.0).groups == ()
    book.hear(reading("monitor-1", {"bp.sys": "118", "bp.dia": "76"}, finished=True), 10.0)
    book.hear(reading("monitor-1", {"spo2": "98"}), 70.0)
    now, before = book.said("monitor-1", 71.0).groups
    assert (now.parts[0][:2], now.age_s) == (("spo2", "98"), 1.0)
    assert (before.parts[0][:2], before.age_s) == (("bp", "118/76"), 61.0), "each with its own age"
    old = observation(1, "bp.sys", "118", "mm[Hg]", 1, device="cuff-1", flags=("from-memory",), old=True)
    book.hold([old])
    row = book.said("cuff-1", 1.0).row
    assert row is not None
    assert row.old


# ── clocks ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("language", "said", "own"), [
    ("fr", "unité : 3 min de retard sur le GPS", "son horloge avançait de 1 h 02"),
    ("en", "Clock of the unit: 3 min behind GPS", "its clock was 1 h 02 ahead"),
])  # fmt: skip
@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_clocks_that_are_off_are_said_on_the_page_of_the_devices(
    language: str, said: str, own: str, size: tuple[int, int]
) -> None:
    agent = FakeAgent()
    agent.off_ms = 180_400
    agent.devices = (device("cuff-1", "sig-bp"), device("meter-1", "sig-glucose"))
    agent.observations = [
        *OBSERVATIONS,
        observation(30, "glucose", "91", "mg/dL", 9, device="meter-1", clock_off_s=59),
        observation(31, "bp.sys", "142", "mm[Hg]", 11, device="cuff-1", clock_off_s=3725),
    ]
    async with app(agent, language=language).run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press("f6")
        await settled(pilot)
        shown = text(pilot)
        assert said in shown
        assert shown.count(own) == 1, "a minute is no difference: many a clock shows no seconds"
        agent.off_ms = -1999
        pilot.app.hub.situation.look_at_devices(await agent.status())  # type: ignore[attr-defined]  # it is ours
        await settled(pilot)
        assert "GPS" not in text(pilot)


@pytest.mark.parametrize(("language", "why"), [
    ("fr", ("absent : L.appareil ne dit rien.", "absent : some-driver")),
    ("en", (r"gone: The device[^.]+\.", "gone: some-driver")),
])  # fmt: skip
async def test_why_a_device_is_gone_is_a_sentence_and_else_the_code_of_its_driver(
    language: str, why: tuple[str, str]
) -> None:
    agent = FakeAgent()
    agent.devices = tuple(
        device(key, "sig-bp").model_copy(update={"state": "gone", "code": code})
        for key, code in (("cuff-1", "device-silent"), ("cuff-2", "some-driver"))
    )
    async with app(agent, language=language).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f6")
        await settled(pilot)
        for each in why:
            assert re.search(each, text(pilot)), text(pilot)
