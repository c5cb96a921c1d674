"""One spelling for every value, and a reader that takes no other. `cbor2` is the second opinion."""

import random
from collections.abc import Mapping

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import cbor
from edge.cbor import MalformedCbor
from edge.records.fields import Field, Payload, Source
from edge.vitals.codes import Code

integers = st.integers(-(2**64), 2**64 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | integers | texts | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(integers, inner, max_size=5)
        | st.dictionaries(texts, inner, max_size=5)
    ),
    max_leaves=20,
)


@given(values)
def test_what_is_written_is_read_back(value: cbor.Value) -> None:
    read = cbor.decode(cbor.encode(value))
    assert read == value
    assert repr(read) == repr(_sorted(value))  # True is not 1, a list no tuple


@given(values)
def test_another_reader_reads_the_same(value: cbor.Value) -> None:
    assert cbor2.loads(cbor.encode(value)) == value


@given(values.filter(lambda value: not _mixed_signs(value)))
def test_another_writer_writes_the_same(value: cbor.Value) -> None:
    # cbor2 orders keys by length first, RFC 7049's way; where signs are not mixed the two orders agree
    assert cbor2.dumps(value, canonical=True) == cbor.encode(value)


def test_keys_stand_in_bytewise_order() -> None:
    assert cbor.encode({-1: 0, 24: 0, 0: 0}).hex() == "a3000018180020 00".replace(" ", "")
    with pytest.raises(MalformedCbor):
        cbor.decode(bytes.fromhex("a3000020001818 00"))  # RFC 7049's order


def test_named_numbers_and_words_are_written_as_what_they_stand_for() -> None:
    named: Payload = {Field.CODE: Code.PAIN, Field.SOURCE: Source.LATE}
    assert cbor.encode(named) == cbor.encode({50: "pain", 55: 2})


@pytest.mark.parametrize(
    "value",
    [1.5, float("nan"), 2**64, -(2**64) - 1, {1: 0, "a": 0}, {b"k": 0}, {None: 0}, {True: 0}, {0.5: 0}],
)
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [value], lambda value: {1: value}])
def test_what_is_never_written_is_refused(value: object, wrap: object) -> None:
    assert callable(wrap)
    with pytest.raises(MalformedCbor):
        cbor.encode(wrap(value))


@pytest.mark.parametrize(
    "value", [{1}, object(), bytearray(b"x"), {(1, 2): 0}, "\ud800", cbor2.CBORTag(1, 0)]
)
def test_other_kinds_are_refused(value: object) -> None:
    with pytest.raises(MalformedCbor):
        cbor.encode(value)  # type: ignore[arg-type]  # that is the point


def test_nesting_ends_where_the_reader_ends() -> None:
    deepest: cbor.Value = 0
    for _ in range(cbor.MAX_DEPTH):
        deepest = [deepest]
    assert cbor.decode(cbor.encode(deepest)) == deepest
    for writer in (cbor.encode, lambda value: cbor.decode(cbor2.dumps(value))):
        with pytest.raises(MalformedCbor):
            writer([deepest])
        with pytest.raises(MalformedCbor):
            writer({1: deepest})


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        ("", "nothing"),
        ("1800", "a small integer in two bytes"),
        ("1900ff", "a byte in three"),
        ("1a0000ffff", "two bytes in five"),
        ("1b00000000ffffffff", "four bytes in nine"),
        ("1c", "a reserved head"),
        ("1c" + "ff" * 16, "a reserved head with sixteen bytes"),
        ("9c" + "00" * 16, "a list with a reserved head"),
        ("1f", "an indefinite integer"),
        ("5f4101ff", "indefinite bytes"),
        ("7f6161ff", "indefinite text"),
        ("9f00ff", "an indefinite list"),
        ("bf0000ff", "an indefinite map"),
        ("c000", "a tag"),
        ("c249010000000000000000", "a big number"),
        ("d8184100", "encoded CBOR in a tag"),
        ("f7", "undefined"),
        ("f800", "a simple value in two bytes"),
        ("f818", "an unassigned simple value"),
        ("e0", "another"),
        ("f93c00", "a half float"),
        ("fa3f800000", "a float"),
        ("fb3ff0000000000000", "a double"),
        ("ff", "a break"),
        ("0000", "something that follows"),
        ("4101 00", "something that follows bytes"),
        ("42 01", "bytes cut short"),
        ("62 61", "text cut short"),
        ("1a 0000", "an integer cut short"),
        ("82 00", "a list cut short"),
        ("a1 00", "a map cut short"),
        ("61 ff", "text that is no UTF-8"),
        ("63 eda080", "a surrogate"),
        ("a2 0000 0001", "a key twice"),
        ("a2 0100 0000", "keys out of order"),
        ("a2 0000 616100", "keys of two kinds"),
        ("a1 4100 00", "bytes as a key"),
        ("a1 f6 00", "null as a key"),
        ("a1 f5 00", "true as a key"),
        ("a1 80 00", "a list as a key"),
        ("a2 00 00 f4 00", "zero and false as keys"),
        ("9b 7fffffffffffffff", "a list longer than the world"),
        ("bb 7fffffffffffffff", "a map longer than the world"),
        ("5b 7fffffffffffffff", "bytes longer than the world"),
        ("81" * 5000 + "00", "nesting without end"),
    ],
)
def test_other_spellings_are_refused(raw: str, what: str) -> None:
    with pytest.raises(MalformedCbor):
        pytest.fail(f"{what} was read as {cbor.decode(bytes.fromhex(raw))!r}")


