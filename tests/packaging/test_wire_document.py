"""docs/reference/wire.md says what the code does."""

from edge.records.fields import Field
from sync.wire import topics
from tests.packaging.wire_tables import PAGE, names_in, rendered, tables


def test_every_table_is_up_to_date() -> None:
    """If this fails: python -m tests.packaging.wire_tables."""
    page = PAGE.read_text()
    assert sorted(names_in(page)) == sorted(tables())
    assert rendered(page) == page


def test_every_field_is_documented_with_its_type() -> None:
    page = PAGE.read_text()
    for field in Field:
        assert f"| {int(field)} | `{field.name}` | " in page


def test_every_topic_is_named() -> None:
    page = PAGE.read_text()
    for word in topics.UP_WORDS:
        assert f"`{word}`" in page
    for topic in (
        topics.receipt("UNIT", "landed"),
        topics.down("UNIT"),
        topics.state("UNIT"),
        topics.keyset("UNIT"),
        topics.certificate("UNIT"),
    ):
        assert topic.removeprefix("qafila/v1/UNIT") in page
