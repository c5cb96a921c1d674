"""Enrolling over the network: the claim, the server of RFC 7030, and who is refused."""

import base64
import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7
from cryptography.x509.oid import NameOID

from cli import unit_setup
from edge.clock import Clock, SystemClock
from edge.config import Places
from sync.central import authorities, claims, setup
from sync.central import est as server
from sync.central.home import CentreHome
from sync.uplink import est as client
from sync.wire import certificate, enrolment, est
from sync.wire.claims import Claim, ClaimRefused
from tests.cli.units import make_unit, qafila_here
from tests.system.brokers import free_port
from tests.system.tls_world import DAY_MS, AnyClock, now_ms

pytestmark = pytest.mark.system


@pytest.fixture
def home(tmp_path: Path) -> CentreHome:
    made = CentreHome(tmp_path / "centre" / "central")
    setup.init(made, "training", own=setup.Mosquitto("127.0.0.1"))
    return made


@contextlib.contextmanager
def serving(home: CentreHome, clock: Clock | None = None, port: int = 0) -> Iterator[server.Server]:
    listening = server.Server(home, ("127.0.0.1", port), "127.0.0.1", clock or SystemClock())
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield listening
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def claim_for(
    home: CentreHome, listening: server.Server, unit: str = "van-07", clock: Clock | None = None
) -> Claim:
    port = int(listening.server_address[1])
    return claims.make(home, unit, "127.0.0.1", port, hours=24, clock=clock or SystemClock())


def refused(claim: Claim, request: bytes) -> str:
    with pytest.raises(client.NotEnrolled) as error:
        client.enrol(claim, request, 0.0)
    assert error.value.next_step
    return error.value.stable_code


def request_of(van: Path) -> bytes:
    return (Places.at(van).pinned / unit_setup.REQUEST_FILE).read_bytes()


def test_a_box_with_a_claim_is_enrolled_once_and_may_ask_again(home: CentreHome, tmp_path: Path) -> None:
    van, file = make_unit(tmp_path / "van"), tmp_path / "van-07.claim"
    port = free_port()
    centre = home.directory.parent
    words = ("central", "claim", "van-07", "--host", "127.0.0.1", "--port", str(port), "--out", str(file))
    made = qafila_here(*words, home=centre)
    assert made.returncode == 0, made.stderr
    line = file.read_text()
    token = line.split()[4]
    assert token not in made.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    assert not any(
        token in path.read_text(errors="replace") for path in home.directory.rglob("*") if path.is_file()
    )
    away = qafila_here("unit", "enrol-online", str(file), "--wait", "0", "--json", home=van)
    assert json.loads(away.stdout)["error"]["code"] == "centre-unreachable"
    with serving(home, port=port):
        done = qafila_here("unit", "enrol-online", "-", "--json", stdin=line, home=van)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert (told["unit"], told["keyset_version"]) == ("van-07", 1)
        assert told["centre_words"] == enrolment.roots_words(home.read_roots())
        installed = unit_setup.installed(Places.at(van))
        assert installed is not None
        assert installed.certificate_raw
        again = qafila_here("unit", "enrol-online", str(file), "--json", home=van)
        assert again.returncode == 0, again.stderr
        other = make_unit(tmp_path / "other", unit="van-08")
        wrong = qafila_here("unit", "enrol-online", str(file), "--json", home=other)
        assert json.loads(wrong.stdout)["error"]["code"] == "claim-of-another-unit"
        claim = Claim.parse(line)
        thief = make_unit(tmp_path / "thief")  # under the same name, with keys of its own
        assert refused(claim, request_of(thief)) == "claim-used"


def test_claims_are_refused_by_code(home: CentreHome, tmp_path: Path) -> None:
    van, other = make_unit(tmp_path / "van"), make_unit(tmp_path / "other", unit="van-08")
    request = request_of(van)
    with serving(home) as listening:
        former, claim = claim_for(home, listening), claim_for(home, listening)
        assert refused(former, request) == "claim-wrong"
        assert refused(claim, request_of(other)) == "request-unit"
        assert refused(claim, b"\x01 no request") == "request-form"
        assert client.enrol(claim, request, 0.0)[0]  # what was refused has not used it up
    long_ago = AnyClock(now_ms() - 2 * DAY_MS)
    with serving(home) as listening:
        assert refused(claim_for(home, listening, clock=long_ago), request) == "claim-ended"
        setup_again = claim_for(home, listening)
        authorities.revoke(home, "van-07")
        assert refused(setup_again, request) in {"unit-revoked", "request-certificate"}
    with pytest.raises(claims.ClaimNotTaken):
        claims.make(home, "van-07", "h", 1, hours=1, clock=SystemClock())
    for host in ("not a host", "https://est.example.org", ""):
        told = qafila_here("central", "est", "--host", host, "--json", home=home.directory.parent)
        assert json.loads(told.stdout)["error"]["code"] == "host-refused"
        with pytest.raises(ClaimRefused, match="name or address"):
            claims.make(home, "van-08", host, 1, hours=1, clock=SystemClock())
    with pytest.raises(ClaimRefused, match="no claim"):
        Claim.parse("qafila-claim-1 van-07 host 1 short")


