"""Every kind of message that is signed, made honestly for two units and both realms, and every reader of one.

For tests that re-sign, bend and mix them. The keys are real, the readers those of the running system.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from edge.ports.orders import ErasureOrder
from edge.ports.sealing import Receipt, StreamReceipt
from edge.records.fields import Stream
from sync.boxend.down import BoxDownReader
from sync.boxend.orders import BoxOrderReader
from sync.boxend.receipts import BoxReceiptReader
from sync.central import setup
from sync.central.landing import Upward
from sync.wire import certificate, cose, down, enrolment, grants, keys, keyset, orders, receipts, topics
from sync.wire.certificate import Certificate
from sync.wire.cose import Purpose
from sync.wire.down import DownContent, DownHeader
from sync.wire.enrolment import Broker
from sync.wire.grants import Grant
from sync.wire.keyset import Key, Keyset, Use
from tests.sync.central_world import REALM, Centre, Unit, make_centre

OTHER_REALM: Final = "production"
SIGNERS: Final = (
    *("unit", "other-unit", "third-unit", "root", "cold-root", "other-root", "landed", "opened"),
    *("advice", "config", "command", "records-1", "records-2"),
)


@dataclasses.dataclass(frozen=True)
class Reader:
    """Who takes a message: of which kind, under which purpose, signed by whom.

    Attributes:
        read: raises, or gives None, for what it refuses.
    """

    kind: str
    read: Callable[[bytes], object]
    signed: frozenset[tuple[Purpose, str]]


class Hostile:
    """A centre, three units, and all that passes between them."""

    def __init__(self, directory: Path) -> None:
        self.centre: Centre = make_centre(directory)
        self.privates: dict[str, bytes] = {name: keys.make_signing() for name in SIGNERS}
        uses = {"landed": Use.LANDED, "opened": Use.OPENED, "advice": Use.ADVICE, "config": Use.CONFIG}
        uses |= {"command": Use.COMMAND, "records-1": Use.RECORDS, "records-2": Use.RECORDS}
        self.seal_to = keys.make_sealing()
        self.keyset = Keyset(
            *(5, REALM, (1,)),
            (
                *(Key(keys.signing_public(self.privates[name]), use) for name, use in uses.items()),
                Key(keys.sealing_public(self.seal_to), Use.SEAL_TO),
            ),
        )
        self.roots = tuple(keys.signing_public(self.privates[name]) for name in ("root", "cold-root"))
        self.units = {name: self._unit(name, signer) for name, signer in _UNITS.items()}
        self.unit = self.units["van-07"]
        self._requests = {
            (name, realm): enrolment.make_request(name, realm, unit.sign_private, unit.recv_public, 1)
            for name, unit in self.units.items()
            for realm in cose.REALMS
        }
        self._receipts = BoxReceiptReader("van-07", REALM, self.keyset)
        self._orders = BoxOrderReader("van-07", self.keyset)
        self._down = BoxDownReader("van-07", self.keyset)

    def _unit(self, name: str, signer: str) -> Unit:
        unit = Unit(name, self.keyset)
        unit.sign_private = self.privates[signer]
        setup.enrol(self.centre.home, unit.request(), self.centre.clock)
        unit.visit()
        unit.new_session()
        return unit

    def honest(self, unit: str = "van-07", realm: str = REALM) -> dict[str, bytes]:
        """One message of each kind as it would be for a unit in a realm."""
        whose, keyset_ = self.units[unit], dataclasses.replace(self.keyset, realm=realm)
        mine = Unit(unit, keyset_, realm, whose.epoch)
        mine.sign_private = whose.sign_private
        mine.visit()
        mine.new_session()
        root, p = self.privates["root"], self.privates
        raw_keyset = keyset.sign(keyset_, root)
        request = self._requests[unit, realm]
        stated = {Stream.VITALS: StreamReceipt(2, bytes(16), 2)}
        values: Any = (1, 1, stated, (), (), (), 0, 0, 1)
        made = [ErasureOrder(bytes(16), bytes(16), "why", ("a", "b"), 1)]
        by = (p["records-1"], p["records-2"])
        header = DownHeader(unit, whose.epoch, Use.ADVICE, 1, 5)
        content = DownContent(bytes(16), 1, "reply", down.payload_of("reply", ["x"]))
        given = Grant("van-01", unit, realm, bytes(8), 1)
        shown = Certificate(unit, realm, 1, 2, bytes(8), (b"x",), (b"y",))
        return {
            "up": mine.batch(Stream.VITALS, 1, 5).payload,
            "key": mine.key_message().payload,
            "receipt": receipts.sign(Receipt("landed", unit, whose.epoch, *values), p["landed"], realm),
            "orders": orders.make(made, unit, 1, recv_public=whose.recv_public, privates=by, realm=realm),
            "down": down.seal(
                header, content, recv_public=whose.recv_public, private=p["advice"], realm=realm
            ),
            "keyset": raw_keyset,
            "csr": request,
            "bundle": enrolment.make_bundle(
                request, self.roots, raw_keyset, [Broker("127.0.0.1", 1, tls=False)], root
            ),
            "grant": grants.make(given, b"secret", whose.recv_public, root),
            "certificate": certificate.sign(shown, root),
        }

    def down_of(self, use: Use) -> bytes:
        """A message down that a key of this use has signed."""
        header = DownHeader("van-07", self.unit.epoch, use, 1, 5)
        content = DownContent(bytes(16), 1, "reply", down.payload_of("reply", ["x"]))
        return down.seal(
            *(header, content),
            recv_public=self.unit.recv_public,
            private=self.privates[use.value],
            realm=REALM,
        )

    def readers(self) -> Mapping[str, Reader]:
        """Those of van-07 and of its centre."""
        recv, request = self.unit.recv_private, self._requests["van-07", REALM]
        by_root = ("root", "cold-root")

        def signed(purpose: Purpose, *names: str) -> frozenset[tuple[Purpose, str]]:
            return frozenset((purpose, name) for name in names)

        made = (
            Reader("up", self._land("vitals"), signed(Purpose.UP, "unit")),
            Reader("key", self._land("key"), signed(Purpose.KEY, "unit")),
            Reader(
                "receipt",
                self._receipts.read,
                signed(Purpose.RECEIPT_LANDED, "landed") | signed(Purpose.RECEIPT_OPENED, "opened"),
            ),
            Reader("orders", lambda raw: self._orders.read(raw, recv), signed(Purpose.DOWN, "records-1")),
            Reader("down", lambda raw: self._down.read(raw, recv, None), signed(Purpose.DOWN, "advice")),
            Reader(
                "keyset", lambda raw: keyset.read(raw, self.roots, REALM), signed(Purpose.KEYSET, *by_root)
            ),
            Reader("csr", self._enrol, signed(Purpose.REQUEST, "unit")),
            Reader(
                "bundle",
                lambda raw: enrolment.read_bundle(raw, request, self.roots),
                signed(Purpose.BUNDLE, *by_root),
            ),
            Reader(
                "grant",
                lambda raw: grants.read(raw, self.roots, REALM, recv),
                signed(Purpose.GRANT, *by_root),
            ),
            Reader(
                "certificate",
                lambda raw: certificate.read(raw, self.roots, "van-07", REALM),
                signed(Purpose.CERTIFICATE, *by_root),
            ),
        )
        return {reader.kind: reader for reader in made}

    def _land(self, word: str) -> Callable[[bytes], object]:
        return lambda raw: self.centre.lander._verify(Upward(topics.up("van-07", word), raw))

    def _enrol(self, raw: bytes) -> object:
        request = enrolment.read_request(raw)
        own = request.unit == "van-07" and request.realm == REALM
        return request if own and request.sign_public == keys.signing_public(self.privates["unit"]) else None


_UNITS: Final = {"van-07": "unit", "van-08": "other-unit", "van-09": "third-unit"}


def signed_anew(raw: bytes, private: bytes, purpose: Purpose, realm: str) -> bytes:
    """The same header and payload under another signature."""
    old = cose.read(raw)
    protected = cose.protected_header(keys.kid(keys.signing_public(private)), old.header)
    return cose.sign(protected, old.payload, private, purpose, realm)
