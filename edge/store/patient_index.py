"""The patient index: what of a patient is searched, and how a search finds it among a hundred thousand.

Two full-text tables stand beside ``patients``. The *trigram* table finds any three letters or more,
wherever in a word they stand; it knows nothing of shorter ones. The *prefix* table finds beginnings of
words, from one letter on. So a search whose words all have three letters or more looks inside words; as
soon as one is shorter, all are taken as beginnings, which is what somebody types who writes ``al fa``.

The tables hold no text of their own (external content), and what they drop is overwritten at once
(``secure-delete``): a patient who is erased is not found in their pages either.

Source: SQLite FTS5, sections 4.3.4 (trigram), 4.4.3 (external content), 6.6 (secure-delete).
"""

import json
from collections.abc import Sequence
from typing import Final

from edge.store import sqlite
from edge.store.normalise import normalise, normalise_identifier

_JOINS: Final = str.maketrans("", "", "'\u2019\u02bc-\u2010\u2011")
_TABLES: Final = ("patients_trigram", "patients_prefix")
_SHORTEST_TRIGRAM: Final = 3
_MOST_WORDS: Final = 6
_BEGINNING: Final = 2
"""Spellings in Latin letters agree in the beginning or nowhere: Fatima, Fatema, Fatma."""
_SHORTEST_PHONE: Final = 6

TABLES_DDL: Final = (
    """
    CREATE VIRTUAL TABLE patients_trigram USING fts5(
        norm, content = 'patients', content_rowid = 'number', tokenize = 'trigram'
    )
    """,
    """
    CREATE VIRTUAL TABLE patients_prefix USING fts5(
        norm, content = 'patients', content_rowid = 'number', tokenize = 'unicode61 remove_diacritics 0',
        prefix = '1 2', detail = none
    )
    """,
    *(f"INSERT INTO {table} ({table}, rank) VALUES ('secure-delete', 1)" for table in _TABLES),  # noqa: S608
)

_TRIGRAM: Final = (
    "SELECT rowid FROM patients_trigram WHERE patients_trigram MATCH ? ORDER BY rowid DESC LIMIT ?"
)
_PREFIX: Final = "SELECT rowid FROM patients_prefix WHERE patients_prefix MATCH ? ORDER BY rowid DESC LIMIT ?"


def searchable(
    *, names: Sequence[str], village: str | None, phone: str | None, identifiers: Sequence[Sequence[str]]
) -> str:
    """The words by which a patient is found, in the one spelling of `normalise`.

    A name with an apostrophe or a hyphen is found with it, without it and as two words; a phone number and
    an identifier however their digits are grouped.
    """
    text = " ".join(part for part in (*names, village or "") if part)
    joined = " ".join(word for word in text.split() if word != word.translate(_JOINS))
    words = [*normalise(text).split(), *normalise(joined.translate(_JOINS)).split()]
    words += [normalise_identifier(phone)] if phone else []
    words += [normalise_identifier(str(value)) for _, value in identifiers]
    return " ".join(dict.fromkeys(word for word in words if word))


def put(connection: sqlite.Connection, number: int, norm: str) -> None:
    """Enter a patient whose row stands in ``patients`` already."""
    for table in _TABLES:
        connection.execute(f"INSERT INTO {table} (rowid, norm) VALUES (?, ?)", (number, norm))  # noqa: S608  ours


def drop(connection: sqlite.Connection, number: int, norm: str) -> None:
    """Take a patient out, with the very text under which `put` entered it."""
    for table in _TABLES:
        connection.execute(
            f"INSERT INTO {table} ({table}, rowid, norm) VALUES ('delete', ?, ?)",  # noqa: S608  ours
            (number, norm),
        )


def find(connection: sqlite.Connection, text: str, limit: int) -> list[int]:
    """Numbers of the patients who have every word of ``text``, newest first.

    Words beyond the sixth are not looked at. Digits in groups, as a telephone number is read out, count
    as one word.
    """
    words = normalise(text).split()[:_MOST_WORDS]
    if not words:
        return []
    if len(words) > 1 and all(word.isdecimal() for word in words):
        words = ["".join(words)]
    if min(map(len, words)) < _SHORTEST_TRIGRAM:
        rows = connection.execute(_PREFIX, (" AND ".join(f'"{word}"*' for word in words), limit))
    else:
        rows = connection.execute(_TRIGRAM, (" AND ".join(f'"{word}"' for word in words), limit))
    return [int(number) for (number,) in rows.fetchall()]


def near(
    connection: sqlite.Connection, names: Sequence[tuple[str, str]], phone: str | None, limit: int
) -> list[int]:
    """Numbers of the patients whose names begin alike, in whatever order, or who have this telephone.

    ``names``: (family, given) in each script in which they are known.
    """
    found: list[int] = []
    for pair in names:
        beginnings = [normalise(part)[:_BEGINNING] for part in pair]
        words = " AND ".join(f'"{word}"*' for beginning in beginnings for word in beginning.split()[:1])
        if words:
            found += [int(number) for (number,) in connection.execute(_PREFIX, (words, limit)).fetchall()]
    digits = "" if phone is None else normalise_identifier(phone)
    if len(digits) >= _SHORTEST_PHONE:
        rows = connection.execute(_TRIGRAM, (f'"{digits}"', limit)).fetchall()
        found += [int(number) for (number,) in rows]
    return list(dict.fromkeys(found))


def number_and_enter_all(connection: sqlite.Connection) -> None:
    """Number the patients of a store that had no index, in the order of their ids, and enter them."""
    rows = connection.execute(
        "SELECT patient, family, given, village, phone, identifiers FROM patients ORDER BY patient"
    ).fetchall()
    for number, (patient, family, given, village, phone, identifiers) in enumerate(rows, 1):
        norm = searchable(
            names=(family, given), village=village, phone=phone, identifiers=json.loads(identifiers)
        )
        connection.execute(
            "UPDATE patients SET number = ?, norm = ? WHERE patient = ?", (number, norm, patient)
        )
        put(connection, number, norm)
