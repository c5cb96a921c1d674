"""The patient's sheet from the screen: printed once, or said why not."""

from typing import Any

import pytest

from edge.reports import making
from edge.reports.making import PrinterRefused
from tests.edge.reports.sheet_facts import facts
from tests.tui.tui_stage import app, drawn, settled, text
from tests.tui.tui_world import FakeAgent


def printing(
    monkeypatch: pytest.MonkeyPatch, refused: PrinterRefused | None = None
) -> list[tuple[bytes, str]]:
    """What reached the printer; the page itself is drawn by the process that draws pages."""
    printed: list[tuple[bytes, str]] = []

    def send(page: bytes, *, printer: str | None, paper: str) -> None:
        assert printer is None
        if refused is not None:
            raise refused
        printed.append((page, paper))

    monkeypatch.setattr(making, "send", send)
    return printed


def scripted() -> FakeAgent:
    agent = FakeAgent()
    agent.scripted["visit.sheet"] = facts()
    return agent


async def chosen(pilot: Any, *digits: str) -> None:  # noqa: ANN401  a pilot of any app
    await settled(pilot)
    await pilot.press("space", "7")
    await settled(pilot)
    await pilot.press(*digits)


async def test_a_digit_prints_the_sheet_of_this_visit_once(monkeypatch: pytest.MonkeyPatch) -> None:
    printed, agent = printing(monkeypatch), scripted()
    async with app(agent).run_test(size=(80, 24)) as pilot:
        await chosen(pilot, "1", "1")
        await drawn(pilot, ["50 mm"])
    ((page, paper),) = printed
    assert page.startswith(b"%PDF-")
    assert paper == "a5"
    assert len(agent.asked("visit.sheet")) == 1, "each sheet is in the audit trail, and there is one"


async def test_a_printer_that_does_not_take_it_is_said_and_the_visit_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = PrinterRefused("No printer took the sheet.", next_step="Look.")
    printing(monkeypatch, refused)
    async with app(scripted()).run_test(size=(80, 24)) as pilot:
        await chosen(pilot, "2")
        await drawn(pilot, ["imprimante"])
        assert "fiche" in text(pilot)


async def test_esc_leaves_without_asking_for_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    printed, agent = printing(monkeypatch), scripted()
    async with app(agent).run_test(size=(80, 24)) as pilot:
        await chosen(pilot, "escape")
        await settled(pilot)
    assert printed == []
    assert not agent.asked("visit.sheet")
