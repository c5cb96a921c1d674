"""`qafila store salvage`: a new store out of a damaged one."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cli.options import AsJson, Home, PinStdin

_BESIDE: Final = {
    "first_entries": "first entries of streams, of which the new store has its own",
    "again": "entries that stood there twice",
    "purged": "entries of waves whose samples were gone by rule",
}


def register(app: typer.Typer) -> None:
    """Add the command to `qafila store`."""
    app.command("salvage", epilog="Example: qafila store salvage --user fatima --to /media/stick/qafila.db")(
        salvage
    )


def salvage(
    user: Annotated[str, typer.Option(help="Who signs in for this.")],
    to: Annotated[
        Path | None,
        typer.Option(help="The new file. Without it the new store takes the place of the damaged one."),
    ] = None,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take out of a damaged store everything that can still be read, and say what is lost.

    The agent must be stopped. The damaged file is only read, page by page, also from a disk that takes no
    writes. What it gives goes into a new store under the same slots and PINs, which verifies, and which sends
    the centre what it may not have. Without --to the damaged file is set aside under a name of its own.
    """
    from cli.output import emit, read_secrets
    from cli.salvaging import salvage_store
    from edge.config import Places

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    answer = salvage_store(Places.at(home), user, pin, None if to is None else to.absolute())
    emit(answer, as_json=as_json, human=lambda: human(answer))


def human(answer: dict[str, Any]) -> str:
    """What was kept, what is lost, and what to do next."""
    kept = ", ".join(f"{word} {count}" for word, count in answer["kept"].items())
    lines = [f"New store: {answer['file']}. It verifies. Entries kept: {kept}."]
    beside = [f"{answer[name]} {words}" for name, words in _BESIDE.items() if answer[name]]
    if beside:
        lines.append(f"Not taken over, because nothing is lost by it: {', '.join(beside)}.")
    lines.append(f"Pages that do not read back: {answer['bad_pages']} of {answer['pages']}.")
    if not answer["entries_lost"]:
        lines.append("No entry is lost.")
    for span in answer["lost"]:
        centre = f"; the centre has {span['received']} of them" if span["received"] else ""
        lines.append(f"LOST  {span['stream']} {span['first']} to {span['last']} ({span['count']}){centre}")
    if answer["chunks_lost"]:
        lines.append(f"LOST  stretches of recorded wave: {answer['chunks_lost']}")
    if answer["nameless"]:
        lines.append(f"Patients of whom no name is left, shown as “?”: {answer['nameless']}.")
    if answer["set_aside"]:
        lines.append(f"The damaged file is set aside as {answer['set_aside']}.")
    if answer["new_identity"]:
        lines.append("The unit's own keys were lost: it has new ones.")
        lines.append("Next: enrol it again (qafila unit csr), then start the agent and sign in.")
    elif answer["set_aside"]:
        compare = (
            " Compare what is lost with paper." if answer["entries_lost"] or answer["chunks_lost"] else ""
        )
        lines.append(f"Next: start the agent and sign in.{compare}")
    else:
        lines.append("Next: keep the file; to use it on this unit, salvage again without --to.")
    return "\n".join(lines)
