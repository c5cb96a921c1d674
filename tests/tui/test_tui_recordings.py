"""Recordings are saved every ten seconds: that neither fills the audit trail nor the queue on the screen."""

from edge.localapi.events import SavedEvent, StreamsEvent
from edge.localapi.shapes import EntryIdentity
from tests.tui.tui_stage import app, settled, text
from tests.tui.tui_world import PATIENTS, FakeAgent, stream
from tui.situation import Situation


async def test_a_saved_stretch_of_wave_asks_for_nothing() -> None:
    agent = FakeAgent()
    screen = app(agent)
    async with screen.run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        before = [method for method, _ in agent.calls].count("encounter")
        saved: tuple[EntryIdentity, ...] = (("van-07", "00", "wave", 2),)
        agent.say(SavedEvent(saved=saved, what="wave", patient=PATIENTS[0].patient))
        await settled(pilot)
        assert [method for method, _ in agent.calls].count("encounter") == before
        agent.say(SavedEvent(saved=saved, what="reading", patient=PATIENTS[0].patient))
        await settled(pilot)
        assert [method for method, _ in agent.calls].count("encounter") == before + 1


def test_waves_are_counted_beside_what_a_nurse_waits_for() -> None:
    situation = Situation()
    situation.hear(StreamsEvent(streams={"wave": stream(40, 1, 1, 1), "vitals": stream(4, 2, 2, 2)}), 1.0)
    assert (situation.queued, situation.waves) == (2, (0, 39))
    situation.hear(StreamsEvent(streams={"wave": stream(40, 40, 30, 4), "vitals": stream(4, 4, 4, 4)}), 1.0)
    assert (situation.queued, situation.waves) == (0, (3, 39))
    situation.hear(StreamsEvent(streams={"wave": stream(40, 40, 40, 40)}), 1.0)
    assert situation.waves is None


async def test_the_header_says_how_much_of_the_waves_has_come() -> None:
    agent = FakeAgent()
    screen = app(agent)
    async with screen.run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        assert "ondes" not in text(pilot)
        agent.say(StreamsEvent(streams={"wave": stream(5, 5, 5, 4), "vitals": stream(4, 4, 4, 4)}))
        await settled(pilot)
        assert "ondes 3 sur 4" in text(pilot)
        agent.say(StreamsEvent(streams={"wave": stream(5, 5, 5, 5), "vitals": stream(4, 4, 4, 4)}))
        await settled(pilot)
        assert "ondes" not in text(pilot)
