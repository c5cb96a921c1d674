"""What waits for the link and how long it will take, on the page of the devices and the technician's."""

import pytest

from edge.localapi.answers import Status
from edge.localapi.shapes import LinkShown, WaitingShown
from tests.tui.tui_stage import app, settled, text
from tests.tui.tui_world import NOW_MS, FakeAgent

WAITING = WaitingShown(
    urgent_bytes=610,
    urgent_s=1,
    backlog_bytes=140_000,
    backlog_s=58,
    held_bytes=2_100_000,
    rate=2400,
    profile="2g",
    spent_bytes=50_000_000,
    day_bytes=50_000_000,
)


@pytest.mark.parametrize("role", ["nurse", "technician"])
async def test_what_waits_is_told_and_follows_what_the_uplink_says(role: str) -> None:
    agent = FakeAgent()
    agent.role = role  # type: ignore[assignment]  # one of the roles
    async with app(agent, capture=role == "nurse").run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        if role == "nurse":
            await pilot.press("f6")
            await settled(pilot)
        assert "À envoyer" not in text(pilot)  # an uplink that is not there has said nothing
        agent.say(LinkShown(connected=True, since_ms=NOW_MS, broker="mqtt5", waiting=WAITING))
        await settled(pilot)
        shown = " ".join(text(pilot).split())
        assert "À envoyer: urgent 0,6 ko, environ 1 s; en attente 140 ko, environ 1 min" in shown
        assert "2,1 Mo attendent demain : les 50 Mo du jour sont utilisés" in shown
        agent.say(LinkShown(connected=False, since_ms=NOW_MS, broker=None, waiting=WAITING))
        await settled(pilot)
        assert "il y a une liaison" in " ".join(text(pilot).split())


@pytest.mark.parametrize("connected", [True, False])
async def test_what_is_wrong_with_the_link_is_told_with_what_to_do(*, connected: bool) -> None:
    agent = FakeAgent()
    agent.role = "technician"
    async with app(agent, capture=False).run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        said = LinkShown(connected=connected, since_ms=NOW_MS, broker=None, code="certificate-ended")
        agent.say(said)
        await settled(pilot)
        shown = " ".join(text(pilot).split())
        assert "Le certificat de cette unité a pris fin" in shown
        assert "qafila unit enrol" in shown
        agent.say(said.model_copy(update={"code": "starting"}))  # no trouble, so no words
        await settled(pilot)
        assert "certificat" not in " ".join(text(pilot).split())


@pytest.mark.parametrize("link", [None, LinkShown(connected=False, since_ms=1, broker=None, code="starting")])
async def test_a_certificate_that_ends_soon_is_told_without_a_link(
    monkeypatch: pytest.MonkeyPatch, link: LinkShown | None
) -> None:
    agent = FakeAgent()
    agent.role = "technician"
    said = (await agent.status()).model_copy(update={"link": link, "notes": ("certificate-due", "swap-on")})

    async def status() -> Status:
        return said

    monkeypatch.setattr(agent, "status", status)
    async with app(agent, capture=False).run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        shown = " ".join(text(pilot).split())
        assert "Le certificat de cette unité prend bientôt fin" in shown
        assert "swap" not in shown.lower()
