"""Collects one patient's record page by page, from the running agent or from the store, and words it."""

import asyncio
import contextlib
import datetime
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from cli import attaching
from cli.asking import agent_runs
from cli.files import FileRefused, write_new_file
from cli.output import inert
from cli.signed_in import unlocked
from edge.agent import exporting, payloads
from edge.attachments.limits import ENDINGS
from edge.clock import TRUSTED_CLOCKS, SystemClock
from edge.config import Places
from edge.errors import QafilaError
from edge.i18n import amounts
from edge.i18n.catalogue import Catalogue
from edge.localapi.client import connect
from edge.records.fields import Kind, Stream
from edge.records.people import user_id
from edge.records.reasons import ExportReason
from edge.vitals.quantity import shown_unit

VERSION: Final = 1
"""Of the file's form."""


def id_of(text: str, what: str) -> uuid.UUID:
    """The id of a ``patient`` or ``visit`` as typed.

    Raises:
        QafilaError: ``usage``; it is none.
    """
    try:
        return uuid.UUID(text)
    except ValueError:
        raise QafilaError(
            f"That is no {what}'s id.",
            next_step="Ids look like 0190f3a1-…; the screens and patient.find of the local API give them.",
            code="usage",
        ) from None


def check_absent(out: Path) -> None:
    """Refuse early what would be refused at the end, before anything is audited.

    Raises:
        FileRefused: there is something already.
    """
    if out.exists() or out.is_symlink():
        raise FileRefused(
            f"{out} exists already and is never written over.",
            next_step="Choose another name.",
            code="file-exists",
        )


def collect(places: Places, user: str, pin: str, patient: uuid.UUID, reason: ExportReason) -> dict[str, Any]:
    """Everything kept of one person; each page is audited before it is given.

    Raises:
        QafilaError: the PIN, the role or the id says no; nothing was given.
    """
    if agent_runs(places):
        pages = asyncio.run(_ask(places, user, pin, patient, reason))
    else:
        pages = _read(places, user, pin, patient, reason)
    record: dict[str, Any] = {
        "export": VERSION,
        "unit": pages[0]["unit"],
        "made_ms": SystemClock().now().wall_ms,
        "by": user_id(user),
        "reason": reason.value,
        **{part: pages[0][part] for part in ("records", "consents", "alerts", "attachments")},
        "visits": [visit for page in pages for visit in page["visits"]],
    }
    return record


async def _ask(
    places: Places, user: str, pin: str, patient: uuid.UUID, reason: ExportReason
) -> list[dict[str, Any]]:
    async with connect(places.socket) as api:
        await api.call("sign-in", user=user, pin=pin, brief=True)
        try:
            pages: list[dict[str, Any]] = []
            after: str | None = None
            while not pages or after is not None:
                fields: dict[str, Any] = {"patient": str(patient), "reason": reason.value, "after": after}
                pages.append(await api.call(exporting.METHOD, **fields))
                after = pages[-1]["next"]
            return pages
        finally:
            with contextlib.suppress(QafilaError):  # the agent sees the connection end as well
                await api.call("sign-out")


def _read(
    places: Places, user: str, pin: str, patient: uuid.UUID, reason: ExportReason
) -> list[dict[str, Any]]:
    """The same while the agent is stopped."""
    with unlocked(places, user, pin, exporting.METHOD) as (_, store, _key):
        person = exporting.person_of(store, patient)
        entry = payloads.stamp(SystemClock().now(), user_id(user)) | exporting.access(person, reason)
        with store.write() as tx:
            tx.append(Stream.AUDIT, Kind.ACCESS, entry)
        pages: list[dict[str, Any]] = []
        after: uuid.UUID | None = None
        while not pages or after is not None:
            answer = dict(exporting.page(store, person, after))
            pages.append(answer)
            after = None if answer["next"] is None else uuid.UUID(str(answer["next"]))
        return pages


def write_files(
    places: Places, user: str, pin: str, record: Mapping[str, Any], into: Path
) -> tuple[list[Path], int]:
    """Write the photos and documents of a record into a new folder; each look is audited.

    Returns:
        The files, and how many are not kept on the unit any more.

    Raises:
        FileRefused: the folder is there already.
        QafilaError: one is not what was saved.
    """
    try:
        into.mkdir(mode=0o700)
    except OSError as error:
        raise FileRefused(
            f"{into} cannot be made: {error.strerror}.", next_step="Choose another name.", code="file-exists"
        ) from error
    kept = [each for each in record["attachments"] if each["kept"]]
    written: list[Path] = []
    for each in kept:
        out = into / (each["attachment"] + ENDINGS.get(each["media"], ""))
        if agent_runs(places):
            attaching.fetch(places, user, pin, each["attachment"], out)
        else:
            write_new_file(out, _read_file(places, user, pin, uuid.UUID(each["attachment"])), mode=0o600)
        written.append(out)
    return written, len(record["attachments"]) - len(kept)


