"""The box's end of a courier stick: sealed files out, signed receipts in.

What the uplink does by the link, done by hand, with the same powers: nothing is opened, no key but the
centre's public ones is at hand, and nothing here changes how far a record has come. The agent judges the
receipts when it takes them out of ``spool/in``.
"""

import contextlib
import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from edge.ports.sealing import Receipt, ReceiptRefused
from edge.spool import stick
from edge.spool.files import names_in, write_atomically
from edge.spool.names import SpoolName, parse
from edge.spool.stick import Folder, Odd, Side, StickRefused
from sync.uplink.coverage import Coverage, read_contents
from sync.uplink.incoming import (
    MOST_FILES,
    MOST_RECEIPT_BYTES,
    Line,
    down_name,
    file_name,
    keyset_name,
    read_name,
)
from sync.uplink.outgoing import read_regular
from sync.wire import keyset as wire_keyset
from sync.wire import receipts
from sync.wire.cose import MAX_MESSAGE_BYTES
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Keyset

_PASSES: Final = 5
"""Looks into a spool in which the agent joins files while they are copied."""
MOST_RECEIPTS: Final = 1000
MOST_DOWN: Final = 64
"""Messages down that are taken from one stick."""


@dataclasses.dataclass(frozen=True, slots=True)
class Van:
    """Whose spool it is.

    Attributes:
        keyset: the centre's public keys, as they are pinned now.
        roots: with which a newer keyset is verified.
    """

    unit: str
    keyset: Keyset
    spool_out: Path
    spool_in: Path
    roots: tuple[bytes, ...] = ()


@dataclasses.dataclass(slots=True)
class CopiedOut:
    """What became of the files of the spool.

    Attributes:
        copied: written to the stick now.
        there: on the stick already.
        covered: not needed: a receipt says that the centre holds them.
        removed: taken off the stick for the same reason.
        size: bytes written.
        unsendable: files of the spool that are no sealed files of this unit.
    """

    copied: int = 0
    there: int = 0
    covered: int = 0
    removed: int = 0
    size: int = 0
    unsendable: int = 0


@dataclasses.dataclass(slots=True)
class TakenIn:
    """What became of the receipts on the stick.

    Attributes:
        taken: given to the agent.
        known: lie in ``spool/in`` already, or something newer does.
        older: there is a newer one on the stick.
        refused: by code; nothing of them is used.
        other: things that are no receipts by their name.
        down: messages of the centre's that were given to the agent; only it can open them.
        keyset: the version of a newer keyset that was given to the agent, or None.
    """

    taken: int = 0
    known: int = 0
    older: int = 0
    refused: Counter[str] = dataclasses.field(default_factory=Counter[str])
    other: int = 0
    down: int = 0
    keyset: int | None = None

    def as_json(self) -> dict[str, object]:
        return {
            "taken": self.taken,
            "known": self.known,
            "older": self.older,
            "refused": dict(self.refused),
            "other": self.other,
            "down": self.down,
            "keyset": self.keyset,
        }


def copy_out(place: Path, van: Van, progress: Callable[[int, int], None] = lambda _, __: None) -> CopiedOut:
    """Copy what the centre does not hold yet to a stick.

    Args:
        place: where the stick is mounted.
        van: whose spool.
        progress: called with how many of how many files were looked at.

    Raises:
        StickRefused: not all is on the stick; what is there is whole, and the next time goes on.
        SpoolFailed: the spool cannot be read.
    """
    with (
        stick.folder(place, van.unit, Side.UP, make=True) as up,
        stick.folder(place, van.unit, Side.RECEIPTS) as back,
    ):
        assert up is not None  # noqa: S101  it is made if it is not there
        coverage = Coverage()
        for receipt in (*_verified_in(van), *(() if back is None else _verified_on(back, van))):
            coverage.learn(receipt)
        done = CopiedOut()
        present = _copy_all(up, van, coverage, done, progress)
        _take_off(up, van, coverage, present, done)
        up.sync()
    return done


def _copy_all(
    up: Folder, van: Van, coverage: Coverage, done: CopiedOut, progress: Callable[[int, int], None]
) -> set[str]:
    """Copy until a look into the spool shows nothing new; the names that were seen."""
    seen: set[str] = set()
    for _ in range(_PASSES):
        fresh = sorted(
            name for text in names_in(van.spool_out) if text not in seen and (name := parse(text)) is not None
        )
        for number, name in enumerate(fresh, 1):
            seen.add(str(name))
            _copy(up, van, name, coverage, done)
            progress(number, len(fresh))
        if not fresh:
            break
    return seen


def _copy(up: Folder, van: Van, name: SpoolName, coverage: Coverage, done: CopiedOut) -> None:
    content = read_regular(van.spool_out / str(name))
    if content is None:
        return  # receipted or joined with others meanwhile
    try:
        covered = coverage.covers(read_contents(content, van.unit))
    except EnvelopeRefused:
        done.unsendable += 1  # it is the agent's file, and the agent seals the range again
        return
    if covered:
        done.covered += 1
    elif up.read(str(name), len(content)) == content:
        done.there += 1
    else:
        up.write(str(name), content)
        done.copied += 1
        done.size += len(content)


def _take_off(up: Folder, van: Van, coverage: Coverage, present: set[str], done: CopiedOut) -> None:
    """Remove files from the stick that the centre has signed for; what it has not stays for good.

    After a store was lost the stick may hold the only copy.
    """
    for text in list(up.names()):
        if text in present or parse(text) is None:
            continue
        content = up.read(text, MAX_MESSAGE_BYTES)
        if not isinstance(content, bytes):
            continue
        with contextlib.suppress(EnvelopeRefused):
            if coverage.covers(read_contents(content, van.unit)):
                up.remove(text)
                done.removed += 1


