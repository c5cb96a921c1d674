"""What a damaged store still says: entries that are what was written, and which are missing."""

import bisect
import dataclasses
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias, cast

from edge import cbor
from edge.audit import chain
from edge.cbor import MalformedCbor, Value
from edge.records.fields import Field, Kind, Payload, Stream
from edge.store.rawpages import Cell
from edge.store.wreck import EPOCHS_BY_NAME, JOURNAL_BY_PLACE, Wreck

Name: TypeAlias = tuple[bytes, int, int]
"""What an entry was called first: epoch, stream, number."""
_KINDS: Final = frozenset(Kind)


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """Entries that are lost, both ends included; the centre has ``received`` of them."""

    epoch: str
    stream: Stream
    first: int
    last: int
    received: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stood: epoch by its number there, stream, number in the stream."""

    epoch: int
    stream: int
    seq: int


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """One entry that is what was written."""

    kind: Kind
    payload: Payload


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """An epoch as far as it is known; without its secret where only the index is left."""

    name: bytes
    secret: bytes | None
    readings: int


class Findings:
    """The journal of a damaged store, as far as it reads.

    Attributes:
        epochs: by their number.
        opened: how far the centre has received each stream, by epoch and stream.
        secrets: of patients.
        entries: those that are what was written.
        first: the place of each in the order of writing.
        no_samples: chunks whose samples are gone by rule.
    """

    def __init__(self, wreck: Wreck) -> None:
        self.epochs = _epochs(wreck)
        self.opened, self._tips = _streams(wreck)
        self.secrets = {
            patient: secret
            for patient, secret, *_ in cast("list[tuple[bytes, bytes]]", wreck.tables["patient_chains"])
        }
        self.first: dict[Place, int] = {}
        self.entries: dict[Place, Found] = {}
        self.no_samples: set[Place] = set()
        self._gone: set[Place] = set()
        self._read_journal(wreck.tables["journal"])

    def _read_journal(self, rows: list[Cell]) -> None:
        """Take every entry that is what was written; those of a payload that is gone by rule are none."""
        candidates: list[tuple[int, Place, Cell]] = []
        for values in rows:
            match values:
                case (int(id_), int(epoch), int(stream), int(seq), int(), *_):
                    place = Place(epoch, stream, seq)
                    self.first[place] = id_
                    self._tips[epoch, stream] = max(seq, self._tips.get((epoch, stream), 0))
                    candidates.append((id_, place, values))
                case _:
                    pass
        payloads = {place: payload for _, place, values in candidates if (payload := _payload(values[6]))}
        for payload in payloads.values():
            match payload.get(Field.PATIENT), payload.get(Field.SALT):
                case bytes(patient), bytes(secret):
                    self.secrets.setdefault(patient, secret)
                case _:
                    pass
        for _, place, values in candidates:
            found = payloads.get(place)
            kind = values[4]
            if values[6] is None:
                self._gone.add(place)
            elif found is not None and kind in _KINDS and self._fits(place, values, found):
                self.entries[place] = Found(Kind(cast("int", kind)), found)
        self._leave_out_what_is_gone()

    def _fits(self, place: Place, values: Cell, payload: Payload) -> bool:
        """Whether the payload is the one that the chain was made with, as far as that can still be known."""
        epoch = self.epochs.get(place.epoch)
        patient = values[5]
        if patient is not None:
            secret = self.secrets.get(cast("bytes", patient))
        else:
            genesis = payload.get(Field.SALT) if values[4] == Kind.GENESIS else None
            secret = epoch.secret if epoch is not None and epoch.secret else cast("bytes | None", genesis)
        if epoch is None or not secret:
            return True
        raw = cast("bytes", values[6])
        return chain.leaf(secret, epoch.name, Stream(place.stream), place.seq, raw) == values[7]

    def _leave_out_what_is_gone(self) -> None:
        """What was purged or erased stays so, also where an older page still holds it."""
        numbers = {epoch.name: number for number, epoch in self.epochs.items()}
        for found in list(self.entries.values()):
            if found.kind not in {Kind.PURGED, Kind.ERASED}:
                continue
            for field, places in ((Field.SPANS, self._gone), (Field.SAMPLES_GONE, self.no_samples)):
                for each in cast("Sequence[Sequence[Value]]", found.payload.get(field, ())):
                    match each:
                        case [bytes(name), int(stream), int(first), int(last)] if name in numbers:
                            places.update(Place(numbers[name], stream, seq) for seq in range(first, last + 1))
                        case _:
                            pass
        for place in self._gone:
            self.entries.pop(place, None)

    def name(self, place: Place) -> Name | None:
        """What an entry was called first, or None where its epoch is not known any more."""
        found = self.entries[place]
        match found.payload.get(Field.ORIGIN):
            case [bytes(name), int(stream), int(seq)]:
                return name, stream, seq
            case _:
                epoch = self.epochs.get(place.epoch)
                return None if epoch is None else (epoch.name, place.stream, place.seq)

    def in_order(self) -> list[Place]:
        """All entries as they were first written: children come after those they name.

        Of an entry whose first copy is lost the place is known by the one before it in its stream.
        """
        known: defaultdict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
        for place, id_ in self.first.items():
            known[place.epoch, place.stream].append((place.seq, id_))
        for ids in known.values():
            ids.sort()
        numbers = {epoch.name: number for number, epoch in self.epochs.items()}

        def written(place: Place) -> tuple[int, int]:
            name = self.name(place)
            number = place.epoch if name is None else numbers.get(name[0], place.epoch)
            stream, seq = (place.stream, place.seq) if name is None else name[1:]
            ids = known[number, stream]
            at = bisect.bisect_right(ids, (seq, sys.maxsize))
            before = ids[at - 1] if at else (0, 0)
            return before[1], seq - before[0]

        return sorted(self.entries, key=written)

    def alias(self, name: bytes, seq: int) -> Name:
        """What a reading was called first that stood under this number in this epoch."""
        for number, epoch in self.epochs.items():
            place = Place(number, Stream.VITALS, seq)
            if epoch.name == name and place in self.entries:
                return self.name(place) or (name, Stream.VITALS, seq)
        return name, Stream.VITALS, seq

    def lost(self) -> Iterator[Span]:
        """Numbers that were given out and whose entries are not there, as far as that is known."""
        again = {self.name(place) for place in self.entries}
        for (number, stream), tip in sorted(self._tips.items()):
            epoch = self.epochs.get(number)
            name = b"" if epoch is None else epoch.name
            missing = [
                seq
                for seq in range(1, tip + 1)
                if (place := Place(number, stream, seq)) not in self.entries
                and place not in self._gone
                and (name, stream, seq) not in again
            ]
            opened = self.opened.get((number, stream), 0)
            for first, last in _runs(missing):
                received = max(0, min(last, opened) - first + 1)
                yield Span(name.hex(), Stream(stream), first, last, received)


def _epochs(wreck: Wreck) -> dict[int, Known]:
    """Epochs by their number, also those of which only the index is left."""
    found: dict[int, Known] = {}
    for values in wreck.tables[EPOCHS_BY_NAME]:
        match values:
            case (bytes(name), int(number)):
                found[number] = Known(name, None, 0)
            case _:
                pass
    for values in wreck.tables["epochs"]:
        match values:
            case (int(number), bytes(name), bytes(secret), int(readings)):
                found[number] = Known(name, secret, readings)
            case _:
                pass
    return found


def _streams(wreck: Wreck) -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], int]]:
    """How far each stream was received, and how far it went, by epoch and stream."""
    opened: dict[tuple[int, int], int] = {}
    tips: defaultdict[tuple[int, int], int] = defaultdict(int)
    for values in wreck.tables["streams"]:
        match values:
            case (int(epoch), int(stream), int(tip), _, _, int(received), *_):
                opened[epoch, stream], tips[epoch, stream] = received, tip
            case _:
                pass
    for values in wreck.tables[JOURNAL_BY_PLACE]:
        match values:
            case (int(epoch), int(stream), int(seq), *_):
                tips[epoch, stream] = max(tips[epoch, stream], seq)
            case _:
                pass
    return opened, dict(tips)


def _payload(raw: object) -> Payload | None:
    try:
        decoded = cbor.decode(raw) if isinstance(raw, bytes) else None
    except MalformedCbor:
        return None
    return cast("Payload", decoded) if isinstance(decoded, dict) else None


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    first = last = None
    for number in numbers:
        if last is not None and first is not None and number != last + 1:
            yield first, last
            first = number
        first, last = number if first is None else first, number
    if first is not None and last is not None:
        yield first, last
