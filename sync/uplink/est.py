"""``python -m sync.uplink.est --fd N``: a unit's request to the centre over HTTPS, and its answer.

Runs as the uplink's user, for it speaks to the network: it is given the request, which holds public keys
only, and a claim, and gives back bytes that nobody believes before they are verified where no network is.
Settings come as one JSON object on the descriptor, and the answer goes to standard output as one.

First the authorities are fetched from a server that nobody believes yet (RFC 7030, 4.1.1): the one whose hash
stands in the claim is the only one that is believed when the token is shown. The box's clock is not asked: it
may never have been set.
"""

import base64
import dataclasses
import http.client
import json
import os
import ssl
import sys
import time
from typing import Any, ClassVar, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from edge.errors import QafilaError
from sync.wire import claims, est
from sync.wire.claims import Claim

CONNECT_S: Final = 20.0
_AGAIN_S: Final = 2.0
_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL; the ssl module has no name for it."""
_KNOWN: Final = frozenset(
    {
        *("claim-wrong", "claim-ended", "claim-used", "claim-missing", "unit-known", "unit-revoked"),
        *("request-form", "request-unit", "request-realm", "request-signature", "request-certificate"),
        *("centre-busy", "too-large"),
    }
)
"""What a server may say; anything else is ``enrolment-refused``."""


class NotEnrolled(QafilaError):
    """There is no answer."""

    code: ClassVar[str] = "enrolment-refused"


@dataclasses.dataclass(slots=True)
class Counted:
    """What was sent and received, without what TLS adds."""

    sent: int = 0
    received: int = 0


def enrol(claim: Claim, request: bytes, wait_s: float) -> tuple[bytes, Counted]:
    """The centre's answer to a request.

    Raises:
        NotEnrolled: the server is not the right one, refuses, or could not be reached in time.
    """
    end, counted = time.monotonic() + wait_s, Counted()
    while True:
        try:
            context = _context(_authority(claim, counted))
            return _post(claim, request, context, counted), counted
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, ssl.SSLCertVerificationError):
                raise _not_trusted(claim) from None
            if time.monotonic() > end:
                raise _unreachable(claim) from None
        except NotEnrolled as refused:
            if refused.stable_code != "centre-busy" or time.monotonic() > end:
                raise
        time.sleep(_AGAIN_S)


def _authority(claim: Claim, counted: Counted) -> bytes:
    """The certificate of the authority that the claim names; nothing secret is said meanwhile."""
    unknown = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unknown.check_hostname = False
    unknown.verify_mode = ssl.CERT_NONE
    _, body = _ask(claim, unknown, "GET", est.CA_CERTIFICATES, b"", {}, counted)
    try:
        found = pkcs7.load_der_pkcs7_certificates(base64.b64decode(body))
        ders = [each.public_bytes(Encoding.DER) for each in found]
    except ValueError:
        raise _not_trusted(claim) from None
    for der in ders:
        if claims.authority_of(der) == claim.authority:
            return der
    raise _not_trusted(claim)


def _context(authority: bytes) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.verify_flags |= _NO_CHECK_TIME
    made.load_verify_locations(
        cadata=x509.load_der_x509_certificate(authority).public_bytes(Encoding.PEM).decode()
    )
    return made


def _post(claim: Claim, request: bytes, context: ssl.SSLContext, counted: Counted) -> bytes:
    shown = base64.b64encode(f"{claim.unit}:{claims.token_text(claim.token)}".encode()).decode()
    headers = {"Content-Type": est.REQUEST, "Accept": est.BUNDLE, "Authorization": f"Basic {shown}"}
    code, body = _ask(claim, context, "POST", est.ENROL, request, headers, counted)
    if code:
        raise NotEnrolled(
            "The centre refuses to enrol this unit.",
            next_step="call the centre and say the code.",
            code=code,
        )
    return body


def _ask(
    claim: Claim,
    context: ssl.SSLContext,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
    counted: Counted,
) -> tuple[str, bytes]:
    """One request on a connection of its own: why it was refused, or nothing and the answer."""
    connection = http.client.HTTPSConnection(claim.host, claim.port, timeout=CONNECT_S, context=context)
    try:
        connection.request(method, path, body or None, headers)
        counted.sent += len(body)
        answer = connection.getresponse()
        content = answer.read(est.MOST_BYTES + 1)
    finally:
        connection.close()
    counted.received += len(content)
    if answer.status != http.client.OK:
        said = answer.getheader(est.CODE_HEADER, "")
        return said if said in _KNOWN else "enrolment-refused", b""
    if len(content) > est.MOST_BYTES:
        return "too-large", b""
    return "", content


def _not_trusted(claim: Claim) -> NotEnrolled:
    return NotEnrolled(
        f"What answers at {claim.host} is not the centre that made the claim; the claim was not shown to it.",
        next_step="check name and port; if they are right, something in between is in the way.",
        code="centre-not-trusted",
    )


def _unreachable(claim: Claim) -> NotEnrolled:
    return NotEnrolled(
        f"The centre at {claim.host}:{claim.port} could not be reached.",
        next_step="see that there is a network and give the command again; the claim stays good, or enrol by"
        " stick (qafila unit csr).",
        code="centre-unreachable",
    )


def main() -> int:
    """Entry point of the process."""
    descriptor = int(sys.argv[sys.argv.index("--fd") + 1])
    with os.fdopen(descriptor, "rb") as file:
        settings: dict[str, Any] = json.loads(file.read(est.MOST_BYTES * 4))
    try:
        claim = Claim.parse(settings["claim"])
        bundle, counted = enrol(claim, bytes.fromhex(settings["request"]), float(settings["wait_s"]))
        answer = {"bundle": bundle.hex(), **dataclasses.asdict(counted)}
    except QafilaError as error:
        answer = {"code": error.stable_code, "sentence": error.sentence, "next": error.next_step}
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