def _read_file(places: Places, user: str, pin: str, attachment: uuid.UUID) -> bytes:
    with unlocked(places, user, pin, "attachment.read") as (_, store, _key):
        found = store.attachment(attachment.bytes)
        assert found is not None  # noqa: S101  it was just listed, and nobody else has the store
        stamp = payloads.stamp(SystemClock().now(), user_id(user))
        with store.write() as tx:
            tx.append(Stream.AUDIT, Kind.ACCESS, stamp | payloads.access("attachment.read", found.patient))
        return b"".join(
            store.attachment_part(attachment.bytes, number) for number in range(1, found.parts + 1)
        )


def values(record: Mapping[str, Any]) -> int:
    """How many observations it holds."""
    return sum(len(visit["observations"]) for visit in record["visits"])


# ── as a person reads it ─────────────────────────────────────────────────────────────────────────


def as_text(record: Mapping[str, Any], word: Catalogue) -> str:
    """The record as plain text, newest visit first; what was corrected is said to be."""
    lines = [
        word("export.title", unit=record["unit"]),
        word(
            "export.made",
            when=_when(record["made_ms"]),
            who=record["by"],
            why=word(f"export.{record['reason']}"),
        ),
        word("export.clocks"),
        "",
    ]
    for each in record["records"]:
        lines += [*_person(each, word), ""]
    for each in record["consents"]:
        codes = (each["scope"], each["decision"], each["given_by"], each["form"])
        said = (*(_worded(word, "consent", code) for code in codes), _when(each["wall_ms"]))
        lines.append(word("export.consent") + " " + " · ".join(said))
    for each in record["alerts"]:
        named = _alert(word, each["code"])
        said = (_when(each["wall_ms"]), named, each["text"] or "", each["operator"] or "")
        lines.append(word("export.alert") + " " + " · ".join(part for part in said if part))
    for each in record.get("attachments", ()):
        size = amounts.size(word, each["size"])
        named = each["attachment"] + ENDINGS.get(each["media"], "")
        said = (_when(each["wall_ms"]), named, size, each["caption"])
        lines.append(word("export.attachment") + " " + " · ".join(part for part in said if part))
    corrected = {
        tuple(value["corrects"])
        for visit in record["visits"]
        for value in visit["observations"]
        if value["corrects"] is not None
    }
    for visit in record["visits"]:
        lines += ["", *_visit(visit, corrected, word)]
    return "\n".join(inert(line) for line in lines) + "\n"


def _person(each: Mapping[str, Any], word: Catalogue) -> Iterable[str]:
    yield f"{each['family']} {each['given']}".strip()
    if each["family_arabic"] or each["given_arabic"]:
        yield f"{each['family_arabic']} {each['given_arabic']}".strip()
    birth = each["birth"] or "—"
    yield f"{birth}{' ~' if each['birth_estimated'] else ''} · {word('sex.' + each['sex'])}"
    for identifier in each["identifiers"]:
        yield f"{identifier['system']} {identifier['value']}"
    rest = [part for part in (each["phone"], each["village"]) if part]
    if rest:
        yield " · ".join(rest)
    if each["merged_into"] is not None:
        yield word("export.merged")


def _visit(visit: Mapping[str, Any], corrected: set[tuple[Any, ...]], word: Catalogue) -> Iterable[str]:
    site = f" · {visit['site']}" if visit["site"] else ""
    yield f"{word('export.visit')} {_when(visit['opened_ms'])} · {visit['operator']}{site}"
    if visit["purged_ms"] is not None:
        yield "  " + word("export.purged")
    for value in visit["observations"]:
        number = (
            word(f"missing.{value['missing']}")
            if value["value"] is None
            else f"{value['value']} {shown_unit(value['unit'])}"
        )
        clock = value.get("clock")
        notes = [
            ""
            if clock in TRUSTED_CLOCKS
            else word("export.clock-unknown" if clock is None else f"clock.{clock}"),
            value["device"] or value["operator"] or "",
            word(f"source.{value['source']}"),
            "" if value["device_time"] is None else f"({value['device_time']})",
            *(word(f"flag.{flag}") for flag in value["flags"]),
            word("export.corrected") if tuple(value["entry"][1::2]) in corrected else "",
        ]
        label = word(f"vital.{value['code']}")
        said = " · ".join(note for note in notes if note)
        yield f"  {_when(value['wall_ms'])}  {label.ljust(16)} {number.ljust(16)} {said}".rstrip()
    for recording in visit["recordings"]:
        said = _worded(word, "wave", recording["code"])
        yield "  " + word("export.wave", code=said, seconds=recording["seconds"])


def _worded(word: Catalogue, table: str, code: str) -> str:
    """The word of a code; a code that no catalogue knows is shown as it is."""
    return word(f"{table}.{code}") if f"{table}.{code}" in word.codes else code


def _alert(word: Catalogue, code: str) -> str:
    """The words of an alert; behind a point stands how much."""
    name, point, much = code.partition(".")
    return f"{_worded(word, 'alert', name)}{' ' if point else ''}{much}"


def _when(wall_ms: int | None) -> str:
    if not wall_ms:
        return "—"
    moment = datetime.datetime.fromtimestamp(wall_ms / 1000, tz=datetime.UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M %z")
