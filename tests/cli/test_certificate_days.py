"""The note of the status on the certificate, by a clock that the test turns."""

from pathlib import Path
from unittest import mock

import pytest

from cli.certificate_days import DUE, ENDED, Certificate
from cli.doctor.papers import Papers
from edge.config import Places
from sync.uplink.outages import DAY_MS
from sync.wire.certificate import Certificate as Held

UNTIL_MS = 1_800_000_000_000
HELD = Held("van-07", "training", UNTIL_MS - 365 * DAY_MS, UNTIL_MS, b"", (), ())


@pytest.mark.parametrize(("longest_days", "warns_days"), [(0, 14), (20, 60)])
def test_it_comes_at_three_times_the_longest_outage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, longest_days: int, warns_days: int
) -> None:
    seen = Papers(held=HELD, longest_ms=longest_days * DAY_MS)
    monkeypatch.setattr("cli.doctor.papers.look", mock.Mock(return_value=seen))
    certificate = Certificate(Places.at(tmp_path), lambda: 0.0)
    warn_ms = UNTIL_MS - warns_days * DAY_MS
    assert certificate.note(0) == certificate.note(warn_ms) == []
    assert certificate.note(warn_ms + 1) == certificate.note(UNTIL_MS - 1) == [DUE]
    assert certificate.note(UNTIL_MS) == [ENDED]
    assert certificate() == UNTIL_MS


@pytest.mark.parametrize("seen", [Papers(), Papers(held=HELD, visible=False)])
def test_what_is_not_known_is_not_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: Papers) -> None:
    monkeypatch.setattr("cli.doctor.papers.look", mock.Mock(return_value=seen))
    assert Certificate(Places.at(tmp_path), lambda: 0.0).note(UNTIL_MS + DAY_MS) == []
