"""What the uplink connects with: TLS 1.3, its certificate, and sessions taken up again.

The certificate comes from enrolment or, newer, over the link; either is signed by a root. A TLS session is
kept in memory from one connection to the next of the same broker, which halves what a reconnection sends.

No certificate is judged by the box's own clock, which may never have been set: an end lies in the past
when it lies before a time that the centre has signed, and a beginning is not judged at all. What TLS opens is
a connection and no record is believed because of it.
"""

import contextlib
import logging
import os
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sync.uplink import outages
from sync.uplink.settings import Broker, Settings
from sync.wire import certificate
from sync.wire.certificate import Certificate
from sync.wire.errors import EnvelopeRefused

_LOG: Final = logging.getLogger("qafila.uplink")

RENEWED: Final = "certificate.cbor"
_CHAIN: Final = "tls.crt"
_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL; the ssl module has no name for it."""
_MOST_BYTES: Final = 128 * 1024


def key_file(directory: Path, name: bytes) -> Path:
    """Where the private key to a certificate lies, by the name the certificate message gives it."""
    return directory / f"tls-{name.hex()}.key"


class Credentials:
    """The newest certificate there is, and what a connection needs of it.

    Attributes:
        floor_ms: a time that is certainly past: the highest that the centre has signed.
    """

    def __init__(self, settings: Settings) -> None:
        self._directory = settings.notes
        self._roots: Sequence[bytes] = settings.roots
        self._unit = settings.unit
        self._realm = settings.realm
        self._certificate = settings.certificate
        self._context: ssl.SSLContext | None = None
        self._sessions: dict[Broker, ssl.SSLSession] = {}
        self.floor_ms = 0
        self._recall()

    @property
    def certificate(self) -> Certificate | None:
        return self._certificate

    def learn_time(self, signed_ms: int) -> None:
        """Take note of a time that the centre signed."""
        self.floor_ms = max(self.floor_ms, signed_ms)

    def take(self, raw: bytes) -> bool:
        """Take a certificate that came over the link; False when it is not newer, or its key is not here.

        Raises:
            EnvelopeRefused: no root signed it for this unit.
        """
        found = certificate.read(raw, self._roots, self._unit, self._realm)
        if not self._is_newer(found):
            return False
        with contextlib.suppress(OSError):  # a full disk: it is retained at the broker, and comes again
            _replace(self._directory / RENEWED, raw)
        self._use(found)
        _LOG.info("certificate came", extra={"until_ms": found.until_ms})
        return True

    def context(self) -> ssl.SSLContext | None:
        """What to wrap a socket with; None without a certificate or its key."""
        if self._context is None and self._certificate is not None:
            with contextlib.suppress(OSError, ssl.SSLError, ValueError):
                self._context = self._make_context(self._certificate)
        return self._context

    def session(self, broker: Broker) -> ssl.SSLSession | None:
        return self._sessions.get(broker)

    def keep(self, broker: Broker, session: ssl.SSLSession | None) -> None:
        """Keep the session that a broker gave, for the next connection; None forgets it."""
        if session is not None and session.has_ticket:
            self._sessions[broker] = session
        else:
            self._sessions.pop(broker, None)

    def has_ended(self, shown: object) -> bool:
        """Whether a broker's certificate, as ``getpeercert`` gives it, ended before a time that is past."""
        until = shown.get("notAfter") if isinstance(shown, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # the ssl module says only that it is a dictionary
        return not isinstance(until, str) or ssl.cert_time_to_seconds(until) * 1000 < self.floor_ms

    def due(self, longest_ms: int) -> bool:
        """Whether the certificate ends soon, by the centre's time, and the centre has not sent another.

        Args:
            longest_ms: the longest outage that was seen, see `sync.uplink.outages`.
        """
        held = self._certificate
        if held is None:
            return False
        return self.floor_ms > held.until_ms - outages.warn_ms(held.until_ms - held.issued_ms, longest_ms)

    def _recall(self) -> None:
        if self._certificate is not None:
            self.learn_time(self._certificate.issued_ms)
        with contextlib.suppress(OSError, EnvelopeRefused):
            raw = (self._directory / RENEWED).read_bytes()[:_MOST_BYTES]
            found = certificate.read(raw, self._roots, self._unit, self._realm)
            if self._is_newer(found):
                self._use(found)

    def _is_newer(self, found: Certificate) -> bool:
        before = self._certificate
        if before is not None and found.issued_ms <= before.issued_ms:
            return False
        return key_file(self._directory, found.key).exists()

    def _use(self, found: Certificate) -> None:
        self._certificate = found
        self._context = None
        self._sessions.clear()
        self.learn_time(found.issued_ms)

    def _make_context(self, used: Certificate) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.minimum_version = ssl.TLSVersion.TLSv1_3
        made.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
        made.load_verify_locations(cadata=b"".join(used.trust))
        chain = self._directory / _CHAIN
        _replace(chain, "".join(ssl.DER_cert_to_PEM_cert(each) for each in used.chain).encode())
        made.load_cert_chain(chain, key_file(self._directory, used.key), password=_no_password)
        return made


def _no_password() -> str:
    return ""  # else OpenSSL would ask at a terminal


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".tmp-{os.urandom(8).hex()}-{path.name}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
