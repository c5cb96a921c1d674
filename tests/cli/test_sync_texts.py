"""What `qafila sync status` and `qafila central messages` tell people to do next."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.commands.central import app
from cli.sync_texts import status_text
from edge.i18n.catalogue import load
from sync.central import requests
from sync.central.home import CentreHome
from sync.central.requests import Said

ANSWER: dict[str, Any] = {
    "unit": "van-07",
    "enrolled": True,
    "keyset_version": 1,
    "link": {"connected": False, "code": "certificate-revoked"},
    "waiting": {},
    "refusals": {"down-unfit-request-unknown": 1, "down-of-tomorrow": 3, "of-tomorrow": 2},
    "problem": None,
    "locked": True,
    "streams": {},
}


def test_status_says_why_there_is_no_link_and_what_was_refused() -> None:
    lines = status_text(ANSWER).splitlines()
    for beginning, code in (
        ("link      no connection", "certificate-revoked"),
        ("refused   down-unfit-request-unknown: 1", "down-unfit-request-unknown"),
    ):
        sentence, next_step = load("en").error(code, "")
        assert sentence
        assert lines[lines.index(beginning) + 1] == f"          {sentence} Next: {next_step}"
    for beginning, family in (
        ("refused   down-of-tomorrow: 3", "down-refused"),
        ("refused   of-tomorrow: 2", "receipt-refused"),
    ):
        sentence, next_step = load("en").error(family, "")
        assert lines[lines.index(beginning) + 1] == f"          {sentence} Next: {next_step}"


@pytest.mark.parametrize(("outcome", "told"), [("request-unknown", True), ("form", False), (None, False)])
def test_an_answer_that_a_unit_could_not_place_is_to_be_written_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, outcome: str | None, told: bool
) -> None:
    said = Said(
        message="0" * 32, unit="van-07", kind="reply", made_by="Dr Amrani", made_ms=1, state="refused",
        outcome=outcome, received_ms=2, read_ms=None, read_by=None, request="1" * 32, text="Rest.",
    )  # fmt: skip

    def one(_home: CentreHome, _unit: str | None) -> list[Said]:
        return [said]

    monkeypatch.setattr(requests, "messages", one)
    shown = CliRunner().invoke(app, ["messages", "--home", str(tmp_path)])
    assert shown.exit_code == 0
    assert ("Next: write it with qafila central message UNIT" in shown.output) is told
