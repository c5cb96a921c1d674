"""Keys are believed because a pinned root says so, each for its use and time."""

import dataclasses
from typing import Any

import pytest

from edge import cbor
from sync.wire import cose, keys, keyset
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Key, Use
from tests.sync.wire.wire_world import (
    CENTRE_SEAL,
    COLD_ROOT,
    KEYSET,
    KEYSET_RAW,
    LANDED,
    OPENED,
    OTHER_REALM,
    REALM,
    ROOT,
    ROOTS,
    signing,
)


def refusal(raw: bytes, realm: str = REALM) -> str:
    with pytest.raises(EnvelopeRefused) as refused:
        keyset.read(raw, ROOTS, realm)
    return refused.value.stable_code


def test_it_comes_back_from_either_root() -> None:
    for root in (ROOT, COLD_ROOT):
        assert keyset.read(keyset.sign(KEYSET, root), ROOTS, REALM) == KEYSET


def test_another_root_is_not_believed() -> None:
    for private in (signing("stranger"), LANDED):
        assert refusal(keyset.sign(KEYSET, private)) == "kid"


def test_the_other_realm_is_refused() -> None:
    assert refusal(keyset.sign(dataclasses.replace(KEYSET, realm=OTHER_REALM), ROOT)) == "realm"
    assert refusal(KEYSET_RAW, OTHER_REALM) == "realm"


def test_a_realm_that_contradicts_its_signature_is_refused() -> None:
    payload = cbor.encode([1, OTHER_REALM, [1], []])
    protected = cose.protected_header(keys.kid(ROOTS[0]))
    assert refusal(cose.sign(protected, payload, ROOT, Purpose.KEYSET, REALM)) == "realm"


def test_a_key_is_found_for_its_use_only() -> None:
    kid = keys.kid(keys.signing_public(LANDED))
    for use in Use:
        assert (KEYSET.find(kid, use) is not None) is (use is Use.LANDED)
    assert KEYSET.find(bytes(8), Use.LANDED) is None


def test_a_key_is_found_for_its_time_only() -> None:
    kid = keys.kid(keys.signing_public(OPENED))
    found = {
        now: KEYSET.find(kid, Use.OPENED, now) is not None for now in (None, 0, 1_800_000_000_000, 2**62)
    }
    assert found == {None: True, 0: False, 1_800_000_000_000: True, 2**62: False}
    assert KEYSET.of_use(Use.OPENED, 0) == ()
    assert len(KEYSET.of_use(Use.OPENED)) == 1


def test_a_use_from_the_future_is_kept_and_never_found() -> None:
    newer = dataclasses.replace(KEYSET, keys=(Key(signing("future"), "weather"), *KEYSET.keys))
    read = keyset.read(keyset.sign(newer, ROOT), ROOTS, REALM)
    assert read == newer
    assert not any(read.find(keys.kid(signing("future")), use) for use in Use)


KEY: list[Any] = [keys.signing_public(LANDED), "landed", 0, None]


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        [1, REALM, [1]],
        [0, REALM, [1], []],
        [True, REALM, [1], []],
        [1, REALM, [0], []],
        [1, REALM, [2, 1], []],
        [1, REALM, [1, 1], []],
        [1, REALM, list(range(1, 70)), []],
        [1, REALM, 1, []],
        [1, REALM, [1], {}],
        [1, REALM, [1], [KEY] * 65],
        [1, REALM, [1], [KEY[:3]]],
        [1, REALM, [1], [["key", *KEY[1:]]]],
        [1, REALM, [1], [[KEY[0], 5, 0, None]]],
        [1, REALM, [1], [[KEY[0], "u" * 33, 0, None]]],
        [1, REALM, [1], [[KEY[0], "landed", -1, None]]],
        [1, REALM, [1], [[KEY[0], "landed", 0, -1]]],
        [1, REALM, [1], [[KEY[0], "seal-to", 0, None]]],
        [1, REALM, [1], [[keys.sealing_public(CENTRE_SEAL), "landed", 0, None]]],
    ],
)
def test_a_keyset_out_of_bounds_is_refused(body: object) -> None:
    protected = cose.protected_header(keys.kid(ROOTS[0]))
    payload = cbor.encode(body)  # type: ignore[arg-type]  # anything goes
    assert refusal(cose.sign(protected, payload, ROOT, Purpose.KEYSET, REALM)) == "form"
