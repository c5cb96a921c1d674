"""The screens at work, on a made-up agent: keys in, what a nurse sees out."""

import datetime
import re
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input

from edge.i18n.catalogue import LANGUAGES
from edge.localapi.answers import Status
from edge.ports.caller import CallRefused
from tests.tui.tui_stage import app, drawn, in_order, measuring, settled, text, typed
from tests.tui.tui_world import (
    NOW_MS,
    OBSERVATIONS,
    PATIENTS,
    PIN,
    FakeAgent,
    Ticker,
    patient,
    reading,
    stream,
)
from tui import theme
from tui.glyphs import Level, drawable
from tui.monitor import Kind
from tui.records import SYMBOLS
from tui.screens.capture import CaptureScreen
from tui.screens.entry import Entry
from tui.screens.patients import PatientsScreen
from tui.screens.sign_in import SignInScreen
from tui.widgets.tile import TileView

SIZES = ((60, 20), (80, 24), (99, 29), (100, 30), (120, 36), (139, 39), (140, 40), (160, 48), (50, 12))


def at_once(pilot: Pilot[Any], keys: str) -> None:
    """All of them in the queue before the first is taken; `Pilot.press` waits after each."""
    driver = pilot.app._driver
    assert driver is not None
    for key in keys:
        event = Key(key, key)
        event.set_sender(pilot.app)
        driver.send_message(event)


async def test_sign_in_takes_a_burst_and_forgets_the_pin() -> None:
    agent = FakeAgent()
    screen = app(agent, signed_in=False, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await typed(pilot, f"fatima\n{PIN}\n")
        assert isinstance(screen.screen, PatientsScreen)
        assert ("sign-in", "fatima") in agent.calls


async def test_a_pin_entered_before_the_agent_is_there_is_tried_when_it_is() -> None:
    agent = FakeAgent()
    agent.there = False
    screen = app(agent, signed_in=False, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "agent ne répond pas" in text(pilot)
        await typed(pilot, f"fatima\n{PIN}\n")
        agent.there = True
        await pilot.pause(0.6)
        await settled(pilot)
        assert isinstance(screen.screen, PatientsScreen)


async def test_a_wrong_pin_is_told_in_the_language_and_the_line_is_empty_again() -> None:
    screen = app(signed_in=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await typed(pilot, "fatima\n000000\n")
        assert "Utilisateur ou PIN faux" in text(pilot)
        assert screen.screen.query_one("#pin", Input).value == ""
        assert "000000" not in text(pilot)


async def test_patients_of_today_and_typing_narrows_them() -> None:
    yesterday = patient(200, "Ancien", "Ali")
    agent = FakeAgent(open_visit=False)
    agent.people.append(yesterday)
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        shown = text(pilot)
        assert "Aït Lahcen Fatima" in shown
        assert "Ancien" not in shown
        await typed(pilot, "ait lah")
        assert "Aït Lahcen" in text(pilot)
        assert "Benkirane" not in text(pilot)
        await pilot.press("escape", "f3")
        await settled(pilot)
        assert "Ancien" in text(pilot)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 36)])
async def test_the_queue_says_who_may_come_first_and_how_far_it_has_come(size: tuple[int, int]) -> None:
    agent = FakeAgent(open_visit=False)
    said = ((0, "red", 3, 6), (1, "green", 2, 2), (2, None, 0, 1))
    agent.scripted["visit.list"] = {
        "visits": tuple(
            {
                "encounter": PATIENTS[at].patient, "patient": PATIENTS[at].patient, "opened_ms": NOW_MS,
                "closed_ms": NOW_MS, "readings": readings, "received": received, "triage": level,
                "rule": "news2 2017-1", "waiting": 0,
            }
            for at, level, received, readings in said
        )
    }  # fmt: skip
    screen = app(agent, capture=False)
    async with screen.run_test(size=size) as pilot:
        await settled(pilot)
        rows = [line for line in text(pilot).splitlines() if re.match(r"│ +[1-4]  ", line)]
        assert [row.split()[3] for row in rows] == ["R", "V", "-", "-"]
        for row, one in zip(rows, PATIENTS, strict=True):
            assert one.birth is None or one.birth in row, "a date is whole or not there"
            assert one.family[:7] in row
        for row, count in zip(rows, ("3/6", "2/2", "0/1", "reçu"), strict=True):
            assert count in row, row


async def test_a_patient_is_named_twice_before_a_visit_opens() -> None:
    agent = FakeAgent(open_visit=False)
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await typed(pilot, "2")
        shown = text(pilot)
        assert "Benkirane Omar" in shown
        assert "CNIE JB482902" in shown
        assert not any(method == "open" for method, _ in agent.calls)
        agent.open_visit = True
        await typed(pilot, "\n")
        assert isinstance(screen.screen, CaptureScreen)
        assert [what[1] for method, what in agent.calls if method == "open"] == [PATIENTS[1].patient]


