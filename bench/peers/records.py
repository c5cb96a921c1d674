"""The records that everybody carries: a van's mornings, entry by entry, as short as JSON allows."""

import json
from collections.abc import Iterator
from itertools import count, islice
from typing import Any, Final

from bench.vanday import payloads
from edge.records.fields import Field

_WORDS: Final = {Field.CODE: "c", Field.FAMILY: "f", Field.GIVEN: "g", Field.DEVICE: "d"}


def records(wanted: int) -> Iterator[dict[str, Any]]:
    """So many records; ``n`` is the record's number and ``ts`` its time, no two alike.

    They say less than our entries do: no request, boot or clock quality, and of identities eight bytes.
    """
    numbers = count()
    entries = payloads(wanted // 13 + 1)
    for _kind, fields in islice(entries, wanted):
        n = next(numbers)
        said: dict[str, Any] = {"n": n}
        for field, word in _WORDS.items():
            if field in fields:
                said[word] = fields[field]
        if isinstance(value := fields.get(Field.VALUE), list):
            mantissa, exponent = (int(str(each)) for each in value)
            said["v"] = float(f"{mantissa}e{exponent}")
        for field, word in ((Field.PATIENT, "p"), (Field.ENCOUNTER, "e")):
            if isinstance(identity := fields.get(field), bytes):
                said[word] = identity[-8:].hex()
        # ThingsBoard joins what one device says in one millisecond, so each record has its own
        yield {"ts": 1_795_334_400_000 + n, "values": said}


def text(record: dict[str, Any]) -> str:
    """One record as it is sent."""
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)