def test_an_answer_that_was_lost_is_asked_for_again(
    home: CentreHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link goes after the centre has done it and before the box hears of it."""
    request = request_of(make_unit(tmp_path / "van"))
    lost = iter([True, True])
    real = server._Handler._answer

    def answer(self: server._Handler, *words: object, **named: object) -> None:
        if self.path == est.ENROL and next(lost, False):
            self.connection.close()
            raise ConnectionAbortedError
        real(self, *words, **named)  # type: ignore[arg-type]  # whatever it was given

    monkeypatch.setattr(server._Handler, "_answer", answer)
    monkeypatch.setattr(client, "_AGAIN_S", 0.01)
    with serving(home) as listening:
        bundle, counted = client.enrol(claim_for(home, listening), request, 30.0)
    assert enrolment.read_bundle(bundle, request).unit == "van-07"
    assert counted.sent == 3 * len(request)


def test_the_claim_is_not_shown_to_anybody_else(home: CentreHome, tmp_path: Path) -> None:
    """Another centre sits at the address; it has the right name and no right certificate."""
    stranger = CentreHome(tmp_path / "stranger" / "central")
    setup.init(stranger, "training", own=setup.Mosquitto("127.0.0.1"))
    request = request_of(make_unit(tmp_path / "van"))
    heard: list[str] = []
    with serving(stranger) as listening, pytest.MonkeyPatch.context() as patched:
        patched.setattr(server._Handler, "do_POST", lambda self: heard.append(str(self.headers)))
        mine = claim_for(home, listening)
        assert refused(mine, request) == "centre-not-trusted"
        own = authorities.believed(stranger, authorities.HOSTS)  # the one that its certificate comes from
        patched.setattr(server._Handler, "do_GET", lambda self: self._answer_certificates(own))
        assert refused(mine, request) == "centre-not-trusted"
        # It even passes on the right authorities, which anybody may fetch.
        right = [each for kind in authorities.KINDS for each in authorities.believed(home, kind)]
        patched.setattr(server._Handler, "do_GET", lambda self: self._answer_certificates(right))
        assert refused(mine, request) == "centre-not-trusted"
    assert heard == []


def test_the_answer_has_to_be_of_the_centre_in_the_claim(home: CentreHome, tmp_path: Path) -> None:
    """A server with the right certificate that answers with another centre's bundle is not believed."""
    stranger = CentreHome(tmp_path / "stranger" / "central")
    setup.init(stranger, "training", own=setup.Mosquitto("127.0.0.1"))
    places = Places.at(make_unit(tmp_path / "van"))
    with serving(home) as listening:
        claim = claim_for(home, listening)
    bundle = setup.enrol(stranger, request_of(tmp_path / "van"), SystemClock())[1]
    with pytest.raises(unit_setup.UnitRefused) as error:
        unit_setup.install_answer(places, bundle, "The answer", roots=claim.roots)
    assert error.value.stable_code == "bundle-refused"
    assert unit_setup.installed(places) is None


# ── as a client of the standard ──────────────────────────────────────────────────────────────────


def csr(unit: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, unit)])
    asked = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return base64.encodebytes(asked.public_bytes(Encoding.DER))


def ask(
    listening: server.Server,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] = MappingProxyType({}),
    tls: ssl.SSLContext | None = None,
) -> tuple[int, dict[str, str], bytes]:
    host, port = str(listening.server_address[0]), int(listening.server_address[1])
    trust = tls or ssl.create_default_context(
        cadata=authorities.pem(authorities.believed(listening.home, authorities.HOSTS)).decode()
    )
    connection = http.client.HTTPSConnection(host, port, timeout=20, context=trust)
    try:
        connection.request(method, path, body or None, dict(headers))
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def basic(claim: Claim) -> str:
    words = claim.line().split()
    return "Basic " + base64.b64encode(f"{words[1]}:{words[4]}".encode()).decode()