def take_in(place: Path, van: Van) -> TakenIn:
    """Give the newest receipts on a stick to the agent, and what the centre has to tell it.

    Raises:
        StickRefused: there is nothing for this unit on it, or too much.
        SpoolFailed: the spool takes no file.
    """
    done = TakenIn()
    with stick.folder(place, van.unit, Side.RECEIPTS) as back:
        if back is None:
            raise StickRefused(
                f"There are no receipts for {van.unit} on this stick.",
                next_step="At the centre: qafila central import, then qafila central export-receipts.",
                code="stick-no-receipts",
            )
        van = _with_newer_keyset(place, van, done)
        found: dict[Line, Receipt] = {}
        raws: dict[Line, bytes] = {}
        for raw, receipt in _read_receipts(back, van, done):
            line = (receipt.level, receipt.epoch.hex(), receipt.generation)
            if line in found:
                done.older += 1
            if line not in found or found[line].rseq < receipt.rseq:
                found[line], raws[line] = receipt, raw
    here = _newest_here(van.spool_in)
    for line, receipt in sorted(found.items()):
        if here.get(line, 0) >= receipt.rseq:
            done.known += 1
        else:
            _put(van, file_name(line, receipt.rseq), raws[line])
            done.taken += 1
    _take_down(place, van, done)
    return done


def _with_newer_keyset(place: Path, van: Van, done: TakenIn) -> Van:
    """The newest keyset on the stick goes first: receipts may be signed with keys that only it names."""
    with stick.folder(place, van.unit, Side.KEYSET) as folder:
        for name in itertools.islice(() if folder is None else folder.names(), MOST_DOWN):
            assert folder is not None  # noqa: S101  else there are no names
            raw = folder.read(name, MAX_MESSAGE_BYTES)
            if isinstance(raw, Odd):
                done.refused[raw.value] += 1
            elif raw is not None:
                van = _take_keyset(raw, van, done)
    return van


def _take_keyset(raw: bytes, van: Van, done: TakenIn) -> Van:
    try:
        found = wire_keyset.read(raw, van.roots, van.keyset.realm)
    except EnvelopeRefused as refused:
        done.refused[refused.refusal] += 1
        return van
    if found.version <= van.keyset.version:
        return van
    _put(van, keyset_name(found.version), raw)
    done.keyset = found.version
    return dataclasses.replace(van, keyset=found)


def _take_down(place: Path, van: Van, done: TakenIn) -> None:
    """Nothing of it can be judged here: it is sealed to the agent, which refuses what is not the centre's."""
    with stick.folder(place, van.unit, Side.DOWN) as down:
        for name in itertools.islice(() if down is None else down.names(), MOST_DOWN):
            assert down is not None  # noqa: S101  else there are no names
            raw = down.read(name, MAX_MESSAGE_BYTES)
            if isinstance(raw, Odd):
                done.refused[raw.value] += 1
            elif raw is not None and name == down_name(raw):
                if not (van.spool_in / name).exists():
                    _put(van, name, raw)
                    done.down += 1
            else:
                done.other += 1


def _put(van: Van, name: str, raw: bytes) -> None:
    if len(names_in(van.spool_in)) >= MOST_FILES:
        raise StickRefused(
            "Too much waits to be looked at by the agent.",
            next_step="Sign in on this unit, so that it is taken in, and repeat the command.",
            code="spool-full",
        )
    write_atomically(van.spool_in, name, raw)


def _newest_here(spool_in: Path) -> Mapping[Line, int]:
    newest: dict[Line, int] = {}
    for name in names_in(spool_in):
        parts = read_name(name)
        if parts is not None:
            newest[parts[0]] = max(parts[1], newest.get(parts[0], 0))
    return newest


def _read_receipts(back: Folder, van: Van, done: TakenIn) -> Iterator[tuple[bytes, Receipt]]:
    names: list[str] = []
    for name in back.names():
        if read_name(name) is None:
            done.other += 1
        else:
            names.append(name)
        if len(names) > MOST_RECEIPTS:
            raise StickRefused(
                f"{back.shown} holds more receipts than a centre writes for one unit.",
                next_step="Nothing was taken in. Have the centre write them to an empty stick.",
                code="stick-too-much",
            )
    for name in sorted(names):
        raw = back.read(name, MOST_RECEIPT_BYTES)
        if isinstance(raw, Odd):
            done.refused[raw.value] += 1
        elif raw is not None:
            try:
                receipt = receipts.verify(raw, van.keyset, van.unit)
            except ReceiptRefused as refused:
                done.refused[refused.stable_code] += 1
                continue
            if receipt.generation in van.keyset.generations:
                yield raw, receipt
            else:
                done.refused["generation"] += 1


def _verified_on(back: Folder, van: Van) -> list[Receipt]:
    """The receipts on a stick that verify; without them more is copied than has to be."""
    with contextlib.suppress(StickRefused):
        return [receipt for _, receipt in _read_receipts(back, van, TakenIn())]
    return []


def _verified_in(van: Van) -> Iterator[Receipt]:
    """What waits in ``spool/in``."""
    for name in names_in(van.spool_in):
        if read_name(name) is None:
            continue
        raw = read_regular(van.spool_in / name)
        if raw is None or len(raw) > MOST_RECEIPT_BYTES:
            continue
        with contextlib.suppress(ReceiptRefused):
            receipt = receipts.verify(raw, van.keyset, van.unit)
            if receipt.generation in van.keyset.generations:
                yield receipt
