"""The right to connect: signed by a root for one unit of one realm, carried in bundles or by itself."""

import dataclasses

import pytest

from edge import cbor
from sync.boxend import pinned
from sync.wire import certificate, cose, enrolment, keys
from sync.wire.certificate import MOST_CERTIFICATE_BYTES, MOST_CERTIFICATES, MOST_REQUEST_BYTES, Certificate
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused
from tests.sync.wire.wire_world import (
    COLD_ROOT,
    KEYSET_RAW,
    OTHER_REALM,
    REALM,
    ROOT,
    ROOTS,
    UNIT,
    UNIT_SIGN,
    sealing,
    signing,
)

RECV_PUBLIC = keys.sealing_public(sealing("unit"))
REQUEST = enrolment.make_request(UNIT, REALM, UNIT_SIGN, RECV_PUBLIC, 1, b"PKCS #10")
CERTIFICATE = Certificate(UNIT, REALM, 1_795_000_000_000, 1_826_000_000_000, b"12345678", (b"own",), (b"ca",))
RAW = certificate.sign(CERTIFICATE, ROOT)


def refusal(raw: bytes, unit: str = UNIT, realm: str = REALM) -> str:
    with pytest.raises(EnvelopeRefused) as refused:
        certificate.read(raw, ROOTS, unit, realm)
    return refused.value.stable_code


def altered(at: int, value: cbor.Value) -> bytes:
    body: list[cbor.Value] = [UNIT, REALM, 1, 2, b"12345678", [b"own"], [b"ca"]]
    body[at] = value
    protected = cose.protected_header(keys.kid(ROOTS[0]))
    return cose.sign(protected, cbor.encode(body), ROOT, Purpose.CERTIFICATE, REALM)


def test_it_comes_back_from_either_root() -> None:
    assert certificate.read(RAW, ROOTS, UNIT, REALM) == CERTIFICATE
    assert certificate.read(certificate.sign(CERTIFICATE, COLD_ROOT), ROOTS, UNIT, REALM) == CERTIFICATE


def test_no_other_unit_realm_or_signer_is_believed() -> None:
    assert refusal(RAW, unit="van-08") == "unit"
    assert refusal(RAW, realm=OTHER_REALM) == "realm"
    assert refusal(certificate.sign(CERTIFICATE, signing("a stranger"))) == "kid"
    assert refusal(certificate.sign(CERTIFICATE, UNIT_SIGN)) == "kid"


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (2, -1),
        (3, "soon"),
        (4, b"1234567"),
        (5, []),
        (6, []),
        (5, [b""]),
        (6, ["text"]),
        (5, [b"x"] * (MOST_CERTIFICATES + 1)),
        (6, [bytes(MOST_CERTIFICATE_BYTES + 1)]),
    ],
)
def test_what_is_out_of_bounds_is_refused(at: int, value: cbor.Value) -> None:
    assert refusal(altered(at, value)) == "form"


def test_a_request_asks_for_it_and_a_bundle_brings_it() -> None:
    assert enrolment.read_request(REQUEST).tls == b"PKCS #10"
    bundle = enrolment.make_bundle(REQUEST, ROOTS, KEYSET_RAW, [], ROOT, RAW)
    enrolled = pinned.read_bundle(bundle, REQUEST, ROOTS)
    assert (enrolled.certificate_raw, enrolled.certificate) == (RAW, CERTIFICATE)


def test_a_bundle_brings_no_other_unit_s() -> None:
    other = certificate.sign(dataclasses.replace(CERTIFICATE, unit="van-08"), ROOT)
    bundle = enrolment.make_bundle(REQUEST, ROOTS, KEYSET_RAW, [], ROOT, other)
    with pytest.raises(EnvelopeRefused, match="another unit"):
        enrolment.read_bundle(bundle, REQUEST)


def test_requests_and_bundles_of_before_are_still_read() -> None:
    before = enrolment.make_request(UNIT, REALM, UNIT_SIGN, RECV_PUBLIC, 1)
    assert enrolment.read_request(before).tls == b""
    enrolled = pinned.read_bundle(enrolment.make_bundle(before, ROOTS, KEYSET_RAW, [], ROOT), before)
    assert (enrolled.certificate_raw, enrolled.certificate) == (b"", None)


def test_a_request_holds_no_more_than_a_request() -> None:
    large = enrolment.make_request(UNIT, REALM, UNIT_SIGN, RECV_PUBLIC, 1, bytes(MOST_REQUEST_BYTES + 1))
    with pytest.raises(EnvelopeRefused):
        enrolment.read_request(large)
