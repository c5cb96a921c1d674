"""`qafila store …`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.commands import store_courier, store_export, store_salvage
from cli.options import AsJson, Home, PinStdin

app = typer.Typer(no_args_is_help=True)
store_courier.register(app)
store_export.register(app)
store_salvage.register(app)


@app.callback()
def group() -> None:
    """The encrypted store of this unit."""


@app.command(epilog="Example: qafila store verify --user fatima")
def verify(
    user: Annotated[str, typer.Option(help="Who signs in for this.")],
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Check every entry of the journal against its chain and every page against its tag.

    Exit 0 only when all of it fits, and the store is no old copy of itself. Damage is named: edited, removed,
    reordered, truncated, added, samples, unreadable, rolled-back.
    """
    from cli.asking import agent_runs, ask_agent_as
    from cli.output import emit, read_secrets
    from edge.config import Places

    places = Places.at(home)
    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    if agent_runs(places):
        answer = ask_agent_as(places, user, pin, "store.verify")
    else:
        from cli.signed_in import is_old_copy, unlocked
        from edge.agent.commands.records import checked

        with unlocked(places, user, pin, "store.verify") as (_, store, _):
            answer = dict(checked(store, old_copy=is_old_copy(places, store)))
    emit(answer, as_json=as_json, human=lambda: _human(answer))
    if not answer["valid"]:
        raise SystemExit(1)


@app.command(epilog="Example: qafila store backup /media/stick --user fatima")
def backup(
    directory: Annotated[Path, typer.Argument(help="A folder on another medium; the backup is one in it.")],
    user: Annotated[str, typer.Option(help="Who signs in for this.")],
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Copy the whole store to another medium, sealed, and read it back from there.

    The unit may be in use meanwhile. Whoever finds the copy can read nothing of it: this unit's slots and
    device secret open it, and a grant of the centre.
    """
    from cli.output import emit, read_secrets
    from cli.store_copies import make_backup
    from edge.config import Places

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    answer = make_backup(Places.at(home), user, pin, directory.absolute())

    def human() -> str:
        megabytes = answer["size"] / 1e6
        lines = [f"Backed up into {directory / answer['folder']}."]
        lines.append(f"{answer['entries']} entries, {megabytes:.1f} MB, read back and found whole.")
        if not answer["for_recovery"]:
            lines.append("The unit is not enrolled: only this unit with its device secret can open it.")
        lines.append("Next: keep it away from the unit. It is put back with qafila store restore.")
        return "\n".join(lines)

    emit(answer, as_json=as_json, human=human)


@app.command(
    epilog="Example: qafila store restore /media/stick/van-07-20261122-194500-1f2e3d4c.backup --user f"
)
def restore(
    folder: Annotated[Path, typer.Argument(help="The folder that `qafila store backup` wrote.")],
    user: Annotated[str, typer.Option(help="The supervisor who signs in for this.")],
    grant: Annotated[
        Path | None, typer.Option(help="The centre's grant; for a backup of another unit.")
    ] = None,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of a store that is lost or damaged. The agent must be stopped.

    The file that is there is set aside, never written over. What the centre may not have of the backup is
    sent again, once. On a box without configuration and slots, those of the backup are used.
    """
    from cli.output import emit, read_secrets
    from cli.store_copies import restore_backup
    from edge.config import Places

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    answer = restore_backup(Places.at(home), user, pin, folder.absolute(), grant)

    def human() -> str:
        if answer["done_before"]:
            return (
                f"This backup, of {answer['made']}, was put back before: the store is whole and goes on from"
                " it.\nNothing was changed now. Next: start the agent and sign in."
            )
        lines = [f"The store is that of {answer['made']}: {answer['entries']} entries."]
        lines.append(f"{answer['again']} of them are sent again, once each.")
        if answer["set_aside"]:
            lines.append(f"What was there is set aside as {answer['set_aside']}.")
        if answer["to_erase"]:
            lines.append(
                f"{answer['to_erase']} patients the centre ordered to be erased go as soon as it has"
            )
            lines.append("all of theirs: leave the unit connected.")
        if answer["orders_refused"]:
            lines.append("The orders to erase that came with the grant are not believed here")
            lines.append(f"({answer['orders_refused']}): two people at the centre have to order it again.")
        if answer["former"]:
            lines.append(f"What was saved by {answer['former']} is continued by {answer['unit']}.")
        lines.append("Next: start the agent and sign in. What was saved after the backup and is in no spool")
        lines.append("and not at the centre is lost: compare with paper.")
        return "\n".join(lines)

    emit(answer, as_json=as_json, human=human)


@app.command(epilog="Example: qafila store lock --user fatima")
def lock(
    user: Annotated[str, typer.Option(help="Who signs in for this.")],
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Close the day: lock the store and end all sessions. Nothing is measured until somebody signs in."""
    from cli.asking import agent_runs, ask_agent, ask_agent_as
    from cli.output import emit, read_secrets
    from edge.config import Places

    places = Places.at(home)
    if agent_runs(places) and not ask_agent(places, "status")["locked"]:
        (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
        ask_agent_as(places, user, pin, "lock")
    emit(
        {"locked": True},
        as_json=as_json,
        human=lambda: "The store is locked. Sign in to measure; what is sealed goes on leaving.",
    )


@app.command("new-key", epilog="Example: qafila store new-key --user fatima")
def new_key(
    user: Annotated[str, typer.Option(help="The supervisor who signs in for this.")],
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Give the store a new key, because somebody may have the old one. Nobody's PIN changes.

    It needs as much free space as the store takes. Everybody signs in again.
    """
    from cli.asking import ask_agent_as
    from cli.output import emit, read_secrets
    from edge.config import Places

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    ask_agent_as(Places.at(home), user, pin, "key.rotate")
    emit({"rotated": True}, as_json=as_json, human=lambda: "The store has a new key. Sign in to go on.")


def _human(answer: dict[str, Any]) -> str:
    counted = ", ".join(f"{word} {count}" for word, count in answer["entries"].items())
    history = answer["forked"]
    went_back = "" if history is None else f"\nThe store went back in time before ({history['reason']})."
    if answer["valid"]:
        return f"Every entry fits its chain: {counted}. Every page reads back.{went_back}"
    bad, damage = answer["first_bad"], answer["damage"] or "kind of damage unknown"
    if bad is not None:
        said = f"The journal does not fit its chain from {bad['stream']} {bad['seq']} on ({damage})."
    elif answer["bad_pages"]:
        said = f"Pages that do not read back as they were written: {answer['bad_pages']} ({damage})."
    else:
        said = f"The store is an old copy: the spool holds what it never had ({damage})."
    next_step = {
        "unreadable": "stop the agent, then take out what can be read: qafila store salvage",
        "rolled-back": "start the agent and sign in; what is uncertain is sent again",
    }.get(damage, "leave the files as they are and call those who answer for this unit")
    return f"{said} Looked at: {counted or 'nothing'}.{went_back}\nNext: {next_step}. (code: store-damaged)"
