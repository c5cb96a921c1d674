"""The tables cover every number once, and are applied as they are printed."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.scoring import ladders, points, rules, tables
from edge.scoring.given import Given, Inputs, Value
from edge.scoring.intervals import check_complete, parse

POINT_TABLES = ("news2", "qsofa", "pews", "meows", "imci-rr")
CLASS_TABLES = ("bp", "bp-protocol", "orthostatic", "bmi", "growth", "muac", "glucose", "spo2")
NEWS2 = """
rule = "news2"
version = "1"
source = "a programme"
confirmed = true
[[input]]
key = "rr"
decimals = 0
[[input.variant]]
bands = { 1 = ["<= 8"], 0 = [">= 9"] }
[[band]]
name = "low"
total = "<= 0"
[[band]]
name = "high"
total = ">= 1"
"""


@pytest.mark.parametrize("name", POINT_TABLES)
def test_the_point_tables_are_whole(name: str) -> None:
    assert rules.point_table(name).rule == name


@pytest.mark.parametrize("name", CLASS_TABLES)
def test_the_class_tables_are_whole(name: str) -> None:
    assert rules.class_table(name).rule == name


@pytest.mark.parametrize(
    ("find", "put"),
    [
        ('">= 9"', '">= 10"'),
        ('"<= 8"', '"<= 9"'),
        ('"<= 8"', '"8 .. 8"'),
        ('"<= 8"', '"about 8"'),
        ('"<= 8"', '"9 .. 8"'),
        ('name = "low"\ntotal = "<= 0"', 'name = "low"\ntotal = "<= -1"'),
        ("decimals = 0", "decimals = 0\npoints = 3"),
        ("decimals = 0", 'decimals = "none"'),
        ("confirmed = true", 'confirmed = "yes"'),
        ('source = "a programme"', ""),
        ("bands = {", 'when = { weather = ["hot"] }\nbands = {'),
        ("[[input]]", "[[input]"),
    ],
)
def test_a_table_with_a_gap_an_overlap_or_a_wrong_word_is_refused(find: str, put: str) -> None:
    assert tables.read(NEWS2).rule == "news2"
    assert find in NEWS2
    with pytest.raises(tables.TableRefused):
        tables.read(NEWS2.replace(find, put, 1))


@pytest.mark.parametrize("put", ['["<120"]', '["<120", "120 .. 130", ">= 130"]', '["<120", ">= 121"]'])
def test_a_ladder_with_a_gap_an_overlap_or_a_missing_rung_is_refused(put: str) -> None:
    good = (
        'rule = "bp"\nversion = "1"\nsource = "a"\nconfirmed = true\n'
        '[[ladder]]\nname = "esh"\nclasses = ["low", "high"]\n[ladder.of]\nsbp = ["<120", ">= 120"]\n'
    )
    assert ladders.read(good).ladders["esh"].rung(sbp=Decimal(120)) == 1
    with pytest.raises(tables.TableRefused):
        ladders.read(good.replace('["<120", ">= 120"]', put))


# ── intervals ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("<= 8", "8", "8.1"),
        ("<8", "7.99", "8"),
        (">= 25", "25", "24.9"),
        (">25", "25.1", "25"),
        ("35 .. <36", "35", "36"),
        (">2 .. 3", "3", "2"),
        ("-3 .. <-2", "-3", "-2"),
    ],
)
def test_an_interval_holds(text: str, inside: str, outside: str) -> None:
    assert Decimal(inside) in parse(text)
    assert Decimal(outside) not in parse(text)


@given(edges=st.lists(st.integers(-50, 300), min_size=1, max_size=8, unique=True))
def test_what_is_cut_at_some_edges_is_complete(edges: list[int]) -> None:
    ordered = sorted(edges)
    between = [f"{low} .. <{high}" for low, high in pairwise(ordered)]
    texts = [f"<{ordered[0]}", *between, f">= {ordered[-1]}"]
    check_complete(map(parse, texts), None)
    if between:
        with pytest.raises(ValueError, match="gap"):
            check_complete(map(parse, [texts[0], *texts[2:]]), None)


# ── NEWS2 as the College prints it, written a second time ───────────────────────────────────────


def printed(
    rr: int, spo2: int, sbp: int, pulse: int, temp: Decimal, *, alert: bool, oxygen: bool, scale: str
) -> int:
    total = 3 if rr <= 8 else 1 if rr <= 11 else 0 if rr <= 20 else 2 if rr <= 24 else 3
    if scale == "1":
        total += 3 if spo2 <= 91 else 2 if spo2 <= 93 else 1 if spo2 <= 95 else 0
    elif spo2 <= 92 or not oxygen:
        total += 3 if spo2 <= 83 else 2 if spo2 <= 85 else 1 if spo2 <= 87 else 0
    else:
        total += 1 if spo2 <= 94 else 2 if spo2 <= 96 else 3
    total += 2 if oxygen else 0
    total += 3 if sbp <= 90 else 2 if sbp <= 100 else 1 if sbp <= 110 else 0 if sbp <= 219 else 3
    total += (
        3
        if pulse <= 40
        else 1
        if pulse <= 50
        else 0
        if pulse <= 90
        else 1
        if pulse <= 110
        else 2
        if pulse <= 130
        else 3
    )
    total += 0 if alert else 3
    tenths = int(temp * 10)
    return total + (
        3 if tenths <= 350 else 1 if tenths <= 360 else 0 if tenths <= 380 else 1 if tenths <= 390 else 2
    )


@given(
    rr=st.integers(1, 120),
    spo2=st.integers(30, 100),
    sbp=st.integers(30, 300),
    pulse=st.integers(20, 300),
    temp=st.decimals("25.0", "45.0", places=1),
    acvpu=st.sampled_from("ACVPU"),
    oxygen=st.booleans(),
    scale=st.sampled_from("12"),
)
def test_news2_is_what_is_printed(
    *, rr: int, spo2: int, sbp: int, pulse: int, temp: Decimal, acvpu: str, oxygen: bool, scale: str
) -> None:
    values: dict[str, Value] = {
        "rr": Decimal(rr),
        "spo2": Decimal(spo2),
        "sbp": Decimal(sbp),
        "pulse": Decimal(pulse),
        "temp": temp,
        "acvpu": acvpu,
        "o2": "yes" if oxygen else "no",
        "scale": scale,
        "age_months": Decimal(480),
        "pregnant": False,
    }
    inputs = Inputs({name: Given(value, observation=name) for name, value in values.items()})
    result = points.score(rules.point_table("news2"), inputs)
    wanted = printed(rr, spo2, sbp, pulse, temp, alert=acvpu == "A", oxygen=oxygen, scale=scale)
    assert result.total == wanted == sum(int(each) for each in result.parts.values())
    single = 3 in result.parts.values()
    low = "low-medium" if single else "low"
    assert result.band == ("high" if wanted >= 7 else "medium" if wanted >= 5 else low)
    assert ("single-3" in result.alerts) is single
    assert set(result.observations) == {"rr", "spo2", "sbp", "pulse", "temp", "acvpu", "o2"}


@pytest.mark.parametrize(("shown", "points_"), [("38.04", 0), ("38.05", 1), ("35.04", 3), ("35.05", 1)])
def test_what_is_scored_is_what_is_displayed(shown: str, points_: int) -> None:
    inputs = Inputs({"temp": Given(Decimal(shown))})
    assert points.score(rules.point_table("news2"), inputs).parts == {"temp": points_}
