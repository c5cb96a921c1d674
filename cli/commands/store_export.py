"""`qafila store export`: one patient's record in a file that a person or a program can read."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsJson, Home, PinStdin
from edge.records.reasons import ExportReason


class Format(StrEnum):
    """For whom the file is."""

    JSON = "json"
    TEXT = "text"


class Language(StrEnum):
    """Of the text."""

    FR = "fr"
    EN = "en"


def register(app: typer.Typer) -> None:
    """Add the command to `qafila store`."""
    app.command(
        "export",
        epilog="Example: qafila store export --patient ID --reason patient-asked --out record.txt"
        " --format text --user amina",
    )(export)


def export(
    patient: Annotated[str, typer.Option(help="Whose record: the patient's id.")],
    reason: Annotated[ExportReason, typer.Option(help="Why; kept in the audit trail.")],
    out: Annotated[Path, typer.Option(help="The file to write; it must not exist yet.")],
    user: Annotated[str, typer.Option(help="The supervisor who signs in for this.")],
    format_: Annotated[Format, typer.Option("--format", help="json for programs, text for people.")] = (
        Format.JSON
    ),
    attachments: Annotated[
        Path | None,
        typer.Option(help="A folder to make, for photos and documents of requests.", metavar="DIR"),
    ] = None,
    language: Annotated[Language, typer.Option(help="Of the text.")] = Language.FR,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write everything this unit keeps of one patient into a file, in the clear.

    Who took it out, whose and why is in the audit trail before anything is written. From then on the file
    is in your hands: the unit knows nothing of it any more. Samples of recorded waves are not in it;
    photos and documents of requests stand beside it, where a folder for them is named.
    """
    import json

    from cli import exporting
    from cli.files import write_new_file
    from cli.output import emit, read_secrets
    from edge.config import Places
    from edge.i18n import catalogue

    id_ = exporting.id_of(patient, "patient")
    exporting.check_absent(out)
    if attachments is not None:
        exporting.check_absent(attachments)
    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    record = exporting.collect(Places.at(home), user, pin, id_, reason)
    text = (
        json.dumps(record, ensure_ascii=False, indent=1) + "\n"
        if format_ is Format.JSON
        else exporting.as_text(record, catalogue.load(language.value))
    )
    write_new_file(out, text.encode(), mode=0o600)
    counts = {"visits": len(record["visits"]), "values": exporting.values(record)}
    files: list[Path] = []
    away = 0
    if attachments is not None:
        files, away = exporting.write_files(Places.at(home), user, pin, record, attachments)
    beside = "" if attachments is None else f" and {len(files)} files to {attachments}"
    elsewhere = f"\n{away} files are not kept here any more; they are at the centre." if away else ""
    emit(
        {"patient": str(id_), "file": str(out), **counts, "attachments": [str(each) for each in files]},
        as_json=as_json,
        human=lambda: (
            f"Wrote {counts['visits']} visits with {counts['values']} values to {out}{beside}, in the clear."
            f"{elsewhere}\n"
            "Next: hand it over, then delete it wherever it was. That it was taken out is in the audit trail."
        ),
    )
