"""What the uplink says about what is in its way and what it refuses.

One sentence and one next step for each code; ``docs/reference/uplink.md`` is held against these tables.
"""

import types
from collections.abc import Mapping
from typing import Final

_WAIT: Final = "Nothing to do: the uplink tries again by itself."
_FORGED: Final = (
    "Look for a stranger on the broker; if receipts stop coming, ask the centre for a new bundle."
)
_STRAY: Final = "Ask the centre who publishes to this unit; what is its own still comes."

LINK: Final[Mapping[str, tuple[str, str]]] = types.MappingProxyType(
    {
        "broker-unreachable": (
            "The broker cannot be reached.",
            "Check the network and the broker's address.",
        ),
        "broker-silent": ("The broker took the connection and says nothing.", _WAIT),
        "broker-closed": ("The broker closed the connection.", _WAIT),
        "broker-refused": (
            "The broker does not admit this unit, or not to its topics.",
            "Ask the centre whether the unit is admitted.",
        ),
        "broker-misbehaved": ("What answered does not speak MQTT as a broker should.", "Check the address."),
        "broker-taken-over": (
            "Another connection uses this unit's name.",
            "Look for a second uplink of this unit, or a copy of its card.",
        ),
        "broker-refused-message": (
            "The broker refuses what this unit sends.",
            "Ask the centre for its rules.",
        ),
        "broker-not-trusted": (
            "What answered is not the centre's broker, by its certificate.",
            "Check the broker's address; if the centre has a new authority, ask it for a new bundle.",
        ),
        "broker-certificate-ended": (
            "The broker's certificate has ended.",
            "Ask the centre to renew it: qafila central broker mosquitto.",
        ),
        "broker-tls-refused": (
            "The broker and this unit agree on no version of TLS.",
            "Check the address and the port; the broker has to speak TLS 1.3.",
        ),
        "certificate-missing": (
            "This unit has no certificate to show, or not its key.",
            "Run qafila unit renew-link, have the centre answer, then qafila unit enrol.",
        ),
        "certificate-due": (
            "This unit's certificate ends soon, and no new one has come.",
            "Ask the centre to renew it: qafila central renew.",
        ),
        "certificate-ended": (
            "This unit's certificate has ended; measuring goes on, and everything is kept.",
            "Have the centre answer qafila unit csr again, carry the answer here, then qafila unit enrol.",
        ),
        "certificate-revoked": (
            "The centre has revoked this unit; everything it has is kept.",
            "Call the centre. A courier stick still carries what waits: qafila store courier-out.",
        ),
        "certificate-unknown": (
            "The broker does not know who signed this unit's certificate.",
            "Check that this is the unit's centre, and ask it for a new bundle.",
        ),
        "receipt-overdue": ("Everything was handed over and no receipt comes.", _WAIT),
    }
)
"""Codes of a connection that is not there, or no longer; nothing is lost meanwhile."""

REFUSED: Final[Mapping[str, tuple[str, str]]] = types.MappingProxyType(
    {
        "topic": ("A message came under a topic that is not this unit's.", _STRAY),
        "too-large": ("A message is larger than a message to a unit may be.", _STRAY),
        "version": (
            "A receipt begins with a version byte that this program does not read.",
            "Update this unit; what it sent is kept until then.",
        ),
        "form": ("A receipt is not in the one form that is accepted.", _WAIT),
        "kid": (
            "A receipt is signed with a key that is not the centre's.",
            "Look for a stranger on the broker; if the centre has new keys, ask it for a new bundle.",
        ),
        "signature": ("A receipt's signature does not fit.", _FORGED),
        "realm": (
            "A receipt belongs to the other realm.",
            "Check the broker's address in unit.toml; training and production never mix.",
        ),
        "unit": ("A receipt names another unit.", _STRAY),
        "certificate": (
            "A certificate came that no root of the centre has signed for this unit.",
            _FORGED,
        ),
        "level": ("A receipt came under the other level's topic.", _FORGED),
        "generation": (
            "A receipt is of a generation of the centre that this unit does not know.",
            "Ask the centre for a new bundle; the unit keeps what it has not receipted.",
        ),
        "keyset-kid": (
            "A keyset is signed by no root that this unit has pinned.",
            "Look for a stranger on the broker; if the centre has new roots, carry its new bundle here.",
        ),
        "keyset-signature": ("A keyset's signature does not fit.", _FORGED),
        "keyset-realm": (
            "A keyset belongs to the other realm.",
            "Check the broker's address in unit.toml; training and production never mix.",
        ),
        "keyset-form": ("A keyset is not in the one form that is accepted.", _FORGED),
        "keyset-version": (
            "A keyset begins with a version byte that this program does not read.",
            "Update this unit; the keys it knows are believed until then.",
        ),
        "keyset-older": (
            "A keyset came that is older than the one this unit has; the newer one holds.",
            "Ask the centre whether it was restored from a backup; look for a stranger on the broker if not.",
        ),
        "keyset-too-large": ("A keyset is larger than a message may be.", _FORGED),
    }
)
"""Codes of a message that is dropped: counted, told once, never written."""

FILES: Final[Mapping[str, tuple[str, str]]] = types.MappingProxyType(
    {
        "spool-full": (
            "The folder spool/in holds as many files as it may.",
            "Start the agent and sign in: it reads them and makes room.",
        ),
        "spool-failed": (
            "The folder spool/in takes no file.",
            "Look at the disk, its room and the folder's owner.",
        ),
        "file-unsendable": (
            "A file in spool/out is no sealed file of this unit, and stays where it is.",
            "Nothing to do: the agent seals the range again.",
        ),
        "broker-packet-too-large": (
            "A file exceeds what the broker takes in one message, and stays where it is.",
            "Ask the broker's operator for a Maximum Packet Size of 300000 bytes or more.",
        ),
    }
)
"""Codes of a file that cannot be written or sent; it is kept."""


def said(table: Mapping[str, tuple[str, str]], code: str, **more: object) -> dict[str, object]:
    """The fields of a log record: the code, what it is about, then sentence and next step."""
    sentence, next_step = table[code]
    return {"code": code, **more, "sentence": sentence, "next": next_step}
