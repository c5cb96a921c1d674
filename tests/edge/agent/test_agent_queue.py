"""The visits of the day: what the values alone say, and how far they have come."""

import pytest

from edge.agent.triage import Triage, triage
from edge.clock import ClockQuality
from edge.scoring.given import INCOMPLETE, Result
from tests.edge.agent.agent_world import Nurse, World


def result(band: str | None, *alerts: str, **parts: int | str) -> Result:
    return Result("news2", "2017-1", "", band, alerts=alerts, parts=parts)


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([], None),
        ([result(INCOMPLETE, rr=0, temp=1)], None),
        ([result(None)], None),
        ([result(INCOMPLETE, rr=2)], Triage.YELLOW),
        ([result(INCOMPLETE, "single-3", rr=3)], Triage.RED),
        ([result(INCOMPLETE, "single-4", hr=4)], Triage.RED),
        ([result("low", rr=1)], Triage.GREEN),
        ([result("medium", rr=1)], Triage.YELLOW),
        ([result("high")], Triage.RED),
        ([result("trigger", rr="red")], Triage.RED),
        ([result(INCOMPLETE, rr="yellow")], Triage.YELLOW),
        ([result("low"), result("high")], Triage.GREEN),
    ],
)
def test_what_is_missing_is_never_green(results: list[Result], said: Triage | None) -> None:
    assert triage(results)[0] is said


async def _visit(nurse: Nurse, family: str, birth: str, **values: str) -> str:
    fields = {"family": family, "given": "Omar", "sex": "male", "birth": birth}
    patient = (await nurse.ask("patient.register", **fields))["patient"]
    visit: str = (await nurse.ask("encounter.open", patient=patient))["encounter"]
    given = [{"code": code, "value": value} for code, value in values.items()]
    await nurse.ask("observe", encounter=visit, values=given, confirmed=["rr", "spo2", "hr"])
    return visit


async def test_the_visits_stand_in_their_order_with_what_their_values_say(world: World) -> None:
    world.clock_quality = ClockQuality.RTC
    whole = {"rr": "16", "spo2": "97", "o2": "0", "bp.sys": "120", "bp.dia": "80", "hr": "70", "acvpu": "0"}
    async with world.nurse() as nurse:
        well = await _visit(nurse, "Alami", "1970-01-02", **whole, temp="37.0")
        await nurse.ask("observe", encounter=well, values=[{"code": "pain", "value": "2"}])
        await nurse.ask("encounter.close", encounter=well)
        ill = await _visit(nurse, "Berrada", "1970-01-02", spo2="85")
        await nurse.ask("encounter.close", encounter=ill)
        little = await _visit(nurse, "Chraibi", "1970-01-02", temp="37.0")
        visits = (await nurse.ask("visit.list", since_ms=0))["visits"]
        assert [each["encounter"] for each in visits] == [well, ill, little]
        assert [(each["triage"], each["closed_ms"] is None) for each in visits] == [
            ("green", False),
            ("red", False),
            (None, True),
        ]
        assert [(each["received"], each["readings"]) for each in visits] == [(0, 2), (0, 1), (0, 1)]
        assert visits[0]["rule"] == "news2 2017-1"
        record = await nurse.ask("patient.show", patient=visits[1]["patient"])
        child = {"family": "Berrada", "given": "Omar", "sex": "male", "birth": "2024-01-02"}
        await nurse.ask("patient.correct", patient=visits[1]["patient"], revision=record["revision"], **child)
        later = (await nurse.ask("visit.list", since_ms=visits[2]["opened_ms"] + 86_400_000))["visits"]
        assert [each["encounter"] for each in later] == [little], "what is open is of every day"
        again = (await nurse.ask("visit.list", since_ms=0))["visits"]
        assert again[1]["rule"] != visits[1]["rule"], "of a child another rule holds"
