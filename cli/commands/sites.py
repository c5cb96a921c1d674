"""`qafila sites …`: where the unit works."""

from typing import Annotated

import typer

from cli.options import AsJson, Home, PinStdin

app = typer.Typer(no_args_is_help=True)

User = Annotated[str, typer.Option(help="Who signs in for it.")]


@app.command("list", epilog="Example: qafila sites list --user amina")
def list_(user: User, pin_stdin: PinStdin = False, home: Home = None, as_json: AsJson = False) -> None:
    """The sites, the one the unit was at last first; a star marks where it stands."""
    from cli.asking import ask_agent_as
    from cli.output import emit, inert, read_secrets, table
    from cli.patient_texts import day
    from edge.config import Places

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    answer = ask_agent_as(Places.at(home), user, pin, "site.list")

    def human() -> str:
        rows = [
            ["*" if each["site"] == answer["here"] else "", inert(each["name"]), day(each["arrived_ms"])]
            for each in answer["sites"]
        ]
        if not rows:
            return "No site has a name yet. Next: qafila sites arrive NAME"
        here = "" if answer["here"] else "\nNobody has said where the unit stands since it was started."
        return table(rows, ["", "site", "last there"]) + here

    emit(answer, as_json=as_json, human=human)


@app.command(epilog="Example: qafila sites arrive 'Imilchil, souk' --user amina")
def arrive(
    name: Annotated[str, typer.Argument(help="The site; one of this name is used again, else it is new.")],
    user: User,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Say where the unit stands. Visits that are opened have this place, until the unit is started anew."""
    from cli.asking import ask_agent_as
    from cli.output import emit, inert, read_secrets
    from edge.config import Places

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    answer = ask_agent_as(Places.at(home), user, pin, "site.arrive", name=name)
    emit(
        answer,
        as_json=as_json,
        human=lambda: (
            f"The unit stands at {inert(name)}. Visits that are opened from now on have this place."
        ),
    )
