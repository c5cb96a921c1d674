"""`qafila users …`: the people who may sign in on this unit."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.options import AsJson, Home, PinStdin

app = typer.Typer(no_args_is_help=True)


class RoleName(StrEnum):
    """What a person is here to do."""

    NURSE = "nurse"
    SUPERVISOR = "supervisor"
    TECHNICIAN = "technician"


By = Annotated[
    str, typer.Option(help="The supervisor who allows it, and who signs in for it.", metavar="SUPERVISOR")
]


@app.command(epilog="Example: qafila users add amina --role nurse --by fatima")
def add(
    user: Annotated[str, typer.Argument(help="How the person signs in.")],
    by: By,
    role: Annotated[RoleName, typer.Option(help="What the person is here to do.")] = RoleName.NURSE,
    name: Annotated[
        str | None, typer.Option(help="How people write the name; the user's name if left out.")
    ] = None,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Let another person sign in.

    Two PINs are asked: the supervisor's, then the new one. With --pin-stdin they are two lines.
    """
    from cli.output import emit, read_secrets
    from cli.signed_in import agent_runs, ask_agent_as
    from cli.users_offline import add_user
    from edge.config import Places
    from edge.records.people import checked_user_id

    places = Places.at(home)
    shown = name or user
    asked = f"New PIN for {user}, at least 6 digits"
    pin, new_pin = read_secrets([f"PIN of {by}", asked], from_stdin=pin_stdin, new=asked)
    checked_user_id(user)
    if agent_runs(places):
        ask_agent_as(places, by, pin, "users.add", user=user, name=shown, role=role.value, pin=new_pin)
    else:
        add_user(places, by=by, pin=pin, user=user, name=shown, role=role.value, new_pin=new_pin)
    emit(
        {"user": user, "name": shown, "role": role.value},
        as_json=as_json,
        human=lambda: f"{shown} may sign in as {user} ({role.value}).",
    )


@app.command("list", epilog="Example: qafila users list --by fatima")
def list_(by: By, pin_stdin: PinStdin = False, home: Home = None, as_json: AsJson = False) -> None:
    """Who may sign in, and as what."""
    from cli.output import emit, read_secrets, table
    from cli.signed_in import agent_runs, ask_agent_as, unlocked
    from edge.config import Places

    places = Places.at(home)
    (pin,) = read_secrets([f"PIN of {by}"], from_stdin=pin_stdin)
    users: list[dict[str, Any]]
    if agent_runs(places):
        users = ask_agent_as(places, by, pin, "users.list")["users"]
    else:
        with unlocked(places, by, pin, "users.list") as (slots, _, _):
            users = [{"user": each.user, "name": each.name, "role": each.role} for each in slots.users()]
    emit(
        users,
        as_json=as_json,
        human=lambda: table([[u["user"], u["role"], u["name"]] for u in users], ["user", "role", "name"]),
    )
