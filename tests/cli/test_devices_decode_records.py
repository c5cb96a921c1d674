"""``qafila devices decode`` of meters, oximeters and heart rate sensors, as people and machines read it."""

import json
import sys
from collections.abc import Callable

import pytest

from cli import main

Decode = Callable[..., tuple[int, str, str]]


@pytest.fixture
def decode(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Decode:
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["qafila", "devices", "decode", *words])
        with pytest.raises(SystemExit) as ended:
            main.run()
        said, errors = capsys.readouterr()
        return int(ended.value.code or 0), said, errors

    return run


def test_a_record_and_its_context_are_one_reading(decode: Decode) -> None:
    status, said, errors = decode(
        "sig-glucose", "122A00EA07030E070A0062B011", "2A34=022A0001", "2A52=06000101", "--json"
    )
    assert (status, errors) == (0, "")
    (reading,) = json.loads(said)["readings"]
    assert reading["at"] == "2026-03-14T07:10:00"
    assert reading["values"] == [
        {"code": "glucose", "value": "98", "unit": "mg/dL", "device_value": "0.00098", "device_unit": "kg/L"}
    ]
    assert reading["flags"] == ["capillary-whole-blood", "finger", "before-meal"]


@pytest.mark.parametrize(("status", "shown"), [("2000", "HI (above-range)"), ("4000", "LO (below-range)")])
def test_a_person_reads_what_the_meter_shows(decode: Decode, status: str, shown: str) -> None:
    _, said, _ = decode("sig-glucose", f"082C00EA07030E080000{status}")
    assert f"glucose {shown}" in said


def test_an_oximeter_says_several_things(decode: Decode) -> None:
    _, said, _ = decode("sig-oximeter", "0061004800", "0CFF07FF070020000800", "2A5E=105D006E00")
    assert "SpO2 97 %   pulse 72 /min" in said
    assert "SpO2 — (sensor-off)" in said
    assert "[device-clock-not-set]" in said


def test_a_control_point_that_says_nothing_known_is_refused_in_words(decode: Decode) -> None:
    _, said, _ = decode("sig-heart-rate", "063D", "1048520348")
    assert "heart rate 61 /min" in said
    assert "partial-interval: the list of intervals ends within one" in said
    _, said, _ = decode("sig-glucose", "2A52=0900")
    assert "not-a-request: nothing that a control point is asked" in said