def test_a_client_of_the_standard_gets_certificates(home: CentreHome) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    with serving(home) as listening:
        status, headers, body = ask(listening, "GET", est.CA_CERTIFICATES)
        assert (status, headers["Content-Transfer-Encoding"]) == (200, "base64")
        found = pkcs7.load_der_pkcs7_certificates(base64.b64decode(body))
        assert set(found) >= set(authorities.believed(home, authorities.UNITS))
        assert ask(listening, "GET", est.ATTRIBUTES)[0] == 204
        claim = claim_for(home, listening, "van-09")
        said = {"Content-Type": est.PKCS10, "Authorization": basic(claim)}
        status, headers, body = ask(listening, "POST", est.ENROL, csr("van-09", key), said)
        assert (status, headers["Content-Type"]) == (200, f"{est.PKCS7}; smime-type=certs-only")
        [issued] = pkcs7.load_der_pkcs7_certificates(base64.b64decode(body))
        assert issued.public_key() == key.public_key()
        issued.verify_directly_issued_by(authorities.believed(home, authorities.UNITS)[0])
        other = csr("van-09", ec.generate_private_key(ec.SECP256R1()))
        status, headers, _ = ask(listening, "POST", est.ENROL, other, said)
        assert (status, headers[est.CODE_HEADER]) == (401, "claim-used")
        assert headers["WWW-Authenticate"].startswith("Basic")
        assert ask(listening, "POST", est.ENROL, csr("van-10", key), said)[1][est.CODE_HEADER] == "claim-used"


def test_a_unit_renews_with_the_certificate_that_it_has(home: CentreHome, tmp_path: Path) -> None:
    places = Places.at(make_unit(tmp_path / "van"))
    request = request_of(tmp_path / "van")
    bundle = enrolment.read_bundle(setup.enrol(home, request, SystemClock())[1], request)
    assert bundle.certificate is not None
    [key_path] = places.uplink.glob("tls-*.key")
    key = load_pem_private_key(key_path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    chain = tmp_path / "chain.pem"
    chain.write_text(ssl.DER_cert_to_PEM_cert(bundle.certificate.chain[0]))
    tls = ssl.create_default_context(
        cadata=authorities.pem(authorities.believed(home, authorities.HOSTS)).decode()
    )
    with serving(home) as listening:
        said = {"Content-Type": est.PKCS10}
        nobody = ask(listening, "POST", est.RENEW, csr("van-07", key), said)
        assert (nobody[0], nobody[1][est.CODE_HEADER]) == (401, "certificate-missing")
        tls.load_cert_chain(chain, key_path)
        status, _, body = ask(listening, "POST", est.RENEW, csr("van-07", key), said, tls)
        assert status == 200
        [issued] = pkcs7.load_der_pkcs7_certificates(base64.b64decode(body))
        assert (
            issued.serial_number != x509.load_der_x509_certificate(bundle.certificate.chain[0]).serial_number
        )
        signed = ask(
            listening, "POST", est.RENEW, csr("van-07", key), said | {"Accept": est.CERTIFICATE}, tls
        )[2]
        assert certificate.read(signed, home.read_roots(), "van-07", "training").key == bundle.certificate.key
        stranger = csr("van-07", ec.generate_private_key(ec.SECP256R1()))
        assert ask(listening, "POST", est.RENEW, stranger, said, tls)[1][est.CODE_HEADER] == "key-unknown"
        authorities.revoke(home, "van-07")
        assert (
            ask(listening, "POST", est.RENEW, csr("van-07", key), said, tls)[1][est.CODE_HEADER]
            == "unit-revoked"
        )


def test_nobody_holds_the_door_shut(home: CentreHome) -> None:
    """Connections that say nothing, one that says too much, and something that is not TLS at all."""
    with serving(home) as listening:
        address = (str(listening.server_address[0]), int(listening.server_address[1]))
        silent = [socket.create_connection(address) for _ in range(server.MOST_AT_ONCE // 2)]
        silent[0].sendall(b"GET / HTTP/1.1\r\n\r\n")
        big = {"Content-Length": str(est.MOST_BYTES + 1), "Content-Type": est.REQUEST}
        status, headers, _ = ask(listening, "POST", est.ENROL, b"", big)
        assert (status, headers[est.CODE_HEADER]) == (413, "too-large")
        assert ask(listening, "GET", "/")[0] == 404
        for each in silent:
            each.close()
