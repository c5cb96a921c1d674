"""Measuring a patient: how many keys it takes, what the score says, and what is put right."""

from collections.abc import Mapping
from typing import Any

import pytest
from textual.pilot import Pilot

from edge.i18n.catalogue import LANGUAGES, load
from edge.localapi.events import Heartbeat
from edge.localapi.shapes import ScoreShown, SittingShown
from edge.ports.caller import CallRefused
from tests.tui.tui_stage import app, settled, text
from tests.tui.tui_world import NOW_MS, FakeAgent, Ticker, device, observation
from tui.glyphs import Level
from tui.hub import Hub
from tui.scores import lines_of
from tui.screens.breaths import per_minute
from tui.screens.capture import CaptureScreen
from tui.screens.correct import correctable, last_entered
from tui.screens.pressures import Pressures
from tui.screens.state import StateBox
from tui.typed import read_time
from tui.widgets.flow import flow

CONNECTED_MOST, BY_HAND_MOST, NEW_PATIENT_MOST = 8, 24, 30


class Hand:
    """Counts the keys a person presses; a scanner's are not counted."""

    def __init__(self, pilot: Pilot[Any]) -> None:
        self._pilot = pilot
        self.presses = 0

    async def press(self, *keys: str) -> None:
        self.presses += len(keys)
        await self._pilot.press(*keys)
        await settled(self._pilot)

    async def scan(self, code: str) -> None:
        await self._pilot.press(*code, "enter")
        await settled(self._pilot)


def score(**other: object) -> ScoreShown:
    fields: dict[str, object] = {
        "rule": "news2",
        "version": "2017-1",
        "total": 7,
        "band": "high",
        "trigger": None,
        "missing": (),
        "stale": (),
        "parts": {"rr": 3, "spo2": 2, "o2": 2, "sbp": 0, "pulse": 0, "acvpu": 0, "temp": 0},
        "alerts": ("single-3",),
        "notes": (),
        "until_ms": NOW_MS + 60_000,
    }
    return ScoreShown.model_validate(fields | other)


def entered(agent: FakeAgent) -> dict[str, str]:
    values: dict[str, str] = {}
    for given, _, _ in agent.entered:
        values |= given
    return values


async def test_a_connected_set_takes_eight_keys() -> None:
    agent = FakeAgent(open_visit=False)
    agent.devices = (device("cuff-1", "suntech-nibp", on_command=True),)
    async with app(agent, capture=False).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        hand = Hand(pilot)
        await hand.scan("jb482901")
        agent.open_visit = True
        await hand.press("enter")  # it is she
        await hand.press("f3")
        await hand.press("f7", "1", "6", "enter")
        await hand.press("f12")  # alert, on air, and to the end
        await hand.press("enter")
        assert ("measure", ("cuff-1", "adult")) in agent.calls
        assert entered(agent) == {"rr": "16", "acvpu": "0", "o2": "0"}
        assert [what for method, what in agent.calls if method == "close"]
        assert hand.presses <= CONNECTED_MOST


async def test_a_set_by_hand_takes_twenty_four_keys() -> None:
    agent = FakeAgent(open_visit=False)
    async with app(agent, capture=False).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        hand = Hand(pilot)
        await hand.scan("jb482901")
        agent.open_visit = True
        await hand.press("enter")
        await hand.press("enter")
        for number in ("142", "91", "97", "72", "372", "16"):
            await hand.press(*number, "enter")
        await hand.press("f12")
        await hand.press("enter")
        assert entered(agent) == {
            "bp.sys": "142",
            "bp.dia": "91",
            "spo2": "97",
            "pulse.spo2": "72",
            "temp": "37.2",
            "rr": "16",
            "acvpu": "0",
            "o2": "0",
        }
        assert [what for method, what in agent.calls if method == "close"]
        assert hand.presses <= BY_HAND_MOST


