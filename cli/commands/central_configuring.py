"""`qafila central configure`: settings and rule tables for units, tried there before they stay."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsJson, Home


def register(app: typer.Typer) -> None:
    """Add the command to `qafila central`."""
    app.command("configure", epilog="Example: qafila central configure van-07 programme.toml")(configure)


def configure(
    unit: Annotated[str, typer.Argument(help="Which unit.")],
    file: Annotated[
        Path,
        typer.Argument(
            help="What holds there from now on: keeping times, link, locks, brokers, rule tables."
        ),
    ],
    sender: Annotated[str, typer.Option("--from", help="Who says it, for the centre's own list.")] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Have a unit take over settings: it tries them, and goes back by itself if the link fails with them."""
    from cli.central_configuration import read
    from cli.output import emit
    from edge.clock import SystemClock
    from edge.config import Places
    from sync.central import configuring
    from sync.central.home import CentreHome

    centre = CentreHome(Places.at(home).central)
    text, tables = read(file, unit, centre.read_settings().realm)
    sent = configuring.configure(centre, unit, text, tables, by=sender, clock=SystemClock())
    emit(
        {
            "message": str(sent.message),
            "unit": sent.unit,
            "number": sent.number,
            "tables": list(sent.tables),
            "state": "sent" if sent.sealed else "waiting",
        },
        as_json=as_json,
        human=lambda: (
            (
                f"Sealed for {unit}; the exploder sends it, or central export-receipts takes it along."
                if sent.sealed
                else f"Kept: it is sealed as soon as {unit} has sent something that could be opened."
            )
            + f"\nThe unit tries it and says applied, or rolled-back and why."
            f"\nNext: qafila central messages --unit {unit}"
        ),
    )
