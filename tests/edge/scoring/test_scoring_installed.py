"""A programme's own tables: taken whole where they fit their rule, refused with a reason where not."""

from collections.abc import Generator
from decimal import Decimal
from importlib import resources

import pytest

from edge.scoring import installed, rules
from edge.scoring.given import Given, Inputs
from edge.scoring.installed import IN_FORCE
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
)
def test_a_table_that_does_not_fit_its_rule_is_refused_and_nothing_changes(
    name: str, text: str, says: str
) -> None:
    IN_FORCE.put({"limits": LIMITS})
    with pytest.raises(TableRefused, match=says) as error:
        IN_FORCE.put({"meows": own("meows"), name: text})
    assert str(error.value).startswith(f"{name}: ")
    assert IN_FORCE.replaced() == ["limits"]
