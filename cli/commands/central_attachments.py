"""`qafila central attachment`: a photo or document that came with a request, as a file."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsJson, Home


def register(app: typer.Typer) -> None:
    """Add the command to `qafila central`."""
    example = "Example: qafila central attachment 01997f3e-5d3a-7c41-9a55-0c8be7a2f901 --out wound.jpg"
    app.command("attachment", epilog=example)(attachment)


def attachment(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Which, as `central requests ID` shows it.")],
    out: Annotated[Path, typer.Option(help="Where to write it; the file must not exist yet.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write a photo or document of a request into a file, once all of it has come.

    Every part is held against its signed hash, and the file against its own; what does not fit is not
    given out. The file stands there in the clear: it is a patient's.
    """
    from cli.attachment_texts import in_words
    from cli.files import write_new_file
    from cli.output import emit
    from edge.config import Places
    from sync.central import attachments
    from sync.central.home import CentreHome

    found, content = attachments.export(CentreHome(Places.at(home).central), id_)
    write_new_file(out, content, mode=0o600)
    emit(
        {**found.as_json(), "file": str(out)},
        as_json=as_json,
        human=lambda: (
            f"Wrote {out}: {in_words(found.as_json())}, whole.\nNext: delete it when it was looked at."
        ),
    )
