"""The documentation of the local API says what the messages are."""

import re
from pathlib import Path

from edge.agent import receipts, refusals
from edge.localapi import reference
from edge.localapi.messages import EVENTS, METHODS, schema
from edge.ports.caller import CallRefused

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "local-api.md"


def test_the_tables_are_generated_from_the_messages() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert reference.put_into(text) == text, f"run python -m edge.localapi.reference {DOCUMENT.name}"
    assert text.count(reference.BEGIN) == 1


def test_every_code_the_agent_refuses_with_is_explained() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    own = [each for each in vars(refusals).values() if isinstance(each, type)]
    codes = {each.code for each in own if issubclass(each, CallRefused)} - {"call-refused", "unknown"}
    for code in codes | set(receipts.Refused):
        assert f"`{code}`" in text, code


def test_the_schema_names_every_method_and_event() -> None:
    exported = schema()
    assert set(exported["methods"]) == set(METHODS)
    assert set(exported["events"]) == set(EVENTS)
    assert exported["version"] == 1
    for method in exported["methods"].values():
        assert method["takes"]["additionalProperties"] is False


def test_what_a_method_does_is_one_sentence() -> None:
    for name, method in METHODS.items():
        assert re.fullmatch(r"[A-Z].*[.]", method.does), name