async def test_a_digit_within_what_is_typed_is_no_choice() -> None:
    screen = app(FakeAgent(open_visit=False), capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await typed(pilot, "jb482903\n")
        shown = text(pilot)
        assert "El M'hamdi Zoé-Maëlle" in shown
        assert "CNIE JB482903" in shown


async def test_a_digit_that_comes_with_the_letters_before_it_is_no_choice() -> None:
    """As a scanner types: the line has not yet taken the letters when the digit comes."""
    screen = app(FakeAgent(open_visit=False), capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        at_once(pilot, "jb482")
        await settled(pilot)
        assert isinstance(screen.screen, PatientsScreen), "the 4 opened the fourth row"
        assert screen.screen.query_one("#search", Input).value == "jb482"


async def test_another_visit_that_is_open_is_said_and_offered_first() -> None:
    agent = FakeAgent()
    agent.refuse["open"] = [CallRefused("Another visit is open.", code="encounter-open")]
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "visite ouverte" in text(pilot)
        await typed(pilot, "2\n")
        assert "Une autre visite est ouverte" in text(pilot)


async def test_a_value_is_sent_and_one_that_is_rare_only_after_a_second_enter() -> None:
    agent = FakeAgent()
    agent.refuse["observe"] = [
        CallRefused("Rare.", code="value-needs-confirmation", about=("bp.dia", "bp.pair"))
    ]
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f4")
        await typed(pilot, "1142\n30\n")
        assert "diastolique" in text(pilot)
        await typed(pilot, "\n")
        first, second = [what for method, what in agent.calls if method == "observe"]
        assert first[1:] == ({"bp.sys": "142", "bp.dia": "30"}, ())
        assert second[1:] == ({"bp.sys": "142", "bp.dia": "30"}, ("bp.dia", "bp.pair"))
        assert first[0] != second[0], "another command has another id"
        assert "Enregistré : PNI 142/30" in text(pilot)
        await typed(pilot, "4372\n")
        assert agent.calls[-1][1][1] == {"temp": "37.2"}


async def test_a_value_that_cannot_be_is_refused_in_words_and_stays_to_be_corrected() -> None:
    agent = FakeAgent()
    agent.refuse["observe"] = [CallRefused("No.", code="value-refused", about=("spo2",))]
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f4")
        await typed(pilot, "2101\n")
        assert "Cette valeur est impossible. (saturation)" in text(pilot)
        assert isinstance(screen.screen, Entry)
        assert screen.screen.query_one(Input).value == "101"


async def test_closing_asks_once_and_goes_back_to_the_patients() -> None:
    agent = FakeAgent()
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await typed(pilot, "\n")
        assert isinstance(screen.screen, CaptureScreen)
        await pilot.press("f12")
        await settled(pilot)
        assert "Clore la visite" in text(pilot)
        await typed(pilot, "\n")
        assert isinstance(screen.screen, PatientsScreen)
        assert any(method == "close" for method, _ in agent.calls)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_value_and_key_is_whole_at_every_size(language: str) -> None:
    agent = FakeAgent()
    extremes = {"bp.sys": "260", "bp.dia": "160", "temp": "43.0"}
    agent.observations = [
        each.model_copy(update={"value": extremes.get(each.code, each.value)}) for each in OBSERVATIONS
    ]
    screen = app(agent, language=language, level=Level.ASCII)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        agent.say(reading("a", {"spo2": "100", "pulse.spo2": "300"}), reading("b", {"hr": "300"}))
        await settled(pilot)
        for size in SIZES:
            await pilot.resize_terminal(*size)
            capture = screen.screen
            assert isinstance(capture, CaptureScreen)
            words = (
                *(f"{key} {screen.hub.say(code)}" for key, code in capture.keys_now()),
                *("van-07", screen.hub.say("header.training"), "JB482901", "Aït Lahcen Fatima", "⇅ 3"),
            )
            point = screen.hub.say("number.point")
            words = tuple(in_order(each, language) for each in words)
            values = ("260/160", "100", "300", f"43{point}0")
            shown = await drawn(pilot, [*values, *(drawable(each, Level.ASCII) for each in words)])
            for value in values:
                assert re.search(rf"(?<![\d/]){re.escape(value)}(?![\d/])", shown), (size, value, shown)
            for each in words:
                assert drawable(each, Level.ASCII) in shown, (size, each, shown)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 36)], ids=str)
