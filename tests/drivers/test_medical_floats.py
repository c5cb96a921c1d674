"""Medical floats: exact, and a special value is never a number."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codec.sfloat import (
    MedicalFloat,
    Special,
    decode_float,
    decode_sfloat,
    encode_float,
    encode_sfloat,
    has_special_mantissa,
)

VECTORS: Final[dict[str, list[dict[str, Any]]]] = tomllib.loads(
    (Path(__file__).parents[1] / "vectors/medical_floats.toml").read_text()
)


def meant(vector: dict[str, Any]) -> MedicalFloat:
    return Special(vector["special"]) if "special" in vector else Decimal(vector["value"])


def same(one: MedicalFloat, other: MedicalFloat) -> bool:
    """Equal in value and in precision: 10.0 is not 10."""
    return str(one) == str(other) and type(one) is type(other)


@pytest.mark.parametrize("vector", VECTORS["sfloat"], ids=lambda v: v["hex"])
def test_sixteen_bits_mean(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["hex"])
    assert same(decode_sfloat(raw), meant(vector))
    assert encode_sfloat(meant(vector)) == raw
    assert has_special_mantissa(raw) is vector.get("special_mantissa", False)


@pytest.mark.parametrize("vector", VECTORS["float"], ids=lambda v: v["hex"])
def test_thirty_two_bits_mean(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["hex"])
    assert same(decode_float(raw), meant(vector))
    assert encode_float(meant(vector)) == raw
    assert has_special_mantissa(raw) is vector.get("special_mantissa", False)


def test_every_two_bytes_are_a_number_or_one_of_five_reasons_and_come_back() -> None:
    specials: dict[Special, int] = {}
    for word in range(0x10000):
        raw = word.to_bytes(2, "little")
        said = decode_sfloat(raw)
        assert encode_sfloat(said) == raw
        if isinstance(said, Special):
            specials[said] = word
        else:
            mantissa = word & 0xFFF
            exponent = word >> 12
            signed = mantissa - 0x1000 if mantissa & 0x800 else mantissa
            assert said == Decimal(signed).scaleb(exponent - 16 if exponent & 8 else exponent)
    assert specials == {
        Special.PLUS_INFINITY: 0x7FE,
        Special.NAN: 0x7FF,
        Special.NOT_AT_THIS_RESOLUTION: 0x800,
        Special.RESERVED: 0x801,
        Special.MINUS_INFINITY: 0x802,
    }


@given(st.binary(min_size=4, max_size=4))
def test_any_four_bytes_come_back(raw: bytes) -> None:
    assert encode_float(decode_float(raw)) == raw


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-20, max_value=20))
def test_a_number_that_fits_is_written_exactly(value: Decimal) -> None:
    assert decode_sfloat(encode_sfloat(value)) == value


@pytest.mark.parametrize("value", ["2047", "123.45", "1E+12", "1E-9", "-2049", "1E+500", "Infinity", "NaN"])
def test_what_does_not_fit_is_refused_and_never_rounded(value: str) -> None:
    with pytest.raises(ValueError, match=r"exactly|Special"):
        encode_sfloat(Decimal(value))


@pytest.mark.parametrize("length", [0, 1, 3, 4])
def test_another_length_is_no_sfloat(length: int) -> None:
    with pytest.raises(ValueError, match="no medical float"):
        decode_sfloat(bytes(length))
