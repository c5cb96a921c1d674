"""Enrolment over HTTPS: a small server of RFC 7030 before the centre's own enrolment.

It is asked by boxes that have a claim, and by units whose certificate is renewed. Each connection has a
thread; their number, the size of what is read and the time it may take are bounded. It needs the root that
signs bundles, so it runs where `qafila central enrol` would.
"""

import base64
import binascii
import logging
import socket
import ssl
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7
from cryptography.x509.oid import NameOID

from edge.clock import Clock
from edge.errors import QafilaError
from sync.central import authorities, claims, database, setup
from sync.central.claims import ClaimNotTaken
from sync.central.home import CentreHome, read_file
from sync.wire import certificate, enrolment, est
from sync.wire.claims import check_host
from sync.wire.enrolment import EnrolmentRequest

_LOG: Final = logging.getLogger("qafila.central")
MOST_AT_ONCE: Final = 32
WAIT_S: Final = 20.0
_REALM: Final = 'Basic realm="qafila enrolment"'


class _Refused(Exception):
    def __init__(self, status: HTTPStatus, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class Server(ThreadingHTTPServer):
    """Listens until `shutdown`.

    Args:
        home: the centre.
        address: where to listen.
        host: the name or address by which boxes know it.
        clock: for certificates and claims.

    Raises:
        CentreError: there is no centre, or it has no certificate authority.
        ClaimRefused: nobody can connect to such a host.
        OSError: nobody may listen there.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, home: CentreHome, address: tuple[str, int], host: str, clock: Clock) -> None:
        check_host(host)
        self.home, self.clock = home, clock
        self.realm = home.read_settings().realm
        self._context = _context(home, self.realm, host, clock.now().wall_ms)
        self._room = threading.BoundedSemaphore(MOST_AT_ONCE)
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.settimeout(WAIT_S)
        # The handshake is the thread's: a box that says nothing keeps nobody else waiting.
        wrapped = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return wrapped, address

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  as the library has it
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  as the library has it
        """A connection that was cut or never was TLS is nobody's business."""


class _Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]  # only ours makes it
    protocol_version = "HTTP/1.1"
    server_version = "qafila"
    sys_version = ""
    timeout = WAIT_S

    def do_GET(self) -> None:
        if self.path == est.CA_CERTIFICATES:
            home = self.server.home
            found = [each for kind in authorities.KINDS for each in authorities.believed(home, kind)]
            self._answer_certificates(found)
        elif self.path == est.ATTRIBUTES:
            self._answer(HTTPStatus.NO_CONTENT, "", b"")
        else:
            self._refuse(_Refused(HTTPStatus.NOT_FOUND, "not-found"))

    def do_POST(self) -> None:
        try:
            work = {est.ENROL: self._enrol, est.RENEW: self._renew}.get(self.path, self._unknown)
            work(self._body())
        except _Refused as refused:
            self._refuse(refused)
        except ClaimNotTaken as refused:
            self._refuse(_Refused(HTTPStatus.UNAUTHORIZED, refused.stable_code))
        except (setup.EnrolmentRefused, authorities.CertificateRefused) as refused:
            self._refuse(_Refused(HTTPStatus.FORBIDDEN, refused.stable_code))
        except QafilaError as trouble:
            _LOG.error("enrolment-failed", extra={"code": trouble.stable_code})
            self._refuse(_Refused(HTTPStatus.SERVICE_UNAVAILABLE, "centre-busy"))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401  as the library has it
        """What was asked is told by us, or by nobody: a log of requests would hold what strangers wrote."""

    def _unknown(self, body: bytes) -> None:
        del body
        raise _Refused(HTTPStatus.NOT_FOUND, "not-found")

    def _enrol(self, body: bytes) -> None:
        unit, token = self._claimed()
        home, clock = self.server.home, self.server.clock
        if self._type() == est.REQUEST:

            def bundle() -> bytes:
                asked, answer = setup.enrol(home, body, clock, only=unit)
                assert asked.unit == unit  # noqa: S101  setup refused anything else
                return answer

            answer = claims.redeem(home, unit, token, body, clock, bundle)
            self._told("enrolled-online", unit)
            self._answer(HTTPStatus.OK, est.BUNDLE, answer)
            return
        asked = self._pkcs10(body)
        answer = claims.redeem(home, unit, token, asked, clock, lambda: self._issue(unit, asked))
        self._told("certificate-issued", unit)
        self._answer_chain(unit, answer)

    def _renew(self, body: bytes) -> None:
        """A new certificate for the key that the unit is enrolled with; the present one says who asks."""
        unit, asked = self._certified(), self._pkcs10(body)
        connection = database.connect(self.server.home.database)
        try:
            row = connection.execute("SELECT request FROM units WHERE unit = ?", (unit,)).fetchone()
            gone = connection.execute("SELECT 1 FROM revocations WHERE unit = ?", (unit,)).fetchone()
        finally:
            connection.close()
        if row is None or gone is not None:
            raise _Refused(HTTPStatus.FORBIDDEN, "unit-revoked" if gone else "unit-unknown")
        enrolled = enrolment.read_request(bytes(row[0]))
        if not enrolled.tls or _key_of(enrolled.tls) != _key_of(asked):
            raise _Refused(HTTPStatus.FORBIDDEN, "key-unknown")
        answer = self._issue(unit, asked)
        self._told("certificate-renewed", unit)
        if self.headers.get("Accept") == est.CERTIFICATE:
            self._answer(HTTPStatus.OK, est.CERTIFICATE, answer)
        else:
            self._answer_chain(unit, answer)

    def _issue(self, unit: str, asked: bytes) -> bytes:
        home = self.server.home
        request = EnrolmentRequest(unit, self.server.realm, b"", b"", 0, asked)
        return authorities.issue_unit(home, request, self.server.clock.now().wall_ms, read_file(home.hot_key))

    def _claimed(self) -> tuple[str, str]:
        """Unit and token, by HTTP Basic as the RFC has it."""
        how, _, what = self.headers.get("Authorization", "").partition(" ")
        try:
            unit, _, token = base64.b64decode(what, validate=True).decode().partition(":")
        except (ValueError, binascii.Error):
            unit = token = ""
        if how.lower() != "basic" or not unit or not token:
            raise _Refused(HTTPStatus.UNAUTHORIZED, "claim-missing")
        return unit, token

    def _certified(self) -> str:
        """Which unit it is, by the certificate that TLS has checked."""
        assert isinstance(self.connection, ssl.SSLSocket)  # noqa: S101  no other is made
        der = self.connection.getpeercert(binary_form=True)
        if der is None:
            raise _Refused(HTTPStatus.UNAUTHORIZED, "certificate-missing")
        shown = x509.load_der_x509_certificate(der)
        unit = str(shown.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        if authorities.revoked(self.server.home, unit):
            raise _Refused(HTTPStatus.FORBIDDEN, "unit-revoked")
        return unit

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > est.MOST_BYTES:
            self.close_connection = True
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large")
        return self.rfile.read(int(length))

    def _pkcs10(self, body: bytes) -> bytes:
        if self._type() != est.PKCS10:
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "type-unknown")
        try:
            return base64.b64decode(b"".join(body.split()), validate=True)
        except (ValueError, binascii.Error):
            raise _Refused(HTTPStatus.BAD_REQUEST, "request-form") from None

    def _type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def _answer_chain(self, unit: str, raw: bytes) -> None:
        said = certificate.read(raw, self.server.home.read_roots(), unit, self.server.realm)
        self._answer_certificates([x509.load_der_x509_certificate(each) for each in said.chain])

    def _answer_certificates(self, found: list[x509.Certificate]) -> None:
        body = base64.encodebytes(pkcs7.serialize_certificates(found, Encoding.DER))
        self._answer(HTTPStatus.OK, f"{est.PKCS7}; smime-type=certs-only", body, encoded=True)

    def _answer(self, status: HTTPStatus, kind: str, body: bytes, *, encoded: bool = False) -> None:
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        if encoded:
            self.send_header("Content-Transfer-Encoding", "base64")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, refused: _Refused) -> None:
        _LOG.warning("enrolment-refused", extra={"code": refused.code})
        self.send_response(refused.status)
        if refused.status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", _REALM)
        if refused.status is HTTPStatus.SERVICE_UNAVAILABLE:
            self.send_header("Retry-After", "5")
        self.send_header(est.CODE_HEADER, refused.code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _told(self, event: str, unit: str) -> None:
        _LOG.info(event, extra={"unit": unit})


def _context(home: CentreHome, realm: str, host: str, now_ms: int) -> ssl.SSLContext:
    """TLS 1.3, with a certificate from the authority that claims name; a unit may show its own."""
    directory = home.directory / "est"
    private, chain = authorities.issue_server(home, realm, [host], now_ms)
    directory.mkdir(mode=0o700, exist_ok=True)
    authorities.replace(directory / "tls.key", private)
    authorities.replace(directory / "tls.crt", chain)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.load_cert_chain(directory / "tls.crt", directory / "tls.key")
    made.verify_mode = ssl.CERT_OPTIONAL
    made.load_verify_locations(cadata=authorities.pem(authorities.believed(home, authorities.UNITS)).decode())
    return made


def _key_of(request: bytes) -> bytes:
    try:
        key = x509.load_der_x509_csr(request).public_key()
    except ValueError:
        raise _Refused(HTTPStatus.BAD_REQUEST, "request-form") from None
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
