"""Arabic on the screen: joined, from right to left, numbers from left to right; and stored as it is read."""

import re

import pytest

from edge.i18n.catalogue import load
from tests.tui.tui_stage import app, in_order, measuring, settled, text, typed
from tests.tui.tui_world import FakeAgent
from tui.arabic import in_cells
from tui.screens.capture import CaptureScreen

JOINED = re.compile("[\ufe70-\ufefc]")
LOOSE = re.compile("[\u0620-\u064a]")


async def test_a_screen_in_arabic_is_joined_its_numbers_stand_and_its_footer_is_whole() -> None:
    screen = app(language="ar")
    async with screen.run_test(size=(80, 24)) as pilot:
        await measuring(pilot)
        shown = text(pilot)
        capture = screen.screen
        assert isinstance(capture, CaptureScreen)
        for key, code in capture.keys_now():
            assert in_order(f"{key} {screen.hub.say(code)}", "ar") in shown, code
        for number in ("142/91 mmHg", "SpO₂ 97 %", "74 /min", "37,2 °C", "1978-05-12", "van-07"):
            assert number in shown, (number, shown)
        assert re.search(r"\b\d\d:32\b", shown), "the clock"
        assert JOINED.search(shown)
        assert not LOOSE.search(shown), "every Arabic letter has the form it takes between its neighbours"
        assert all(len(line) == 80 for line in shown.splitlines())
        behind = shown.splitlines()[0]
        await pilot.press("f1")
        await settled(pilot)
        assert behind == text(pilot).splitlines()[0], "what shows through behind a box is not turned again"


async def test_a_terminal_that_knows_arabic_is_given_it_as_it_is_read() -> None:
    screen = app(language="ar", shapes_arabic=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert load("ar")("key.close") in text(pilot)
        assert not JOINED.search(text(pilot))


@pytest.mark.parametrize("language", ["ar", "fr"])
async def test_an_arabic_name_is_shown_joined_under_its_line_and_sent_as_it_was_typed(language: str) -> None:
    agent = FakeAgent(open_visit=False)
    screen = app(agent, language=language, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f2")
        await typed(pilot, "لحسن")
        shown = text(pilot)
        assert shown.count(in_order("لحسن", language)) == 2, shown
        await typed(pilot, "\nسعيد\nf\n12051978\n\n\n")
        [fields] = [what[1] for method, what in agent.calls if method == "register"]
        assert (fields["family"], fields["given"]) == ("لحسن", "سعيد")


@pytest.mark.parametrize("words", ["╭─ مريض جديد ───╮", "F12 حفظ  Esc رجوع", "│ لا إله │ 97 │", "سؤال"])
def test_no_line_changes_its_length_and_frames_and_keys_keep_their_places(words: str) -> None:
    drawn = in_cells(words, begins_right=True)

    assert len(drawn) == len(words)
    assert [at for at, each in enumerate(drawn) if each in "╭╮│─"] == [
        at for at, each in enumerate(words) if each in "╭╮│─"
    ]
    assert in_cells(drawn, begins_right=True) == drawn, "what is drawn is never drawn again"
