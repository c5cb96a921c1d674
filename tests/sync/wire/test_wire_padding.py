import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.wire import padding
from sync.wire.errors import EnvelopeRefused


def padme(length: int) -> int:
    """As the paper has it, in floating point."""
    if length < 2:
        return length
    exponent = math.floor(math.log2(length))
    low_bits = exponent - (math.floor(math.log2(exponent)) + 1 if exponent else 0)
    step = 1 << low_bits
    return math.ceil(length / step) * step


@given(st.integers(0, 2**20))
def test_lengths_are_those_of_the_paper(length: int) -> None:
    assert padding.padded_length(length) == padme(length)
    assert length <= padding.padded_length(length) <= length * 1.12 + 1
    assert padding.padded_length(padding.padded_length(length)) == padding.padded_length(length)


@given(st.binary(max_size=600))
def test_padding_comes_off(content: bytes) -> None:
    assert padding.unpad(padding.pad(content)) == content


@pytest.mark.parametrize(
    "padded",
    [b"", bytes(8), b"abc", b"\x80\x00", b"abc\x80" + bytes(100), padding.pad(b"x" * 200)[:-1], b"\x81"],
)
def test_other_padding_is_refused(padded: bytes) -> None:
    with pytest.raises(EnvelopeRefused) as refused:
        padding.unpad(padded)
    assert refused.value.stable_code == "decode"


def test_lengths_tell_little() -> None:
    assert len({padding.padded_length(length) for length in range(1000, 3000)}) < 30
