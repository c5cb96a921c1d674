"""Requests prove possession; bundles answer one request and no other."""

import dataclasses
import hashlib

import pytest

from edge import cbor
from sync.boxend import pinned
from sync.wire import cose, enrolment, keys, keyset
from sync.wire.cose import Purpose
from sync.wire.enrolment import Broker, EnrolmentRequest
from sync.wire.errors import EnvelopeRefused
from tests.sync.wire.wire_world import (
    COLD_ROOT,
    KEYSET,
    KEYSET_RAW,
    OTHER_REALM,
    REALM,
    ROOT,
    ROOTS,
    UNIT,
    UNIT_PUBLIC,
    UNIT_SIGN,
    sealing,
    signing,
)

RECV_PUBLIC = keys.sealing_public(sealing("unit"))
REQUEST = enrolment.make_request(UNIT, REALM, UNIT_SIGN, RECV_PUBLIC, 1_795_000_000_000)
BROKERS = (Broker("127.0.0.1", 1883, tls=False), Broker("broker.example.org", 8883, tls=True))
BUNDLE = enrolment.make_bundle(REQUEST, ROOTS, KEYSET_RAW, BROKERS, ROOT)


def refusal(bundle: bytes, request: bytes = REQUEST, believed: tuple[bytes, ...] = ()) -> str:
    with pytest.raises(EnvelopeRefused) as refused:
        enrolment.read_bundle(bundle, request, believed)
    return refused.value.stable_code


def test_a_request_comes_back() -> None:
    expected = EnrolmentRequest(UNIT, REALM, UNIT_PUBLIC, RECV_PUBLIC, 1_795_000_000_000)
    assert enrolment.read_request(REQUEST) == expected


def test_two_people_compare_the_request_s_hash() -> None:
    assert enrolment.fingerprint(REQUEST) == hashlib.sha256(REQUEST).hexdigest()[:32]


def test_a_request_for_a_key_one_does_not_hold_is_refused() -> None:
    payload = cbor.encode([UNIT, REALM, UNIT_PUBLIC, RECV_PUBLIC, 1])
    thief = signing("thief")
    protected = cose.protected_header(keys.kid(UNIT_PUBLIC))
    with pytest.raises(EnvelopeRefused) as refused:
        enrolment.read_request(cose.sign(protected, payload, thief, Purpose.REQUEST, REALM))
    assert refused.value.stable_code == "signature"


@pytest.mark.parametrize(
    "body",
    [
        [],
        ["VAN", REALM, UNIT_PUBLIC, RECV_PUBLIC, 1],
        [UNIT, "staging", UNIT_PUBLIC, RECV_PUBLIC, 1],
        [UNIT, REALM, UNIT_PUBLIC[:31], RECV_PUBLIC, 1],
        [UNIT, REALM, UNIT_PUBLIC, RECV_PUBLIC[:32], 1],
        [UNIT, REALM, UNIT_PUBLIC, RECV_PUBLIC, -1],
        [UNIT, REALM, UNIT_PUBLIC, RECV_PUBLIC, 1, 1],
    ],
)
def test_a_request_out_of_bounds_is_refused(body: list[cbor.Value]) -> None:
    protected = cose.protected_header(keys.kid(UNIT_PUBLIC))
    with pytest.raises(EnvelopeRefused) as refused:
        enrolment.read_request(cose.sign(protected, cbor.encode(body), UNIT_SIGN, Purpose.REQUEST, REALM))
    assert refused.value.stable_code == "form"


def test_a_bundle_pins_what_the_box_believes_from_then_on() -> None:
    enrolled = pinned.read_bundle(BUNDLE, REQUEST)
    assert enrolled == pinned.Enrolment(UNIT, REALM, ROOTS, KEYSET, KEYSET_RAW, BROKERS)
    assert pinned.read_bundle(BUNDLE, REQUEST, ROOTS) == enrolled


def test_another_centre_s_bundle_is_refused_once_roots_are_pinned() -> None:
    """At the first enrolment a box believes the file it is handed; later it does not."""
    other, cold = signing("other centre"), signing("other cold")
    roots = [keys.signing_public(other), keys.signing_public(cold)]
    bundle = enrolment.make_bundle(REQUEST, roots, keyset.sign(KEYSET, other), BROKERS, other)
    enrolment.read_bundle(bundle, REQUEST)
    assert refusal(bundle, believed=ROOTS) == "kid"


def test_a_bundle_answers_one_request_only() -> None:
    again = enrolment.make_request(UNIT, REALM, UNIT_SIGN, RECV_PUBLIC, 1_795_000_000_001)
    assert refusal(BUNDLE, again) == "unit"
    neighbour = enrolment.make_request("van-08", REALM, UNIT_SIGN, RECV_PUBLIC, 1_795_000_000_000)
    assert refusal(BUNDLE, neighbour) == "unit"


def test_the_other_realm_s_bundle_is_refused() -> None:
    request = enrolment.make_request(UNIT, OTHER_REALM, UNIT_SIGN, RECV_PUBLIC, 1_795_000_000_000)
    assert refusal(BUNDLE, request) == "realm"


def test_a_keyset_of_the_other_realm_or_an_unknown_root_is_refused_within() -> None:
    production = dataclasses.replace(KEYSET, realm=OTHER_REALM)
    for raw, code in ((keyset.sign(production, ROOT), "realm"), (keyset.sign(KEYSET, signing("x")), "kid")):
        assert refusal(enrolment.make_bundle(REQUEST, ROOTS, raw, BROKERS, ROOT)) == code


def test_a_bundle_may_come_from_the_cold_root_but_from_none_that_it_does_not_name() -> None:
    enrolment.read_bundle(enrolment.make_bundle(REQUEST, ROOTS, KEYSET_RAW, BROKERS, COLD_ROOT), REQUEST)
    assert refusal(enrolment.make_bundle(REQUEST, ROOTS, KEYSET_RAW, BROKERS, UNIT_SIGN)) == "kid"


def test_the_centre_answers_no_request_it_cannot_believe() -> None:
    with pytest.raises(EnvelopeRefused):
        enrolment.make_bundle(REQUEST[:-1] + b"\x00", ROOTS, KEYSET_RAW, BROKERS, ROOT)


@pytest.mark.parametrize(
    "broker", [Broker("h", 0, tls=False), Broker("h", 65536, tls=False), Broker("h" * 256, 1883, tls=False)]
)
def test_a_broker_out_of_bounds_is_refused(broker: Broker) -> None:
    assert refusal(enrolment.make_bundle(REQUEST, ROOTS, KEYSET_RAW, [broker], ROOT)) == "form"


def test_a_fingerprint_is_read_out_as_six_words() -> None:
    """The words of the addresses that their proposal gives as examples, and the first 96 bits of a digest."""
    assert enrolment._words(bytes([127, 0, 0, 1, 63, 84, 220, 193, 63, 118, 7, 35])) == (
        "lusab babad gutih tugad gutuk bisog"
    )
    words = enrolment.fingerprint_words(REQUEST).split()
    assert len(words) == enrolment.WORDS
    assert words == enrolment._words(hashlib.sha256(REQUEST).digest()).split()
    assert enrolment.fingerprint_words(REQUEST + b"\x00").split() != words