async def test_a_new_patient_takes_thirty_keys() -> None:
    agent = FakeAgent(open_visit=False)
    async with app(agent, capture=False).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        hand = Hand(pilot)
        await hand.press("f2", *"Alami", "enter", *"Omar", "enter", "2", "enter", *"47", "enter")
        await hand.press("enter", "1", "enter")
        ((request, fields),) = [what for method, what in agent.calls if method == "register"]
        assert (fields["family"], fields["given"], fields["sex"]) == ("Alami", "Omar", "male")
        assert hand.presses <= NEW_PATIENT_MOST, request


async def test_the_score_stands_under_the_numbers_and_what_it_needs() -> None:
    agent = FakeAgent()
    agent.scores = (score(),)
    async with app(agent).run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        shown = text(pilot)
        assert "NEWS2 7 ÉLEVÉ" in shown
        assert "FR 3" in shown
        assert "3 points pour une seule mesure" in shown
        agent.scores = (
            score(total=None, band="incomplete", missing=("temp", "rr"), stale=("rr",), alerts=()),
        )
        screen = pilot.app.screen
        assert isinstance(screen, CaptureScreen)
        await screen.resumed()
        await settled(pilot)
        shown = text(pilot)
        assert "NEWS2 -- incomplet" in shown
        assert "manque : T°, FR (trop ancien)" in shown


async def test_a_score_whose_inputs_grow_old_is_no_number_any_more() -> None:
    agent, clock = FakeAgent(), Ticker()
    agent.scores = (score(until_ms=NOW_MS + 1000),)
    async with app(agent, clock=clock).run_test(size=(80, 24)) as pilot:
        agent.beat()
        await settled(pilot)
        assert "NEWS2 7" in text(pilot)
        looks = len([m for m, _ in agent.calls if m == "encounter"])
        agent.scores = (score(total=None, band="incomplete", missing=("rr",), until_ms=None),)
        clock.s += 1.5
        agent.say(Heartbeat(wall_ms=NOW_MS + 1500))
        await settled(pilot)
        await settled(pilot)
        shown = text(pilot)
        assert "NEWS2 7" not in shown
        assert "NEWS2 --" in shown
        assert len([m for m, _ in agent.calls if m == "encounter"]) > looks


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [58, 98, 138])
def test_a_score_is_never_cut(language: str, width: int) -> None:
    hub = Hub(FakeAgent(), load(language), Level.BRAILLE, Ticker())
    for each in (score(), score(total=20), score(rule="pews", band="alert", total=26)):
        parts = lines_of([each], hub, asks_pregnancy=True, wall_ms=NOW_MS, whole=True)
        words = " ".join(part.text for line in flow(parts, width) for part in line)
        assert f" {each.total} " in f"{words} "
        assert "…" not in words


async def test_why_there_is_no_number_is_one_letter() -> None:
    agent = FakeAgent()
    async with app(agent).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        hand = Hand(pilot)
        await hand.press(
            "enter", *"142", "enter", *"91", "enter", "r", "enter", "e", "enter", "n", "enter", "enter"
        )
        assert agent.entered == [
            (
                {"bp.sys": "142", "bp.dia": "91"},
                {"spo2": "refused", "pulse.spo2": "failed", "temp": "not-indicated"},
                None,
            )
        ]


async def test_letters_in_a_number_put_the_cursor_where_the_mistake_is() -> None:
    agent = FakeAgent()
    async with app(agent).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        hand = Hand(pilot)
        await hand.press("enter", *"142", "enter", *"9x", *["enter"] * 5)
        assert agent.entered == []
        assert "Tapez un nombre" in text(pilot)
        await hand.press("9", "1", *["enter"] * 5)  # what is wrong is marked, and typed over
        assert entered(agent) == {"bp.sys": "142", "bp.dia": "91"}


async def test_values_from_paper_have_their_own_time() -> None:
    agent = FakeAgent()
    async with app(agent).run_test(size=(80, 24)) as pilot:
        agent.beat()
        await settled(pilot)
        hand = Hand(pilot)
        await hand.press("space", "5", *"25", "enter", *"142", "enter", *"91", *["enter"] * 5)
        assert "heure de la mesure" in text(pilot)
        await hand.press(*"0940", *["enter"] * 7)
        [(values, _, at)] = agent.entered
        assert values == {"bp.sys": "142", "bp.dia": "91"}
        assert at is not None
        assert "T09:40" in at


