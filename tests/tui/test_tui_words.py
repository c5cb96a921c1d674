"""Sentences: every language has all of them, and every error of the agent has one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.agent.keeping import ERASURE_WAITS
from edge.i18n.catalogue import LANGUAGES, LanguageUnknown, load
from edge.security.secret_sources import COPIES_DIFFER, COPY_NOT_MADE, COPY_NOT_SEEN
from edge.vitals.codes import VITALS
from edge.vitals.limits import (
    BEFORE_BIRTH,
    HEIGHT_CHANGES,
    PRESSURE_PAIR,
    PULSES_DIFFER,
    REFUSE_OUTSIDE,
    TIME_AHEAD,
    TIME_OLD,
    WEIGHT_CHANGES,
)
from edge.vitals.quantity import MissingReason

ROOT = Path(__file__).resolve().parents[2]
OF_THE_AGENT = (
    "edge/agent",
    "edge/store",
    "edge/security",
    "edge/localapi",
    "edge/backups.py",
    "edge/ports",
    *(f"edge/spool/{name}.py" for name in ("files", "inbox", "names", "outbox")),
)
BLANK = re.compile(r"\{(\w+)\}")


def _sources(*places: str) -> Iterator[ast.Module]:
    for place in places:
        path = ROOT / place
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            yield ast.parse(file.read_text(encoding="utf-8"))


def _error_codes() -> set[str]:
    """Every ``code`` of an error class and every ``code="…"`` given with a sentence."""
    codes: set[str] = set()
    for module in _sources(*OF_THE_AGENT):
        for node in ast.walk(module):
            value = None
            if isinstance(node, ast.AnnAssign | ast.keyword):
                named = node.arg if isinstance(node, ast.keyword) else getattr(node.target, "id", "")
                value = node.value if named == "code" else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                codes.add(value.value)
    return codes


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_sentence_with_the_same_blanks(language: str) -> None:
    first, other = load(LANGUAGES[0]), load(language)
    assert other.codes == first.codes
    for code in first.codes:
        assert set(BLANK.findall(other.raw(code))) == set(BLANK.findall(first.raw(code))), code


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_of_the_agent_has_a_sentence_and_a_next_step(language: str) -> None:
    catalogue = load(language)
    codes = _error_codes() | {COPIES_DIFFER, COPY_NOT_MADE, COPY_NOT_SEEN, ERASURE_WAITS}
    assert len(codes) > 40
    missing = {
        code for code in codes if not catalogue.codes >= {f"error.{code}.sentence", f"error.{code}.next"}
    }
    assert missing == set()


def test_every_sentence_the_screens_name_exists() -> None:
    catalogue = load("fr")
    for module in _sources("tui"):
        for node in ast.walk(module):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", getattr(node.func, "attr", "")) == "say"
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                assert node.args[0].value in catalogue.codes


def test_every_value_reason_limit_and_clock_has_a_word() -> None:
    codes = load("fr").codes
    wanted = {f"vital.{code}" for code in VITALS} | {f"missing.{why}" for why in MissingReason}
    wanted |= {f"limit.{code}" for code in REFUSE_OUTSIDE}
    wanted |= {f"limit.{rule}" for rule in (PRESSURE_PAIR, PULSES_DIFFER, TIME_AHEAD, TIME_OLD)}
    wanted |= {f"limit.{rule}" for rule in (BEFORE_BIRTH, WEIGHT_CHANGES, HEIGHT_CHANGES)}
    wanted |= {f"clock.{word}" for word in ("none", "operator", "rtc", "ntp", "gnss", "centre")}
    wanted |= {f"state.{word}" for word in ("saved", "sent", "arrived", "received")}
    assert wanted - codes == set()


def test_an_unknown_code_shows_itself_and_an_unknown_error_its_own_words() -> None:
    catalogue = load("fr")
    assert catalogue("no.such.code") == "no.such.code"
    assert catalogue.error("no-such", "It says so.", "Do that.") == ("It says so.", "Do that.")


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(LanguageUnknown):
        load("tlh")
