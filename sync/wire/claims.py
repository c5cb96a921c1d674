"""A claim: the right to enrol one named unit once over the network, as it is handed to who sets the box up.

One line of text::

    qafila-claim-1 UNIT HOST PORT TOKEN AUTHORITY ROOTS

TOKEN is 16 random bytes in base32, AUTHORITY the first 16 bytes of the SHA-256 of the certificate authority
that the server's certificate comes from, ROOTS the first 12 bytes of the SHA-256 of the centre's roots, both
in hex. So whoever has a claim speaks to the right server before the token is shown to it, and believes the
right centre. The token is a secret until it is used.
"""

import base64
import dataclasses
import hashlib
import re
import secrets
from collections.abc import Sequence
from typing import ClassVar, Final, Self

from edge.errors import QafilaError

PREFIX: Final = "qafila-claim-1"
TOKEN_BYTES: Final = 16
AUTHORITY_BYTES: Final = 16
ROOTS_BYTES: Final = 12
MOST_CHARACTERS: Final = 512
_HOST: Final = re.compile(r"[A-Za-z0-9.:-]{1,253}")
_FORM: Final = re.compile(
    rf"{PREFIX} ([a-z0-9][a-z0-9-]{{0,29}}[a-z0-9]) ([A-Za-z0-9.:-]{{1,253}}) ([0-9]{{1,5}})"
    r" ([A-Z2-7]{26}) ([0-9a-f]{32}) ([0-9a-f]{24})"
)


class ClaimRefused(QafilaError):
    """That is no claim, or not one for this unit."""

    code: ClassVar[str] = "claim-form"


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """What the line says.

    Attributes:
        token: shown to the server once its certificate is believed.
        authority: which authority that certificate comes from, `authority_of` its certificate.
        roots: which centre it is, `roots_of` its roots.
    """

    unit: str
    host: str
    port: int
    token: bytes = dataclasses.field(repr=False)
    authority: bytes
    roots: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the line.

        Raises:
            ClaimRefused: it is none; nothing of it is repeated.
        """
        found = _FORM.fullmatch(text.strip()) if len(text) <= MOST_CHARACTERS else None
        if found is None or not 1 <= int(found[3]) <= 65535:
            raise ClaimRefused(
                "That is no claim of a centre.",
                next_step="take the file that `qafila central claim` wrote, or type its line whole.",
            )
        token = base64.b32decode(found[4] + "======")
        return cls(
            *(found[1], found[2], int(found[3]), token), bytes.fromhex(found[5]), bytes.fromhex(found[6])
        )

    def line(self) -> str:
        token = token_text(self.token)
        words = (PREFIX, self.unit, self.host, str(self.port), token, self.authority.hex(), self.roots.hex())
        return " ".join(words) + "\n"


def check_host(host: str) -> None:
    """Whether boxes can be told to connect there.

    Raises:
        ClaimRefused: it is no name or address.
    """
    if not _HOST.fullmatch(host):
        raise ClaimRefused(
            "That is no name or address of a machine.",
            next_step="give --host as boxes reach it, such as est.example.org, without https:// and port.",
            code="host-refused",
        )


def make_token() -> bytes:
    return secrets.token_bytes(TOKEN_BYTES)


def token_text(token: bytes) -> str:
    """As it is shown to the server, as the password of HTTP Basic."""
    return base64.b32encode(token).decode().rstrip("=")


def authority_of(der: bytes) -> bytes:
    return hashlib.sha256(der).digest()[:AUTHORITY_BYTES]


def roots_of(roots: Sequence[bytes]) -> bytes:
    return hashlib.sha256(b"".join(roots)).digest()[:ROOTS_BYTES]