async def test_names_of_any_length_hide_neither_identifier_nor_keys(size: tuple[int, int]) -> None:
    screen = app()
    async with screen.run_test(size=size) as pilot:
        await settled(pilot)
        capture = screen.screen
        assert isinstance(capture, CaptureScreen)
        capture.header.patient = PATIENTS[0].model_copy(update={"family": "Aït-" * 30})
        await settled(pilot)
        shown = text(pilot)
        assert "…" in shown
        assert "CNIE JB482901" in shown
        assert "F10 menu" in shown


async def test_an_agent_that_dies_greys_every_number_and_comes_back_by_itself() -> None:
    agent, clock = FakeAgent(), Ticker()
    screen = app(agent, clock=clock)
    async with screen.run_test(size=(120, 36)) as pilot:
        await measuring(pilot)
        tile = screen.screen.query_one(f"#tile-{Kind.OXYGEN}", TileView)
        colours = {segment.style.color.name for segment in tile.render_line(0) if segment.style}  # type: ignore[union-attr]  # every segment has one
        assert colours == {theme.OXYGEN}
        agent.die()
        await settled(pilot)
        shown = [tile for tile in screen.screen.query(TileView) if tile.size.area]
        assert len(shown) == 5
        for tile in shown:
            for segment in tile.render_line(0):
                assert segment.style is not None
                assert segment.style.color is not None
                assert segment.style.color.name == theme.GREY
        assert "AGENT ABSENT" in text(pilot)
        agent.there = True
        await pilot.pause(0.6)
        await settled(pilot)
        assert "agent est revenu" in text(pilot)
        assert "Lahcen" not in text(pilot)
        await typed(pilot, f"{PIN}\n")
        assert isinstance(screen.screen, CaptureScreen)
        assert "AGENT ABSENT" not in text(pilot)


async def test_a_heart_that_stops_beating_greys_the_numbers() -> None:
    """The connection stays, as with SIGSTOP or a hung machine."""
    agent, clock = FakeAgent(), Ticker()
    screen = app(agent, clock=clock)
    async with screen.run_test(size=(80, 24)) as pilot:
        await measuring(pilot)
        assert "AGENT ABSENT" not in text(pilot)
        assert "● en ligne" in text(pilot)
        clock.s += 1.75
        await settled(pilot)
        assert "AGENT ABSENT" in text(pilot)
        assert "en ligne" not in text(pilot), "nobody knows whether the link still holds"
        assert "liaison --" in text(pilot)
        assert "⇅ --" in text(pilot)
        agent.beat()
        await settled(pilot)
        assert "AGENT ABSENT" not in text(pilot)
        assert "● en ligne" in text(pilot)


async def test_numbers_that_grow_old_become_two_dashes_with_their_age() -> None:
    agent, clock = FakeAgent(), Ticker()
    screen = app(agent, clock=clock)
    async with screen.run_test(size=(80, 24)) as pilot:
        await measuring(pilot)
        assert "SpO₂ 97 %" in text(pilot)
        clock.s += 12
        agent.beat()
        await settled(pilot)
        assert "SpO₂ -- %" in text(pilot)
        assert "depuis 12 s" in text(pilot)


async def test_states_move_with_the_receipts() -> None:
    agent = FakeAgent()
    screen = app(agent)
    async with screen.run_test(size=(160, 48)) as pilot:
        await settled(pilot)
        shown = text(pilot)
        assert shown.count("● enregistré") == 2
        assert shown.count("↑ envoyé") == 1
        assert shown.count("✓ reçu") == 1
        agent.moved(vitals=stream(15, 15, 15, 13), alert=stream(1, 1, 1, 1))
        await settled(pilot)
        shown = text(pilot)
        assert (shown.count("◆ arrivé"), shown.count("✓ reçu")) == (2, 2)
        assert "⇅ 0" in shown


async def test_locking_covers_the_patient_and_another_pin_uncovers() -> None:
    agent = FakeAgent()
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await measuring(pilot)
        await pilot.press("f9")
        await settled(pilot)
        shown = text(pilot)
        assert "Lahcen" not in shown
        assert "97" not in shown
        assert ("sign-out", None) in agent.calls
        await typed(pilot, f"{PIN}\n")
        assert "Lahcen" in text(pilot)


