"""``qafila devices decode`` of Bluetooth values: one value an argument, its characteristic before it."""

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from cli import main

Decode = Callable[..., tuple[int, str, str]]
BP_1 = "1E 79 00 51 00 5E 00 EA 07 03 0E 09 05 1E 44 00 01 00 00"


@pytest.fixture
def decode(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Decode:
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["qafila", "devices", "decode", *words])
        with pytest.raises(SystemExit) as ended:
            main.run()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def answer(said: tuple[int, str, str]) -> dict[str, Any]:
    status, out, errors = said
    assert (status, errors) == (0, "")
    decoded: dict[str, Any] = json.loads(out)
    return decoded


def test_a_cuffs_value_without_a_name_is_a_measurement(decode: Decode) -> None:
    assert answer(decode("sig-bp", BP_1, "--json")) == {
        "kind": "sig-bp",
        "readings": [
            {
                "at": "2026-03-14T09:05:30",
                "values": [
                    {"code": "bp.sys", "value": "121", "unit": "mm[Hg]"},
                    {"code": "bp.dia", "value": "81", "unit": "mm[Hg]"},
                    {"code": "bp.map", "value": "94", "unit": "mm[Hg]"},
                    {"code": "pulse.nibp", "value": "68", "unit": "/min"},
                ],
                "flags": [],
            }
        ],
        "refused": [],
        "waves": [],
    }


def test_what_was_converted_stands_beside_what_was_sent(decode: Decode) -> None:
    (reading,) = answer(decode("sig-bp", "01A1F06BF07DF0", "--json"))["readings"]
    assert reading["values"][0] == {
        "code": "bp.sys",
        "value": "120.8",
        "unit": "mm[Hg]",
        "device_value": "16.1",
        "device_unit": "kPa",
    }


def test_a_number_is_written_out_and_never_with_an_exponent(decode: Decode) -> None:
    (reading,) = answer(decode("sig-bp", "00 0C10 0810 0910", "--json"))["readings"]
    assert [value["value"] for value in reading["values"]] == ["120", "80", "90"]


@pytest.mark.parametrize("name", ["2A36", "2a36", "0x2A36", "00002A36-0000-1000-8000-00805F9B34FB"])
def test_a_characteristic_is_named_before_its_value(decode: Decode, name: str) -> None:
    (reading,) = answer(decode("sig-bp", f"{name}=009800FF07FF07", "--json"))["readings"]
    assert reading["values"] == [{"code": "bp.cuff", "value": "152", "unit": "mm[Hg]"}]


def test_each_argument_is_one_value_and_each_refusal_has_its_place(decode: Decode) -> None:
    decoded = answer(
        decode("sig-bp", "2A49=0400", BP_1, "03020304050607", "2A5E=00", f"2A35={BP_1}", "--json")
    )
    assert len(decoded["readings"]) == 2
    assert decoded["refused"] == [
        {"offset": 21, "length": 7, "code": "frame-too-short"},
        {"offset": 28, "length": 1, "code": "unknown-characteristic"},
    ]


def test_the_ecg_of_a_strap(decode: Decode) -> None:
    frame = "00 00 60 19 62 C3 51 52 08 00 0C 00 00 DD FF FF A3 04 00 6E FE FF 00 00 00"
    assert answer(decode("polar-h10", frame, "--json")) == {
        "kind": "polar-h10",
        "readings": [],
        "refused": [],
        "waves": [
            {
                "code": "ecg",
                "lead": "Polar H10 single lead",
                "unit": "uV",
                "rate": "130",
                "samples": [12, -35, 1187, -402, 0],
            }
        ],
    }


def test_a_person_reads_words(decode: Decode) -> None:
    _, said, _ = decode("polar-h10", "2A37=104852034803", "00000000000000000000" + "0C0000")
    assert "heart rate 72 /min" in said
    assert "between beats 830.078125, 820.3125 ms" in said
    assert "wave ecg (Polar H10 single lead): 1 sample, 130 a second: uV 12" in said
    _, said, _ = decode("sig-bp", "16FF07FF07FF07EA07030E090702FF070200")
    assert "systolic — (invalid)" in said
    assert "[measurement-failed]   [cuff-too-loose]" in said


@pytest.mark.parametrize(
    ("given", "code"), [("2A3=00", "bad-uuid"), ("=00", "bad-uuid"), ("2A35=0", "bad-hex"), ("xy", "bad-hex")]
)
def test_what_cannot_be_read_is_a_mistake_of_use(decode: Decode, given: str, code: str) -> None:
    status, out, errors = decode("sig-bp", BP_1, given)
    assert (status, out) == (2, "")
    assert "rgument 2" in errors
    assert f"(code: {code})" in errors
    assert given not in errors
