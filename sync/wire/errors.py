"""How the readers of this package say no."""

from typing import ClassVar, Final, Literal, TypeAlias

from edge.errors import QafilaError

Refusal: TypeAlias = Literal[
    "too-large", "version", "form", "kid", "signature", "realm", "unit", "schema", "key", "decode"
]

REFUSALS: Final[dict[Refusal, str]] = {
    "too-large": "The message is larger than a message may be.",
    "version": "The message begins with a version byte that this program does not read.",
    "form": "The message is not in the one form that is accepted.",
    "kid": "The message names another key than the one it is checked with.",
    "signature": "The signature does not fit.",
    "realm": "The message belongs to the other realm.",
    "unit": "The message names another unit.",
    "schema": "The message is written in a schema that this program does not know.",
    "key": "No key at hand opens this.",
    "decode": "The message opens, but what is inside is not in the one form that is accepted.",
}
"""Every code of `EnvelopeRefused` with the sentence people see."""


_NEXT_STEPS: Final[dict[Refusal, str]] = {
    "version": "Update this program, or ask for the message in the present version.",
    "form": "Ask for the message again; it is damaged, or not what it claims to be.",
    "kid": "Compare the roots' fingerprints with the centre by telephone.",
    "signature": "Ask for the message again; if it is refused again, tell the centre.",
    "realm": "Use the file that was made for this realm; training and production never mix.",
    "unit": "Use the file that answers this unit's present request.",
    "schema": "Update this program; the message is kept.",
}
"""What a person can do about those that people meet, when they carry files."""


class EnvelopeRefused(QafilaError):
    """Bytes from outside that may not be believed, or cannot be opened yet.

    ``schema``, ``key`` and ``decode`` come from opening: the message was validly signed and is worth
    keeping. Every other code comes from reading or verifying: nothing in the message may be used.
    """

    code: ClassVar[str] = "envelope-refused"

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(REFUSALS[refusal], next_step=_NEXT_STEPS.get(refusal, ""), code=refusal)
        self.refusal: Refusal = refusal


class NonceExhausted(QafilaError):
    """A session key has sealed as much as it may. Start a new session."""

    code: ClassVar[str] = "nonce-exhausted"


class NoRecipient(QafilaError):
    """The keyset names no key of the centre to seal to; nothing can be sealed until one comes."""

    code: ClassVar[str] = "no-recipient"
