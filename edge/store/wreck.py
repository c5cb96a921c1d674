"""What can still be read of a damaged store: its rows, found page by page. Nothing is written.

A page belongs to the table from whose root it is reached. One that is reached from nowhere, because a page
above it is bad, is told by the shape of its rows: tables are strict, so a row says what it is.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from edge.store.rawpages import LEAF_OF_TABLE, Cell, Page, Pages, Row

SCHEMA: Final = 1
"""The page at which the list of tables begins."""
CHUNKS: Final = "waveform_chunks"
PARTS: Final = "attachment_parts"
_PIECES: Final = frozenset({CHUNKS, PARTS})
"""Tables of bytes that stand beside entries."""
EPOCHS_BY_NAME: Final = "sqlite_autoindex_epochs_1"
JOURNAL_BY_PLACE: Final = "sqlite_autoindex_journal_1"
_META: Final = frozenset(
    {"unit", "realm", "sign-private", "recv-private", "slots-generation", "slots-intent"}
)


@dataclasses.dataclass(slots=True)
class Wreck:
    """What was found.

    Attributes:
        tables: rows by table or index; a row of an integer key has it in its first column.
        chunks: where the bytes of a piece stand, by waveform or attachment and number.
        pages: how many there are.
        bad: pages that do not read back.
        older: pages of which only an older version reads back.
        torn: rows of which a part cannot be read.
    """

    tables: dict[str, list[Cell]]
    chunks: dict[tuple[bytes, int], tuple[int, int]]
    pages: int
    bad: int
    older: int
    torn: int


def search(pages: Pages, wanted: frozenset[str], progress: Callable[[int], None]) -> Wreck:
    """Go through every page once, and through the trees as far as they hold."""
    owners = _owners(pages)
    wreck = Wreck({name: [] for name in wanted}, {}, pages.count, 0, 0, 0)
    for number in range(1, pages.count + 1):
        page = pages.page(number)
        progress(number)
        if page is None:
            continue
        owner = owners.get(number)
        if owner is None or owner in wanted or owner in _PIECES:
            wreck.torn += page.torn
            _take(wreck, page, owner)
    wreck.bad, wreck.older = len(pages.bad), len(pages.older)
    return wreck


def bytes_at(pages: Pages, place: tuple[int, int]) -> bytes | None:
    """The samples or the part that stand there, or None where none are kept."""
    page = pages.page(place[0])
    values = () if page is None else page.rows[place[1]].values
    match values:
        case (_, _, _, _, _, _, _, _, int(), int(), bytes(data)) | (_, _, _, _, _, _, bytes(data)):
            return data
        case _:
            return None


def _take(wreck: Wreck, page: Page, owner: str | None) -> None:
    for index, row in enumerate(page.rows):
        name = owner or _shape(page.kind, row.values)
        if name is None:
            continue
        values = row.values
        if page.kind == LEAF_OF_TABLE and values and values[0] is None and row.rowid is not None:
            values = (row.rowid, *values[1:])
        if name in _PIECES:
            match values:
                case (_, bytes(whole), int(number), *_):
                    wreck.chunks[whole, number] = page.number, index
                case _:
                    pass
        elif name in wreck.tables:
            wreck.tables[name].append(values)


def _owners(pages: Pages) -> dict[int, str]:
    """Which table or index a page belongs to, as far as the trees hold."""
    roots: dict[str, int] = {}
    for row in _rows(pages, SCHEMA):
        match row.values:
            case (str(), str(name), str(), int(root), *_) if root > 0:
                roots[name] = root
            case _:
                pass
    owners = dict.fromkeys(_tree(pages, SCHEMA), "sqlite_schema")
    for name, root in roots.items():
        owners |= {number: name for number in _tree(pages, root) if number not in owners}
    return owners


def _rows(pages: Pages, root: int) -> Iterator[Row]:
    for number in _tree(pages, root):
        page = pages.page(number)
        if page is not None:
            yield from page.rows


def _tree(pages: Pages, root: int) -> list[int]:
    """The pages of a tree that are reached from its root and read back."""
    seen: dict[int, None] = {}
    waiting = [root]
    while waiting:
        number = waiting.pop()
        if number in seen or not 1 <= number <= pages.count:
            continue
        page = pages.page(number)
        if page is not None:
            seen[number] = None
            waiting += page.children
    return list(seen)


def _shape(kind: int, values: Cell) -> str | None:
    """What a row is that stands in no tree."""
    shapes = _IN_TABLES if kind == LEAF_OF_TABLE else _IN_INDEXES
    return next((name for name, fits in shapes.items() if fits(values)), None)


def _is_journal(values: Cell) -> bool:
    match values:
        case (None, int(), int(stream), int(seq), int(kind), _, _, bytes(leaf), bytes(head)):
            return 0 <= stream <= 4 and seq > 0 and 0 <= kind < 256 and len(leaf) == len(head) == 32
        case _:
            return False


def _is_epoch(values: Cell) -> bool:
    match values:
        case (None, bytes(epoch), bytes(secret), int()):
            return len(epoch) == 8 and len(secret) == 32
        case _:
            return False


def _is_chunk(values: Cell) -> bool:
    match values:
        case (None, bytes(waveform), int(), int(), int(), str(), str(), bytes(digest), _, _, _):
            return len(waveform) == 16 and len(digest) == 32
        case _:
            return False


def _is_part(values: Cell) -> bool:
    match values:
        case (None, bytes(attachment), int(), bytes(patient), bytes(digest), int(), _):
            return len(attachment) == len(patient) == 16 and len(digest) == 32
        case _:
            return False


def _is_meta(values: Cell) -> bool:
    match values:
        case (str(name), bytes()):
            return name in _META
        case _:
            return False


def _is_stream(values: Cell) -> bool:
    match values:
        case (int(), int(stream), int(), bytes(head), int(), int(), _):
            return 0 <= stream <= 4 and len(head) == 32
        case _:
            return False


def _is_patient_chain(values: Cell) -> bool:
    match values:
        case (bytes(patient), bytes(secret), _, int(), int(), int(), int(), int(), int()):
            return len(patient) == 16 and len(secret) == 32
        case _:
            return False


def _is_epoch_by_name(values: Cell) -> bool:
    match values:
        case (bytes(epoch), int()):
            return len(epoch) == 8
        case _:
            return False


_IN_TABLES: Final[Mapping[str, Callable[[Cell], bool]]] = {
    "journal": _is_journal,
    "epochs": _is_epoch,
    CHUNKS: _is_chunk,
    PARTS: _is_part,
}
_IN_INDEXES: Final[Mapping[str, Callable[[Cell], bool]]] = {
    "meta": _is_meta,
    "streams": _is_stream,
    "patient_chains": _is_patient_chain,
    EPOCHS_BY_NAME: _is_epoch_by_name,
}
