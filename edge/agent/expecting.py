"""Whom the centre expects at this unit: a list that comes in pieces, each with its end.

::

    [expect, until (ms), [[patient, family, given, family in Arabic letters, given in Arabic letters, sex,
     birth or null, [[system, value], …], note], …], [patient, …]]

The second list names who is expected no more. Nobody of them is a patient of this unit before somebody
enters them; then they keep the identity under which the centre knows them.
"""

import json
from typing import Final

from edge.agent.down import Arrival, Downs, Taken, Unfit, fields, id_of, number_of, text_of
from edge.cbor import Value
from edge.store.normalise import normalise

COMMAND: Final = "command"
"""The use of the key that signs it."""
EXPECT: Final = "expect"
MOST: Final = 500
_LONGEST: Final = 120
_SEXES: Final = ("female", "male", "other", "unknown")


def register(downs: Downs) -> None:
    """Have the kind understood."""
    downs.on(EXPECT, COMMAND, _expect)


def _expect(arrival: Arrival) -> Taken:
    until, people, gone = fields(arrival.down, 3)[:3]
    expires_ms = number_of(until)
    read = [_person(each) for each in _items(people)]
    tx = arrival.tx
    tx.expect_no_more(None, arrival.moment.wall_ms)
    for patient, person, norm in read:
        tx.expect(patient, person, norm, expires_ms)
    for each in _items(gone):
        tx.expect_no_more(id_of(each))
    return Taken()


def _items(value: Value) -> list[Value]:
    if not isinstance(value, list) or len(value) > MOST:
        raise Unfit("form")
    return value


def _person(value: Value) -> tuple[bytes, str, str]:
    """Identity, what is shown, and what a search looks at."""
    items = _items(value)
    if len(items) < 9:
        raise Unfit("form")
    patient, birth, identifiers = id_of(items[0]), items[6], _items(items[7])
    names = [text_of(each, _LONGEST) for each in items[1:5]]
    sex, note = text_of(items[5], 16), text_of(items[8], _LONGEST)
    if sex not in _SEXES:
        raise Unfit("form")
    pairs: list[dict[str, str]] = []
    for each in identifiers:
        pair = _items(each)
        if len(pair) != 2:
            raise Unfit("form")
        pairs.append({"system": text_of(pair[0], 40), "value": text_of(pair[1], _LONGEST)})
    shown = {
        **dict(zip(("family", "given", "family_arabic", "given_arabic"), names, strict=True)),
        "sex": sex,
        "birth": None if birth is None else text_of(birth, 10),
        "identifiers": pairs,
        "note": note,
    }
    norm = normalise(" ".join([*names, *(each["value"] for each in pairs)]))
    return patient, json.dumps(shown, ensure_ascii=False), norm