async def test_a_covered_screen_does_not_go_on_saying_what_was(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, agent = Ticker(), FakeAgent()
    screen = app(agent, clock=clock)
    async with screen.run_test(size=(80, 24)) as pilot:
        await measuring(pilot)
        await pilot.press("f9")
        await settled(pilot)
        assert isinstance(screen.screen, SignInScreen)
        asked = agent.status

        async def offline() -> Status:
            status = await asked()
            link = status.link.model_copy(update={"connected": False})
            return status.model_copy(update={"link": link})

        assert "en ligne" in text(pilot)
        monkeypatch.setattr(agent, "status", offline)
        clock.s += 3
        await settled(pilot)
        await settled(pilot)
        assert "hors ligne" in text(pilot)


async def test_two_minutes_without_a_key_cover_the_patient_and_what_was_typed_stays() -> None:
    clock, agent = Ticker(), FakeAgent()
    screen = app(agent, clock=clock)
    async with screen.run_test(size=(80, 24)) as pilot:
        await measuring(pilot)
        for _ in range(3):
            clock.s += 60
            agent.beat()
            await pilot.press("down")
            await settled(pilot)
            assert "Lahcen" in text(pilot)
        assert agent.calls.count(("present", None)) == 3
        clock.s += 119
        agent.beat()
        await settled(pilot)
        assert "Lahcen" in text(pilot)
        clock.s += 1
        agent.beat()
        await settled(pilot)
        assert isinstance(screen.screen, SignInScreen)
        assert "Lahcen" not in text(pilot)
        assert "verrouillé" in text(pilot)
        assert agent.calls.count(("sign-out", None)) == 1
        agent.say(reading("cuff-1", {"bp.systolic": "121"}))
        clock.s += 600
        agent.beat()
        await settled(pilot)
        assert "121" not in text(pilot)
        await typed(pilot, f"{PIN}\n")
        assert "Lahcen" in text(pilot)


async def test_a_screen_that_the_agent_locks_is_covered() -> None:
    agent = FakeAgent()
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        agent.lock("screen-locked")
        await settled(pilot)
        assert isinstance(screen.screen, SignInScreen)
        assert "verrouillé" in text(pilot)


async def test_the_store_that_is_locked_elsewhere_asks_for_a_pin() -> None:
    agent = FakeAgent()
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        agent.lock()
        await settled(pilot)
        assert isinstance(screen.screen, SignInScreen)


async def test_a_production_screen_has_no_training_banner() -> None:
    screen = app(FakeAgent(realm="production"))
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "FORMATION" not in text(pilot)


@pytest.mark.parametrize("key", ["ctrl+q", "ctrl+c", "ctrl+p", "ctrl+backslash", "ctrl+z"])
async def test_keys_of_other_programs_do_nothing(key: str) -> None:
    screen = app()
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        before = text(pilot)
        await pilot.press(key)
        await settled(pilot)
        assert screen.is_running
        assert text(pilot) == before


@pytest.mark.parametrize("level", [Level.BOX, Level.ASCII])
async def test_every_screen_is_drawn_with_what_the_terminal_has(level: Level) -> None:
    """Of the console: a table taken from Lat15-Terminus16 with psfgettable."""
    font = set((Path(__file__).parent / "lat15-terminus16.txt").read_text(encoding="utf-8"))
    allowed = font if level is Level.BOX else {chr(code) for code in range(32, 127)} | {"\n"}
    screen = app(FakeAgent(), level=level, capture=False)
    async with screen.run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        for keys in (
            (),
            ("f2",),
            ("escape", "f1"),
            ("escape", "enter"),
            ("f4", "1"),
            ("escape", "escape", "f12"),
        ):
            await pilot.press(*keys)
            await settled(pilot)
            if isinstance(screen.screen, CaptureScreen):
                await measuring(pilot)
            drawn = {drawable(c, level) for c in text(pilot)}
            assert {c for word in drawn for c in word} - allowed == set(), keys


@pytest.mark.parametrize("level", Level)
def test_how_far_a_record_has_come_has_a_sign_of_its_own_on_every_terminal(level: Level) -> None:
    """Of the console: the table names the characters that Lat15-Terminus16 draws with one glyph."""
    alike = (Path(__file__).parent / "lat15-terminus16-alike.txt").read_text(encoding="utf-8").splitlines()
    glyph_of = {character: glyphs[0] for glyphs in alike for character in glyphs}
    assert glyph_of["▲"] == glyph_of["↑"]
    signs = {state: drawable(sign, level) for state, sign in SYMBOLS.items()}
    glyphs = {glyph_of.get(sign, sign) if level is Level.BOX else sign for sign in signs.values()}
    assert len(glyphs) == len(SYMBOLS), signs


async def test_today_is_the_boxs_day() -> None:
    screen = app()
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert screen.hub.today() == datetime.datetime.fromtimestamp(NOW_MS / 1000, tz=datetime.UTC).date()


async def test_an_agent_that_comes_before_the_first_look_is_not_called_silent() -> None:
    agent = FakeAgent()
    screen = app(agent, signed_in=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "ne répond pas" not in text(pilot)
