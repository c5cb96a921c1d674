"""Recordings are saved every ten seconds: that neither fills the audit trail nor the queue on the screen."""

from edge.localapi.events import SavedEvent, StreamsEvent
from edge.localapi.shapes import EntryIdentity
from tests.tui.tui_stage import app, settled
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


def test_waves_that_stay_on_the_box_wait_for_nothing() -> None:
    situation = Situation()
    situation.hear(StreamsEvent(streams={"wave": stream(40, 1, 1, 1), "vitals": stream(4, 2, 2, 2)}), 1.0)
    assert situation.queued == 2
