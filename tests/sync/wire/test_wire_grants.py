"""A grant: for one box, with the orders that come along; and those that were made without."""

import pytest

from edge import cbor
from sync.wire import cose, grants, keys
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused
from sync.wire.grants import Grant

ROOT = keys.make_signing()
BOX = keys.make_sealing()
SECRET = bytes(range(32))
GRANT = Grant("van-07", "van-19", "training", bytes(8), 1_793_000_000_000, b"orders")


def signed(*parts: cbor.Value) -> bytes:
    protected = cose.protected_header(keys.kid(keys.signing_public(ROOT)))
    return cose.sign(protected, cbor.encode(list(parts)), ROOT, Purpose.GRANT, "training")


def parts() -> list[cbor.Value]:
    raw = grants.make(GRANT, SECRET, keys.sealing_public(BOX), ROOT)
    made = cose.payload(cose.read_plain(raw))
    assert isinstance(made, list)
    return made


def read(raw: bytes) -> tuple[Grant, bytes]:
    return grants.read(raw, [keys.signing_public(ROOT)], "training", BOX)


def test_it_brings_the_orders_along() -> None:
    assert read(grants.make(GRANT, SECRET, keys.sealing_public(BOX), ROOT)) == (GRANT, SECRET)


def test_one_that_was_made_before_orders_came_along_is_read() -> None:
    before, secret = read(signed(*parts()[:6]))
    assert (before.orders, before.backup, secret) == (b"", GRANT.backup, SECRET)


def test_fewer_or_more_parts_are_refused() -> None:
    for wrong in (parts()[:5], [*parts(), b""], [*parts()[:6], "text"]):
        with pytest.raises(EnvelopeRefused):
            read(signed(*wrong))
