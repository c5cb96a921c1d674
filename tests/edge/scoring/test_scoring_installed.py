"""A programme's own tables: taken whole where they fit their rule, refused with a reason where not."""

import contextlib
from collections.abc import Generator
from decimal import Decimal
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.scoring import installed, limit_rule, rules
from edge.scoring.given import Given, Inputs
from edge.scoring.installed import IN_FORCE
from edge.scoring.limits import LimitTable
from edge.scoring.tables import TableRefused


def own(name: str) -> str:
    return (resources.files("edge.scoring") / "tables" / f"{name}.toml").read_text("utf-8")


def changed(name: str, *pairs: tuple[str, str]) -> str:
    text = own(name)
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    return text


LIMITS = changed(
    "limits", ('version = "2026-1"', 'version = "azilal-3"'), ('"34.0 .. 40.5"', '"35.0 .. 39.0"')
)


@pytest.fixture(autouse=True)
def _own_tables_afterwards() -> Generator[None]:
    yield
    IN_FORCE.put({})


def band(**values: str) -> tuple[str, str | None]:
    result = rules.find("limits").apply(Inputs({key: Given(Decimal(each)) for key, each in values.items()}))
    return result.version, result.band


pieces = st.one_of(
    st.text(max_size=6), st.sampled_from(["=", "[", "]]", "{", '"', "..", "<", "nan", "inf", "-1"])
)


@settings(max_examples=150)
@given(
    name=st.sampled_from(installed.names()),
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 12), pieces), min_size=1, max_size=4),
    numbers=st.dictionaries(st.sampled_from(list(limit_rule.CODES)), st.decimals(-10, 500, places=1)),
    months=st.none() | st.integers(0, 1200).map(Decimal),
)
def test_a_table_that_somebody_has_mangled_is_refused_or_can_be_applied(
    name: str,
    edits: list[tuple[int, int, str]],
    numbers: dict[str, Decimal],
    months: Decimal | None,
) -> None:
    text = own(name)
    for at, length, piece in edits:
        text = text[: at % len(text)] + piece + text[at % len(text) + length :]
    with contextlib.suppress(TableRefused):
        installed.check({name: text})
        table = installed.read(name, text)
        if isinstance(table, LimitTable):
            given_ = {key: Given(value) for key, value in numbers.items()}
            given_ |= {} if months is None else {"age_months": Given(months)}
            assert limit_rule.judge(table, Inputs(given_)).version == table.version


def test_brackets_without_end_and_numbers_that_are_none_are_refused() -> None:
    for text in (
        "a = " + "[" * 50_000,
        changed("limits", ("pulses_differ_percent = 15", "pulses_differ_percent = nan")),
        changed("limits", ("old_hours = 24", "old_hours = inf")),
    ):
        with pytest.raises(TableRefused):
            installed.check({"limits": text})
    with pytest.raises(TableRefused):
        installed.check({"glucose": changed("glucose", ("urgent_from = ", "urgent_from = nan # "))})


@pytest.mark.parametrize("name", installed.names())
def test_the_projects_own_text_of_every_table_could_be_sent(name: str) -> None:
    IN_FORCE.put({name: own(name)})
    assert IN_FORCE.replaced() == [name]
    assert IN_FORCE.table(name) == installed.own(name)


def test_a_programmes_table_holds_at_once_and_results_carry_its_version() -> None:
    assert band(temp="39.5") == ("2026-1", "ok")
    IN_FORCE.put({"limits": LIMITS})
    assert band(temp="39.5") == ("azilal-3", "confirm")
    IN_FORCE.put({})
    assert band(temp="39.5") == ("2026-1", "ok")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("limits", changed("limits", ('"34.0 .. 40.5"', '"35.0 .. 39.0"')), "its version is 2026-1"),
        ("limits", changed("limits", ("25.0 .. 45.0", "20.0 .. 45.0")), "can be true"),
        ("limits", changed("limits", ('"34.0 .. 40.5"', '"24.0 .. 40.5"')), "what is usual"),
        ("limits", changed("limits", ('"<3" = ">45 .. <130"', "")), "months of age"),
        ("limits", changed("limits", ('code = "pain"', 'code = "mood"')), "mood"),
        ("limits", own("limits").partition("[[limit]]\n# No")[0], "no limits for"),
        ("limits", changed("limits", ('rule = "limits"', 'rule = "news2"')), "no table of limits"),
        ("limits", changed("limits", ("old_hours = 24", "old_hours = -1")), "above 0"),
        ("limits", "rule = ", "TOML"),
        ("news2", own("qsofa"), "it is of the rule qsofa"),
        ("news2", changed("news2", ('">= 7"', '">= 8"'), ('"5 .. 6"', '"5 .. 7"')), "its version is 2017-1"),
        ("news2", changed("news2", ('version = "2017-1"', 'version = "x"'), ('"rr"', '"mood"')), "mood"),
        ("bmi", changed("bmi", ('rule = "bmi"', 'rule = "bp"')), "it is of the rule bp"),
        ("triage", own("news2"), "no rule of this name"),
        ("news2", own("news2") + "#" * installed.MAX_CHARACTERS, "characters"),
    ],
    ids=lambda value: value if len(value) < 30 else "",
)
def test_a_table_that_does_not_fit_its_rule_is_refused_and_nothing_changes(
    name: str, text: str, says: str
) -> None:
    IN_FORCE.put({"limits": LIMITS})
    with pytest.raises(TableRefused, match=says) as error:
        IN_FORCE.put({"meows": own("meows"), name: text})
    assert str(error.value).startswith(f"{name}: ")
    assert IN_FORCE.replaced() == ["limits"]
