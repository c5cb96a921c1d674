"""`qafila patients sheet`: the sheet of paper that a patient takes home."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsJson, Home, PinStdin


class Paper(StrEnum):
    """Its size."""

    A5 = "a5"
    A4 = "a4"


def register(app: typer.Typer) -> None:
    """Add the command to `qafila patients`."""
    app.command("sheet", epilog="Example: qafila patients sheet VISIT --user amina --out sheet.pdf")(sheet)


def sheet(
    visit: Annotated[str, typer.Argument(help="The visit's id, as `patients show` gives it.")],
    user: Annotated[str, typer.Option(help="Who signs in for it; that it was made is in the audit trail.")],
    out: Annotated[Path | None, typer.Option(help="Write it to this file, which must not exist yet.")] = None,
    print_: Annotated[bool, typer.Option("--print", help="Print it on the default printer.")] = False,
    printer: Annotated[str | None, typer.Option(help="Print it on this printer of CUPS.")] = None,
    language: Annotated[str, typer.Option(help="fr, ar or en.")] = "fr",
    paper: Annotated[Paper, typer.Option(help="a5 or a4.")] = Paper.A5,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a visit's sheet as PDF: values, what earlier visits gave, ECG at 25 mm/s and 10 mm/mV.

    It names the patient; its QR code holds the visit's number only. Each sheet is in the audit trail.
    """
    from cli.asking import ask_agent_as
    from cli.exporting import check_absent, id_of
    from cli.files import write_new_file
    from cli.output import emit, read_secrets
    from edge.config import Places
    from edge.errors import QafilaError
    from edge.i18n.catalogue import load
    from edge.reports import making

    prints = print_ or printer is not None
    if (out is None) == (not prints):
        raise QafilaError(
            "A sheet is written to a file or printed.",
            next_step="Give either --out FILE or --print.",
            code="usage",
        )
    load(language)
    id_ = id_of(visit, "visit")
    if out is not None:
        check_absent(out)
    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    facts = ask_agent_as(Places.at(home), user, pin, "visit.sheet", encounter=str(id_))
    page = making.draw(facts, language=language, paper=paper.value)
    if out is not None:
        write_new_file(out, page, mode=0o600)
        said = f"Wrote the sheet to {out}.\nNext: print it at its true size (100 %), then delete the file."
    else:
        making.send(page, printer=printer, paper=paper.value)
        said = "The printer has the sheet.\nNext: look whether the 50 mm line on it is 50 mm long."
    told = {
        "visit": str(id_),
        "file": None if out is None else str(out),
        "printed": prints,
        "bytes": len(page),
    }
    emit(told, as_json=as_json, human=lambda: said)
