"""Looks for texts that must not be there, in every spelling a program is likely to leave them in.

Spellings: UTF-8 in NFC and NFD, plain and with the escapes of JSON; both in hexadecimal, lower and
upper case; both in base64 and its URL variant, at each of the three alignments a text can have inside
something larger.

The search is quick because it can prove absence cheaply: a needle of seven bytes or more covers one
four-byte word that is aligned in the text it stands in. The set of all such words is intersected with
the text's words in one call, and only needles whose word was met are searched for in earnest.
"""

import base64
import dataclasses
import json
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

MIN_CANARY_BYTES: Final = 7
"""Shorter texts have spellings short enough to be met by chance, and too short for the quick search."""
_WORD: Final = 4
_CHUNK: Final = 4 * 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Hit:
    """One text found in one place in one spelling."""

    place: str
    canary: str
    encoding: str


def spellings(text: str) -> dict[str, set[bytes]]:
    """Every form of ``text`` that is searched for, by the name of the encoding."""
    found: dict[str, set[bytes]] = {}
    for form in ("NFC", "NFD"):
        normal = unicodedata.normalize(form, text)
        plain = normal.encode()
        forms = {
            f"utf8-{form}": {plain},
            f"json-{form}": _json_escapes(normal),
            f"hex-lower-{form}": {plain.hex().encode()},
            f"hex-upper-{form}": {plain.hex().upper().encode()},
            f"base64-{form}": set(_base64(plain)),
        }
        for name, needles in forms.items():
            found.setdefault(name, set()).update(needles)
    return found


def _json_escapes(text: str) -> set[bytes]:
    """What ``json.dumps`` writes when it keeps to ASCII, in either case of its digits."""
    lower = json.dumps(text)[1:-1].encode()
    upper = "".join(
        json.dumps(c)[1:-1] if c.isascii() else json.dumps(c)[1:-1].upper().replace("\\U", "\\u")
        for c in text
    ).encode()
    return {lower, upper}


def _base64(plain: bytes) -> Iterator[bytes]:
    """The characters that depend on ``plain`` alone, for each of its alignments within a larger text."""
    for before in range(3):
        first = -(-8 * before // 6)  # the first character that holds no bit of what stands before
        last = 8 * (before + len(plain)) // 6  # the one after the last that holds no bit of what follows
        padded = bytes(before) + plain + bytes(3)
        yield base64.b64encode(padded)[first:last]
        yield base64.urlsafe_b64encode(padded)[first:last]


class Scanner:
    """Searches bytes and files for canaries.

    Args:
        canaries: the texts; each at least `MIN_CANARY_BYTES` of UTF-8.
    """

    def __init__(self, canaries: Iterable[str]) -> None:
        self._needles: dict[bytes, set[tuple[str, str]]] = {}
        for canary in canaries:
            if len(unicodedata.normalize("NFC", canary).encode()) < MIN_CANARY_BYTES:
                raise ValueError(f"a canary needs {MIN_CANARY_BYTES} bytes of UTF-8")
            for encoding, needles in spellings(canary).items():
                for needle in needles:
                    self._needles.setdefault(needle, set()).add((canary, encoding))
        self._words: dict[int, set[bytes]] = {}
        for needle in self._needles:
            for start in range(_WORD):
                word = memoryview(needle[start : start + _WORD]).cast("I")[0]
                self._words.setdefault(word, set()).add(needle)
        self._wanted = frozenset(self._words)
        self._longest = max(map(len, self._needles), default=0)

    def search(self, data: bytes, place: str) -> set[Hit]:
        """Every canary in ``data``, however spelled."""
        words = memoryview(data)[: len(data) & -_WORD].cast("I")
        met = self._wanted.intersection(words)
        candidates = {needle for word in met for needle in self._words[word]}
        return {
            Hit(place, canary, encoding)
            for needle in candidates
            if needle in data
            for canary, encoding in self._needles[needle]
        }

    def search_file(self, path: Path, place: str) -> set[Hit]:
        """The same for a file, a few megabytes at a time; one that vanished meanwhile holds nothing."""
        hits: set[Hit] = set()
        tail = b""
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    data = tail + chunk
                    hits |= self.search(data, place)
                    tail = data[-self._longest :]
        except FileNotFoundError:
            pass  # a spool file on its way, a journal of the database: both come and go
        return hits

    def search_tree(self, root: Path, *, leave_out: Iterable[Path] = ()) -> set[Hit]:
        """Every regular file under ``root`` and its name, except below the paths left out."""
        skipped = {path.resolve() for path in leave_out}
        hits: set[Hit] = set()
        for where, folders, files in os.walk(root):
            folder = Path(where)
            folders[:] = [name for name in folders if (folder / name).resolve() not in skipped]
            for name in [*files, *folders]:
                place = str((folder / name).relative_to(root))
                hits |= self.search(place.encode(errors="surrogateescape"), f"the name {place}")
            for name in files:
                path = folder / name
                if path.is_file() and not path.is_symlink():
                    hits |= self.search_file(path, str(path.relative_to(root)))
        return hits


def by_canary(hits: Iterable[Hit]) -> Mapping[str, set[str]]:
    """Which encodings of each canary were met."""
    met: dict[str, set[str]] = {}
    for hit in hits:
        met.setdefault(hit.canary, set()).add(hit.encoding)
    return met