def test_a_time_is_the_last_one_before_now() -> None:
    hub = Hub(FakeAgent(), load("fr"), Level.BRAILLE, Ticker())
    now = hub.local(NOW_MS)
    for typed in ("0940", "940", "9:40", "9h40"):
        when = read_time(typed, now)
        assert when is not None
        assert (when.hour, when.minute) == (9, 40)
        assert when <= now
    assert read_time("2460", now) is None
    assert read_time("noon", now) is None


async def test_a_value_is_put_right_with_a_reason_and_what_was_typed_last_is_undone() -> None:
    agent = FakeAgent()
    async with app(agent).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        hand = Hand(pilot)
        await hand.press("space", "4")
        assert "PNI" in text(pilot) or "Systolique" in text(pilot)
        await hand.press("2")  # the temperature: the newest stands first
        await hand.press(*"368", "enter", "2")
        ((_, seq, value, reason, _),) = [what for method, what in agent.calls if method == "correct"]
        assert (seq, value, reason) == (14, "36.8", "misread")
        await hand.press("space", "3", "enter")
        undone = [what for method, what in agent.calls if method == "correct"][-1]
        assert undone[1:4] == (14, None, "undone")


async def test_a_correction_that_is_rare_is_confirmed() -> None:
    agent = FakeAgent()
    agent.refuse["correct"] = [
        CallRefused("Rare.", next_step="", code="value-needs-confirmation", about=("temp",))
    ]
    async with app(agent).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        hand = Hand(pilot)
        await hand.press("space", "4", "2", *"415", "enter", "1", "enter")
        asked = [what for method, what in agent.calls if method == "correct"]
        assert [each[-1] for each in asked] == [(), ("temp",)]


def test_what_was_computed_or_put_right_is_not_offered() -> None:
    typed = [
        observation(1, "temp", "37.2", "Cel", 1, device=None, source="manual"),
        observation(2, "news2", "3", "{score}", 2, device=None, source="computed"),
        observation(3, "rr", "16", "/min", 3, device=None, source="manual", corrected=True),
    ]
    assert [each.seq for each in correctable(typed)] == [1]
    assert [each.seq for each in last_entered(typed)] == [1]
    assert last_entered([]) == []


@pytest.mark.parametrize(
    ("marks", "rate"),
    [([], None), ([1.0], None), ([0.0, 3.0, 6.0], 20), ([float(n) * 2.5 for n in range(13)], 24)],
)
def test_a_rate_is_made_of_the_time_between_breaths(marks: list[float], rate: int | None) -> None:
    assert per_minute(marks) == rate


async def test_breaths_are_counted_by_space_once_the_time_is_over() -> None:
    agent, clock = FakeAgent(), Ticker()
    async with app(agent, clock=clock).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f7")
        for _ in range(11):
            await pilot.press("space")
            clock.s += 3
        clock.s -= 3
        await pilot.press("enter")
        await settled(pilot)
        assert entered(agent) == {"rr": "20"}


async def test_before_the_time_is_over_no_rate_is_taken() -> None:
    agent, clock = FakeAgent(), Ticker()
    async with app(agent, clock=clock).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f7", "space")
        clock.s += 3
        await pilot.press("space", "enter")
        await settled(pilot)
        assert agent.entered == []
        assert "au bout du temps" in text(pilot)


async def test_oxygen_is_a_flow_and_a_pregnancy_is_said_and_not_assumed() -> None:
    agent = FakeAgent()
    agent.scores, agent.asks_pregnancy = (score(total=None, band="incomplete", missing=("pregnant",)),), True
    async with app(agent).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        hand = Hand(pilot)
        assert "enceinte ?" in text(pilot)
        await hand.press("f8", "3", "space", "enter")
        assert "En litres par minute" in text(pilot)
        await hand.press("4", "enter")
        assert entered(agent) == {"acvpu": "2", "o2": "4"}
        agent.entered.clear()
        await hand.press("f8", "7", "enter")
        assert entered(agent) == {"acvpu": "0", "o2": "0", "pregnancy": "1"}


