"""What the centre's processes say about what they refuse and what is in their way.

One sentence and one next step for each code; ``docs/reference/centre.md`` is held against this table.
"""

import types
from collections.abc import Mapping
from typing import Final

_UNIT_SENDS_AGAIN: Final = (
    "Nothing to do for one: the unit sends it again. For many, look at the unit's link."
)
_OURSELVES: Final = "Nothing to do: this process tries again by itself."
_FORGED: Final = (
    "Ask the unit's technician whether it was set up anew; enrol it again if so, and look for a stranger on "
    "the broker if not."
)
_NEWER: Final = "Update the centre; the batch is kept and is opened when the centre starts again."
_KEPT: Final = "Tell the maintainers the unit's version; the batch is kept and its range is asked for again."

DROPPED: Final[Mapping[str, tuple[str, str]]] = types.MappingProxyType(
    {
        "topic": (
            "A message came under a topic that is not its own.",
            "Look which client publishes it, and whether the broker's access rules hold it back.",
        ),
        "unit-unknown": (
            "A message came from a unit that is not enrolled here.",
            "Enrol the unit with qafila central enrol, or have the broker keep strangers out.",
        ),
        "unit": ("A message names another unit than its topic does.", _FORGED),
        "kid": ("A message is signed with another key than its unit is enrolled with.", _FORGED),
        "signature": ("A message's signature does not fit.", _FORGED),
        "realm": (
            "A message belongs to the other realm.",
            "Point the unit to its own realm's broker; training and production never mix.",
        ),
        "too-large": (
            "A message is larger than a message may be.",
            "Look which client publishes it; no unit of ours does.",
        ),
        "version": (
            "A message begins with a version byte that this centre does not read.",
            "Update the centre.",
        ),
        "form": ("A message is not in the one form that is accepted.", _UNIT_SENDS_AGAIN),
    }
)
"""Codes of ``message-dropped``: nobody registered sent it, or nobody can know who did."""

QUARANTINED: Final[Mapping[str, tuple[str, str]]] = types.MappingProxyType(
    {
        "key": (
            "A batch's session key does not open with the key this centre has.",
            "Compare the centre's seal-to key with its backup; the unit seals the range again.",
        ),
        "key-missing": (
            "The key message of a batch has not come.",
            "Nothing to do: the unit is asked for it, or seals the range again.",
        ),
        "decode": ("A batch opens, and what is inside is not in the one form that is accepted.", _KEPT),
        "schema": ("A batch is written in a schema that this centre does not know.", _NEWER),
        "head": (
            "A batch's entries do not lead to the head that its unit signed.",
            "Look for a second copy of the unit's card; both branches are kept.",
        ),
        "kind": ("An entry of a batch is of a kind that this centre does not know.", _NEWER),
        "patient": ("An entry of a batch names its patient in a form that is not accepted.", _KEPT),
        "salt": ("An entry of a batch brings a secret in a form that is not accepted.", _KEPT),
        "payload": ("An entry of a batch is not in the one form that is accepted.", _KEPT),
        "unit": ("What a batch holds names another unit than its envelope does.", _FORGED),
        **dict.fromkeys(
            ("too-large", "version", "form", "kid", "signature", "realm"),
            (
                "A batch that was verified when it landed does not verify any more.",
                "Look who may write to the centre's database; restore the last backup if it was damaged.",
            ),
        ),
    }
)
"""Codes of ``batch-quarantined``: validly signed, kept as it came, and not to be opened as it is."""

BROKER: Final[Mapping[str, tuple[str, str]]] = types.MappingProxyType(
    {
        "broker-unreachable": (
            "The broker cannot be reached.",
            "Check that it runs, and its address in centre.toml or after --broker.",
        ),
        "broker-silent": ("The broker took the connection and says nothing.", _OURSELVES),
        "broker-protocol": (
            "What answered does not speak MQTT as a broker should.",
            "Check the address: something else may listen there.",
        ),
        "broker-refused": ("The broker refuses this process.", "Admit it in the broker's access rules."),
        "broker-deaf": (
            "The broker lets this process in and gives it nothing to hear.",
            "Let it subscribe to qafila/v1/+/up/# in the broker's access rules.",
        ),
        "broker-tls-refused": (
            "The broker and this process agree on no TLS, or its certificate is not from this centre.",
            "Set it up anew with `qafila central broker mosquitto`, and start it again.",
        ),
        "broker-lost": ("The connection to the broker ended.", _OURSELVES),
        "broker-taken-over": (
            "Another connection uses this process's name.",
            "Look for a second copy of this centre on the same broker.",
        ),
    }
)
"""Codes of ``broker-away``: nothing is lost meanwhile, units keep what is not receipted."""

CONFLICTS: Final[Mapping[str, tuple[str, str]]] = types.MappingProxyType(
    {
        "conflict-landed": (
            "Two batches of a unit end in different heads after one entry.",
            "Look for a second copy of the unit's card; both branches are kept.",
        ),
        "conflict-opened": (
            "A unit sent two contents for one entry.",
            "Look for a second copy of the unit's card; both are kept, and the first counts.",
        ),
    }
)
"""Codes of a conflict: kept and told, never ignored."""

HISTORY: Final[Mapping[str, tuple[str, str]]] = types.MappingProxyType(
    {
        "forked": (
            "A unit's store went back in time; it began another epoch and sends again what is uncertain.",
            "Ask who restored a copy of its card; nothing else to do.",
        ),
        "cloned": (
            "Somebody writes to an epoch that its unit has left: a copy of its card is in use.",
            "Look for a second box with a copy, or for who put an older copy back; everything is kept.",
        ),
        "second-session": (
            "A unit says that somebody else has connected under its name.",
            "Look for a second uplink of it, or a copy of its card; put it out with `central disconnect`.",
        ),
        "loss-reported": (
            "A unit's card was damaged; it names entries that nobody can read any more.",
            "See with `central units` how many of them are not here either; have those entered from paper.",
        ),
    }
)
"""Codes of a unit's history."""


DATABASE: Final[Mapping[str, tuple[str, str]]] = types.MappingProxyType(
    {
        "database-lost": ("The connection to PostgreSQL ended.", _OURSELVES),
        "database-unreachable": ("PostgreSQL cannot be reached.", _OURSELVES),
        "database-busy": ("Others hold PostgreSQL too long, or it has no connection left.", _OURSELVES),
    }
)
"""Codes of ``database-away``: what was not committed is sent again by the units."""


def said(table: Mapping[str, tuple[str, str]], code: str, **more: object) -> dict[str, object]:
    """The fields of a log record: the code, what it is about, then sentence and next step."""
    sentence, next_step = table[code]
    return {"code": code, **more, "sentence": sentence, "next": next_step}
