"""`qafila unit enrol-online`: enrol over the network, with a claim of the centre."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsJson, Home


def register(app: typer.Typer) -> None:
    """Add the command to `qafila unit`."""
    app.command("enrol-online", epilog="Example: qafila unit enrol-online /media/stick/van-07.claim")(
        enrol_online
    )


def enrol_online(
    claim: Annotated[
        Path | None,
        typer.Argument(
            help="The file of `qafila central claim`; its line is asked for when left out, - is input."
        ),
    ] = None,
    wait: Annotated[
        int,
        typer.Option(min=0, max=3600, metavar="SECONDS", help="How long to try while there is no network."),
    ] = 60,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Bring this unit's request to the centre over HTTPS and install its answer; needs no PIN.

    The claim is shown to the centre that made it and to nobody else, and is good for this unit once. Cut
    short, the same command goes on.
    """
    import sys

    from cli.enrolling import enrol_online as enrol
    from cli.files import read_text
    from cli.output import emit, read_secrets
    from edge.config import Places

    if claim is not None:
        line = read_text(claim)
    else:
        (line,) = read_secrets(["Claim"], from_stdin=not sys.stdin.isatty())
    done = enrol(Places.at(home), line, wait)
    emit(
        done,
        as_json=as_json,
        human=lambda: (
            f"Unit {done['unit']} is enrolled: keyset version {done['keyset_version']}, "
            f"broker {', '.join(done['brokers'])}.\n"
            f"Fingerprint of the centre: {done['centre_words']}\n"
            "Next: qafila uplink carries what the agent sealed; qafila status shows what arrived."
        ),
    )
