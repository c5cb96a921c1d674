"""A terminal that was tiny for a moment: dragged, or split in two."""

from tests.tui.tui_stage import app, measuring, settled
from tests.tui.tui_world import FakeAgent, Ticker
from tui.widgets.bars import Footer, Header


async def test_the_bars_give_back_the_room_that_they_took_in_a_tiny_terminal() -> None:
    async with app(FakeAgent(), clock=Ticker()).run_test(size=(80, 24)) as pilot:
        await measuring(pilot)
        bars = (pilot.app.screen.query_one(Header), pilot.app.screen.query_one(Footer))
        before = [bar.size.height for bar in bars]
        for width, height in ((40, 10), (20, 4), (60, 18)):
            await pilot.resize_terminal(width, height)
            await settled(pilot)
            await pilot.resize_terminal(80, 24)
            await settled(pilot)
            assert [bar.size.height for bar in bars] == before
