"""`qafila score`: what is missing is said, what cannot be is refused, and nothing is assumed."""

import json
from typing import Any

import pytest

from cli.main import build, run

NEWS2 = "rr=16 spo2=97 o2=false sbp=120 pulse=70 acvpu=A temp=37.0 age=40 pregnant=false"


def score(capsys: pytest.CaptureFixture[str], words: str) -> dict[str, Any]:
    build(["score"])(["score", *words.split(), "--json"], standalone_mode=False)
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str
) -> dict[str, str]:
    monkeypatch.setattr("sys.argv", ["qafila", "score", *words.split(), "--json"])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 1
    told: dict[str, dict[str, str]] = json.loads(capsys.readouterr().out)
    assert told["error"]["next"]
    return told["error"]


def without(name: str) -> str:
    return " ".join(word for word in NEWS2.split() if not word.startswith(f"{name}="))


@pytest.mark.parametrize("name", ["rr", "spo2", "o2", "sbp", "pulse", "acvpu", "temp", "age", "pregnant"])
def test_what_is_not_given_is_missing_and_never_assumed(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    answer = score(capsys, f"news2 {without(name)}")
    assert (answer["total"], answer["band"], answer["missing"]) == (None, "incomplete", [name])
    assert name not in answer["parts"]
    assert len(answer["parts"]) == 7 - (name in ("rr", "spo2", "o2", "sbp", "pulse", "acvpu", "temp"))


def test_an_incomplete_score_still_raises_what_one_value_raises(capsys: pytest.CaptureFixture[str]) -> None:
    answer = score(capsys, f"news2 {without('temp').replace('rr=16', 'rr=25')}")
    assert answer["total"] is None
    assert answer["alerts"] == ["single-3"]
    assert answer["parts"]["rr"] == 3


def test_a_saturation_on_scale_2_hangs_on_the_oxygen_only_where_it_matters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    unsure = score(capsys, f"news2 {without('o2').replace('spo2=97', 'spo2=95')} scale=2")
    assert unsure["missing"] == ["spo2", "o2"]
    sure = score(capsys, f"news2 {without('o2').replace('spo2=97', 'spo2=86')} scale=2")
    assert sure["missing"] == ["o2"]
    assert sure["parts"]["spo2"] == 1


def test_a_value_more_than_a_quarter_of_an_hour_older_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    fresh = score(
        capsys, f"news2 {NEWS2.replace('rr=16', 'rr=16@10:00').replace('temp=37.0', 'temp=37.0@10:15')}"
    )
    assert fresh["total"] == 0
    stale = score(
        capsys, f"news2 {NEWS2.replace('rr=16', 'rr=16@09:59').replace('temp=37.0', 'temp=37.0@10:15')}"
    )
    assert (stale["total"], stale["missing"], stale["stale"]) == (None, ["rr"], ["rr"])


@pytest.mark.parametrize(
    ("words", "code", "offers"),
    [
        (f"news2 {NEWS2.replace('age=40', 'age=15')}", "rule-not-for-patient", "pews"),
        (f"news2 {NEWS2.replace('pregnant=false', 'pregnant=true')}", "rule-not-for-patient", "meows"),
        ("pews age_months=216", "rule-not-for-patient", "news2"),
        ("pews age=0 hr=120", "input-refused", "age_months"),
        ("meows temp=37 pregnant=false", "rule-not-for-patient", "news2"),
        ("bmi kg=20 cm=110 age=6", "rule-not-for-patient", "growth"),
        ("growth sex=m age_days=1827 weight_kg=18", "rule-not-for-patient", ""),
        ("news2 spo2=101", "input-out-of-range", "30 to 100"),
        ("news2 temp=98.6", "input-out-of-range", "°F"),
        ("glucose mg_dl=5.5", "input-out-of-range", "mmol/L"),
        ("bp sbp=16 dbp=10", "input-out-of-range", "kPa"),
        ("bp sbp=80 dbp=80", "pressure-pair", "measure again"),
        ("news2 temp=warm", "input-refused", "digits"),
        ("news2 temp=NaN", "input-refused", "digits"),
        ("news2 o2=maybe", "input-refused", "yes, no"),
        ("news2 tmp=37", "input-unknown", "temp"),
        ("news2 temp", "input-refused", "qafila score news2"),
        ("news2 temp=37 temp=38", "input-refused", "once"),
        ("news2 temp=37@noon", "input-refused", "10:05"),
        ("apgar score=9", "rule-unknown", "news2"),
    ],
)
def test_what_cannot_be_is_refused_with_the_next_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, code: str, offers: str
) -> None:
    error = refused(monkeypatch, capsys, words)
    assert error["code"] == code
    assert offers in error["sentence"] + error["next"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("meows sbp=165", {"band": "trigger", "trigger": True}),
        ("meows sbp=120", {"band": "incomplete", "trigger": None}),
        ("meows sbp=142 dbp=85", {"alerts": ["hypertension-in-pregnancy"]}),
        (
            "meows sbp=120 dbp=110",
            {"alerts": ["severe-hypertension-in-pregnancy", "hypertension-in-pregnancy"]},
        ),
        ("qsofa rr=22 sbp=100 gcs=15", {"total": 2, "band": "high", "notes": ["age-not-given"]}),
        ("qsofa rr=22 sbp=100", {"total": None, "band": "incomplete", "missing": ["gcs"]}),
        ("pews age_months=2 hr=191", {"band": "incomplete", "alerts": ["single-4"]}),
        ("bp sbp=179.9 dbp=109.9", {"esh": "grade 2", "alerts": []}),
        ("bp sbp=150 dbp=110", {"esh": "grade 3", "alerts": ["repeat-after-5-min-and-ask-for-symptoms"]}),
        ("bp sbp=150", {"band": "incomplete", "missing": ["dbp"]}),
        ("bp-protocol readings=121/79,122/80 irregular=true", {"band": "needs one more reading"}),
        ("bp-protocol readings=130/80 141/80", {"band": "needs one more reading"}),
        ("bp-protocol readings=130/80 140/80", {"mean": "135/80"}),
        ("orthostatic lying=130/80", {"band": "incomplete", "positive": None}),
        ("orthostatic lying=130/80 stand1=110/80", {"positive": True}),
        (
            "orthostatic lying=130/80 stand1=129/79",
            {"notes": ["thresholds-to-be-confirmed", "stand3-not-measured"]},
        ),
        ("bmi kg=102.4 cm=160 age=30", {"bmi": 40.0, "class": "obesity III"}),
        (
            "bmi kg=60 cm=160 pregnant=true",
            {"band": None, "notes": ["age-not-given", "no-class-in-pregnancy"]},
        ),
        ("growth sex=m age=1 weight_kg=9.5", {"band": "incomplete", "missing": ["age_days"]}),
        ("muac age_months=24 muac_mm=140 oedema=true", {"muac": "SAM"}),
        ("glucose glucose=HI", {"band": "urgent", "alerts": ["above-the-meters-range"]}),
        ("glucose mg_dl=53", {"band": "severe-low"}),
        ("glucose mg_dl=54", {"band": "low"}),
        ("glucose mg_dl=70", {"band": "in-range"}),
        ("glucose mg_dl=126", {"band": "incomplete", "missing": ["ctx"]}),
        ("glucose mg_dl=126 ctx=fasting", {"band": "to-confirm"}),
        ("glucose mg_dl=199 ctx=random", {"band": "in-range"}),
        ("glucose g_l=2.0", {"band": "to-confirm", "mmol_l": 11.1}),
        ("glucose mmol_l=14 ill=true", {"band": "urgent"}),
        ("glucose mg_dl=260", {"band": "to-confirm", "missing": ["ill"]}),
        ("spo2 spo2=93 pi=0.2", {"band": "unreliable", "alerts": ["perfusion-low"]}),
        ("spo2 spo2=93 altitude_m=2600", {"band": "reliable", "notes": ["altitude-lowers-reference"]}),
        ("news2 temp=37,2", {"parts": {"temp": 0}}),
    ],
)
def test_a_rule_says(capsys: pytest.CaptureFixture[str], words: str, expected: dict[str, Any]) -> None:
    answer = score(capsys, words)
    assert {name: answer[name] for name in expected} == expected