async def test_a_child_is_asked_for_effort_and_refill() -> None:
    agent = FakeAgent()
    agent.scores = (score(rule="pews", total=None, band="incomplete", missing=("crt",), alerts=()),)
    async with app(agent).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        hand = Hand(pilot)
        await hand.press("f8")
        assert isinstance(pilot.app.screen, StateBox)
        await hand.press("2", "enter", "3", "enter")
        assert entered(agent) == {"effort": "2", "o2": "0", "crt": "2"}


def visit(number: int, values: Mapping[str, str], *, purged: bool = False) -> dict[str, object]:
    opened_ms = NOW_MS - number * 86_400_000
    return {
        "encounter": f"019a2500-0000-7000-8000-0000000000{number:02}",
        "opened_ms": opened_ms,
        "closed_ms": opened_ms + 1,
        "purged": purged,
        "values": [{"code": code, "value": value, "wall_ms": opened_ms} for code, value in values.items()],
        "score": None if purged else score(total=5, band="medium", parts={"rr": 3, "temp": 0}).model_dump(),
    }


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 36)])
async def test_the_history_has_a_column_for_each_visit(size: tuple[int, int]) -> None:
    agent = FakeAgent()
    seen = [visit(n, {"bp.sys": "142", "rr": "25", "temp": "37.24"}) for n in range(6)]
    agent.scripted["patient.trend"] = {"visits": [*seen, visit(6, {}, purged=True)], "more": False}
    async with app(agent).run_test(size=size) as pilot:
        await settled(pilot)
        hand = Hand(pilot)
        await hand.press("space", "1")
        shown = text(pilot)
        assert "25 +3" in shown
        assert "37,2" in shown
        assert "NEWS2 5" in shown
        assert "sont au centre" in shown
        await hand.press(*["down"] * 6)
        shown = text(pilot)
        assert "25 +3" not in shown  # the oldest visit alone, whose values are not here any more
        assert "sont au centre" in shown
        await hand.press("escape")
        assert isinstance(pilot.app.screen, CaptureScreen)


async def test_a_history_is_never_empty_without_a_word() -> None:
    agent = FakeAgent()
    agent.scripted["patient.trend"] = {"visits": [], "more": False}
    async with app(agent).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await Hand(pilot).press("space", "1")
        assert "Aucune visite sur cette unité" in text(pilot)


def sitting(*readings: tuple[str, str], mean: tuple[str, str] | None = None) -> SittingShown:
    return SittingShown(
        readings=readings,
        last_ms=NOW_MS - 20_000 if readings else None,
        one_more=mean is None,
        mean=mean,
        classes={} if mean is None else {"esh": "grade 2"},
        alerts=(),
    )


async def test_three_pressures_have_a_minute_between_them_and_a_mean_at_the_end() -> None:
    agent, clock = FakeAgent(), Ticker()
    agent.devices = (device("cuff-1", "suntech-nibp", on_command=True),)
    agent.sitting = sitting(("152", "96"))
    async with app(agent, clock=clock).run_test(size=(80, 24)) as pilot:
        agent.beat()
        await settled(pilot)
        hand = Hand(pilot)
        await hand.press("space", "2")
        box = pilot.app.screen
        assert isinstance(box, Pressures)
        box.tick()
        await settled(pilot)
        assert "152/96" in text(pilot)
        assert "dans 40 s" in text(pilot)
        assert "…" not in text(pilot)
        clock.s += 41
        agent.say(Heartbeat(wall_ms=NOW_MS + 41_000))
        await settled(pilot)
        box.tick()
        await settled(pilot)
        assert "mesure 2" in text(pilot)
        await hand.press("enter")
        assert ("measure", ("cuff-1", "adult")) in agent.calls
        agent.sitting = sitting(("152", "96"), ("140", "90"), ("137", "88"), mean=("139", "89"))
        screen = pilot.app.screen
        assert isinstance(screen, CaptureScreen)
        await screen.resumed()
        await settled(pilot)
        await hand.press("space", "2")
        assert "139/89" in text(pilot)
        assert "à confirmer" in text(pilot)
