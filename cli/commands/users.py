"""`qafila users …`: the people who may sign in on this unit."""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import AsJson, Home, PinStdin

if TYPE_CHECKING:
    from edge.config import Places
    from edge.security.slots import Slots

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
    from edge.config import Places
    from edge.records.people import checked_user_id

    shown = name or user
    asked = f"New PIN for {user}, at least 6 digits"
    pin, new_pin = read_secrets([f"PIN of {by}", asked], from_stdin=pin_stdin, new=asked)
    new = checked_user_id(user)
    _change(
        Places.at(home),
        by,
        pin,
        "users.add",
        {"user": new, "name": shown, "role": role.value, "pin": new_pin},
        lambda slots, key: slots.with_user(new, shown, role.value, new_pin, key),
    )
    emit(
        {"user": user, "name": shown, "role": role.value},
        as_json=as_json,
        human=lambda: f"{shown} may sign in as {user} ({role.value}).",
    )


@app.command(epilog="Example: qafila users pin amina --by fatima")
def pin(
    user: Annotated[str, typer.Argument(help="Whose PIN it is.")],
    by: Annotated[
        str | None,
        typer.Option(
            help="The supervisor who gives somebody a new one; left out, one changes one's own.",
            metavar="SUPERVISOR",
        ),
    ] = None,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Change one's own PIN, or as a supervisor give somebody a new one.

    Two PINs are asked: of the person who signs in for it, then the new one. With --pin-stdin they are
    two lines.
    """
    from cli.output import emit, read_secrets
    from edge.config import Places
    from edge.records.people import checked_user_id

    id_ = checked_user_id(user)
    who = by or user
    own = checked_user_id(who) == id_
    asked = f"New PIN for {user}, at least 6 digits"
    old, new = read_secrets([f"PIN of {who}", asked], from_stdin=pin_stdin, new=asked)
    _change(
        Places.at(home),
        who,
        old,
        "pin.change" if own else "users.pin",
        {"pin": old, "new": new} if own else {"user": id_, "pin": new},
        lambda slots, key: slots.with_pin(id_, new, key),
        user=id_,
    )
    emit({"user": id_}, as_json=as_json, human=lambda: f"The PIN of {user} is changed.")


@app.command(epilog="Example: qafila users role amina supervisor --by fatima")
def role(
    user: Annotated[str, typer.Argument(help="Whose role it is.")],
    role: Annotated[RoleName, typer.Argument(help="What the person is here to do from now on.")],
    by: By,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Give somebody another role. One supervisor always remains."""
    from cli.output import emit, read_secrets
    from edge.config import Places
    from edge.records.people import checked_user_id

    id_ = checked_user_id(user)
    (pin,) = read_secrets([f"PIN of {by}"], from_stdin=pin_stdin)
    _change(
        Places.at(home),
        by,
        pin,
        "users.role",
        {"user": id_, "role": role.value},
        lambda slots, key: slots.with_role(id_, role.value, key),
        action=f"users.role:{role.value}",
    )
    emit(
        {"user": id_, "role": role.value},
        as_json=as_json,
        human=lambda: f"{user} is {role.value} from now on.",
    )


@app.command(epilog="Example: qafila users disable amina --by fatima")
def disable(
    user: Annotated[str, typer.Argument(help="Who shall sign in no more.")],
    by: By,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Let somebody sign in no more; what they entered stays theirs. One supervisor always remains."""
    from cli.output import emit, read_secrets
    from edge.config import Places
    from edge.records.people import checked_user_id

    id_ = checked_user_id(user)
    (pin,) = read_secrets([f"PIN of {by}"], from_stdin=pin_stdin)
    _change(
        Places.at(home),
        by,
        pin,
        "users.disable",
        {"user": id_},
        lambda slots, key: slots.without(id_, key),
    )
    emit(
        {"user": id_},
        as_json=as_json,
        human=lambda: (
            f"{user} signs in here no more.\n"
            "Who has a copy of the card, the device secret and the old PIN can still open that copy."
        ),
    )


@app.command("list", epilog="Example: qafila users list --by fatima")
def list_(by: By, pin_stdin: PinStdin = False, home: Home = None, as_json: AsJson = False) -> None:
    """Who may sign in, and as what; a role in brackets is of somebody who may no more."""
    from cli.asking import agent_runs, ask_agent_as
    from cli.output import emit, read_secrets, table
    from edge.config import Places

    places = Places.at(home)
    (pin,) = read_secrets([f"PIN of {by}"], from_stdin=pin_stdin)
    users: list[dict[str, Any]]
    if agent_runs(places):
        users = ask_agent_as(places, by, pin, "users.list")["users"]
    else:
        from cli.signed_in import unlocked

        with unlocked(places, by, pin, "users.list") as (slots, _, _):
            users = [
                {"user": each.user, "name": each.name, "role": each.role, "disabled": each.disabled}
                for each in slots.users()
            ]
    emit(
        users,
        as_json=as_json,
        human=lambda: table(
            [[u["user"], f"({u['role']})" if u["disabled"] else u["role"], u["name"]] for u in users],
            ["user", "role", "name"],
        ),
    )


def _change(
    places: "Places",
    by: str,
    pin: str,
    method: str,
    fields: dict[str, Any],
    make: "Callable[[Slots, bytes], Slots]",
    *,
    user: str | None = None,
    action: str | None = None,
) -> None:
    """Have the running agent do it, or do it here while none runs."""
    from cli.asking import agent_runs, ask_agent_as

    if agent_runs(places):
        ask_agent_as(places, by, pin, method, **fields)
    else:
        from cli.users_offline import change_users

        about = user or str(fields["user"])
        change_users(places, by=by, pin=pin, method=method, user=about, make=make, action=action)