def test_every_rule_is_listed_with_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    listed: Any = score(capsys, "rules")
    wanted = {
        "news2",
        "qsofa",
        "pews",
        "meows",
        "bp",
        "bp-protocol",
        "orthostatic",
        "bmi",
        "growth",
        "glucose",
    }
    assert wanted <= {each["rule"] for each in listed}


@pytest.mark.parametrize(
    ("words", "band", "part", "fact"),
    [
        ("sbp=80 dbp=80", "refuse", ("bp.pair", "refuse"), None),
        ("sys=80 dia=72", "confirm", ("bp.pair", "confirm"), None),
        ("temp=98.6", "refuse", ("temp", "refuse"), ("temp_meant", "37.00 if it was in °F")),
        ("spo2=101", "refuse", ("spo2", "refuse"), None),
        ("mg_dl=5.5", "refuse", ("mg_dl", "refuse"), ("mg_dl_meant", "99.1 if it was in mmol/L")),
        ("sbp=16 dbp=10.7", "refuse", ("sbp", "refuse"), ("sbp_meant", "120.0 if it was in kPa")),
        ("hr=185 age_months=2", "ok", ("hr", "ok"), None),
        ("hr=185 age=40", "confirm", ("hr", "confirm"), None),
    ],
)
def test_limits_say_what_is_refused_what_is_asked_and_what_was_meant(
    capsys: pytest.CaptureFixture[str],
    words: str,
    band: str,
    part: tuple[str, str],
    fact: tuple[str, str] | None,
) -> None:
    answer = score(capsys, f"limits {words}")
    assert answer["band"] == band
    assert answer["parts"][part[0]] == part[1]
    assert fact is None or answer[fact[0]] == fact[1]
