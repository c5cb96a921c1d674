"""`qafila unit retire`: take a unit out of use."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsJson, Home, PinStdin


def register(app: typer.Typer) -> None:
    """Add the command to `qafila unit`."""
    app.command(
        epilog="Example: qafila unit retire /media/stick/van-07.retired --user fatima --reason 'van sold'"
    )(retire)


def retire(
    file: Annotated[
        Path, typer.Argument(help="Where the signed statement goes, for the centre; a new file.")
    ],
    user: Annotated[str, typer.Option(help="The supervisor who signs in for this.")],
    reason: Annotated[str, typer.Option(help="Why, in words that name no patient.")],
    force: Annotated[
        bool,
        typer.Option("--force", help="Also where entries have not been received; they are lost for ever."),
    ] = False,
    confirm: Annotated[
        str | None,
        typer.Option(help="The unit's name, typed again; asked for when left out.", metavar="UNIT"),
    ] = None,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take this unit out of use: sign where its journal ends, then destroy all that opens it, for ever.

    The agent must be stopped; the uplink may run, to bring the last receipts. It refuses while something has
    not been received by the centre. Cut short, the same command goes on.
    """
    import sys

    from cli.output import emit, read_secrets
    from cli.retiring import NotRetired, begun, go_on, retire, unit_at
    from edge.config import Places

    places = Places.at(home)
    unit = unit_at(places)
    statement = begun(places)
    if statement is None:
        if confirm is None and sys.stdin.isatty():
            said = f"This destroys what {unit} holds, for ever. Type its name to go on"
            confirm = str(typer.prompt(said))
        if confirm != unit:
            raise NotRetired(
                f"{unit} was not named again: nothing was changed.",
                next_step=f"type {unit} when you are asked, or give --confirm {unit}.",
                code="not-confirmed",
            )
        (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
        done = retire(places, user, pin, file, reason=reason, force=force)
    else:
        done = go_on(places, statement, file)

    def human() -> str:
        lines = [f"{unit} is retired. What it held opens no more, here or from a copy of this disk."]
        if done["given_up"]:
            lines.append(
                f"{done['given_up']} of {done['entries']} entries were never received, and are lost."
            )
        else:
            lines.append(f"All {done['entries']} entries have been received by the centre.")
        lines += [f"Destroy the medium that had {each}." for each in done["media_to_destroy"]]
        lines += [
            "Destroy its backups: they open with a copy of the device secret and a PIN.",
            f"Next: at the centre, qafila central retire {file.name} --by NAME",
        ]
        return "\n".join(lines)

    emit(done, as_json=as_json, human=human)