@given(values)
def test_every_truncation_is_refused(value: cbor.Value) -> None:
    raw = cbor.encode(value)
    for end in range(len(raw)):
        with pytest.raises(MalformedCbor):
            cbor.decode(raw[:end])


@given(st.dictionaries(integers, values, max_size=8))
def test_a_map_comes_apart_and_together(fields: Mapping[int, cbor.Value]) -> None:
    raw = cbor.encode(fields)
    parts = cbor.split(raw)
    assert {key: cbor.decode(part) for key, part in parts.items()} == fields
    assert cbor.join(parts) == raw


@pytest.mark.parametrize("raw", ["", "00", "80", "a1616100", "a2000000", "a10000 00", "a1", "bc", "a1001800"])
def test_only_maps_with_integer_keys_come_apart(raw: str) -> None:
    with pytest.raises(MalformedCbor):
        cbor.split(bytes.fromhex(raw))


@given(st.lists(values, max_size=8))
def test_a_list_comes_apart_and_together(listed: list[cbor.Value]) -> None:
    raw = cbor.encode(listed)
    parts = cbor.items(raw)
    assert parts == [(cbor.encode(value), cbor.decode(cbor.encode(value))) for value in listed]
    assert cbor.list_of([part for part, _ in parts]) == raw


@pytest.mark.parametrize(
    "raw", ["", "00", "a0", "8100 00", "81", "82 00", "9a", "9fff", "98 01 00", "81 1800"]
)
def test_only_lists_in_the_one_form_come_apart(raw: str) -> None:
    with pytest.raises(MalformedCbor):
        cbor.items(bytes.fromhex(raw))


@given(st.binary(max_size=300))
def test_the_bytes_of_a_string_of_bytes_are_found(content: bytes) -> None:
    assert cbor.content(cbor.encode(content)) == content


def test_the_first_value_is_read_as_strictly() -> None:
    assert cbor.decode_first(bytes.fromhex("820001ff")) == ([0, 1], 3)
    with pytest.raises(MalformedCbor):
        cbor.decode_first(bytes.fromhex("1800ff"))


@pytest.mark.fuzz
def test_no_bytes_raise_anything_else() -> None:
    chance = random.Random(11)  # noqa: S311  the same inputs every time
    seeds = [cbor.encode({1: 2, 50: ["spo2", None, True], -7: {"a": b"xyz", "b": [2**40]}}), bytes(range(64))]
    taken = 0
    for _ in range(100_000):
        raw = bytearray(chance.choice(seeds)) if chance.random() < 0.7 else bytearray(chance.randbytes(24))
        for _ in range(chance.randrange(1, 4)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        raw = raw[: chance.randrange(1, len(raw) + 1)] if chance.random() < 0.3 else raw
        try:
            value = cbor.decode(bytes(raw))
        except MalformedCbor:
            continue
        taken += 1
        assert cbor.encode(value) == raw
    assert taken > 1000, "the fuzz reaches what is taken, too"


def _sorted(value: cbor.Value) -> cbor.Value:
    """With maps in the order in which they are read."""
    match value:
        case list():
            return [_sorted(item) for item in value]
        case dict():
            return {key: _sorted(value[key]) for key in sorted(value, key=cbor.encode)}
        case _:
            return value


def _mixed_signs(value: cbor.Value) -> bool:
    match value:
        case list():
            return any(map(_mixed_signs, value))
        case dict():
            numbers = [key for key in value if isinstance(key, int)]
            mixed = any(key < 0 for key in numbers) and any(key >= 0 for key in numbers)
            return mixed or any(map(_mixed_signs, value.values()))
        case _:
            return False
