"""`qafila central backup` and `restore`: the centre's copy, and the centre put back from one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.options import AsJson, Home

if TYPE_CHECKING:
    from sync.central.copies import Restored

_DECIDED: Final = {
    "revoked": "revocations of units",
    "erased": "orders to erase a patient",
    "granted": "grants of a lost unit's backup",
}


def register(app: typer.Typer) -> None:
    """Add the commands to `qafila central`."""
    app.command("backup", epilog="Example: qafila central backup /media/vault/centre-2026-11-22")(backup)
    app.command("restore", epilog="Example: qafila central restore /media/vault/centre-2026-11-22")(restore)


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write the copy; the file must not exist yet.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Copy all that was received, as it is at one moment, into one file; everything goes on meanwhile.

    It holds patients in the clear and no private key. Keep it under lock, on an encrypted medium.
    """
    from cli.output import emit
    from edge.clock import SystemClock
    from edge.config import Places
    from sync.central import copies
    from sync.central.home import CentreHome

    made = copies.back_up(CentreHome(Places.at(home).central), file, SystemClock())
    emit(
        {"file": str(made.file), "entries": made.entries, "bytes": made.size},
        as_json=as_json,
        human=lambda: (
            f"Copied {made.entries} entries, {made.size / 1e6:.1f} MB, into {made.file}.\n"
            "Its patients stand there in the clear: keep it under lock, on an encrypted medium. The\n"
            "centre's keys are not in it; they were copied when they were made."
        ),
    )


def restore(
    file: Annotated[
        Path | None, typer.Argument(help="What `qafila central backup` has written; or --in-place.")
    ] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="PostgreSQL's own tools have put the database back already.")
    ] = False,
    database: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Put it into this empty PostgreSQL database."),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="The private root that signs the new keyset; the hot one if left out.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Put the centre back as a copy has it, in a new generation: every unit sends again what is missing.

    Stop collectors and exploders first. The home with its keys has to be there.
    """
    from cli.output import emit
    from edge.config import Places
    from edge.errors import QafilaError
    from sync.central import copies
    from sync.central.home import CentreHome

    if (file is None) != in_place:
        raise QafilaError(
            "It is either a copy that is put back, or --in-place.",
            next_step="See qafila central restore --help.",
            code="usage",
        )
    done = copies.restore(CentreHome(Places.at(home).central), file, database, root)
    answer = {
        "generation": done.generation,
        "entries": done.entries,
        "set_aside": None if done.set_aside is None else str(done.set_aside),
        "again": done.again,
        "all_decided_again": done.all_decided_again,
    }
    emit(
        answer,
        as_json=as_json,
        human=lambda: (
            f"This is generation {done.generation} of the centre"
            + ("" if done.entries is None else f", with {done.entries} entries")
            + ".\n"
            + (f"What was there lies in {done.set_aside}.\n" if done.set_aside else "")
            + _decided_again(done)
            + "Units that were enrolled after the copy was made are to be enrolled again.\n"
            "Next: start collect and explode; units hear the new keyset and send what is missing"
        ),
    )


def _decided_again(done: "Restored") -> str:
    """Who is not believed, or not here, though the copy knew nothing of it; and what nobody can know."""
    said = [f"{done.again[what]} {words}" for what, words in _DECIDED.items() if done.again[what]]
    told = f"Done again, as decided since: {', '.join(said)}.\n" if said else ""
    if not done.all_decided_again:
        told += (
            "Decisions may be missing that were made after the copy and before this home kept them:\n"
            "see that every revoked unit is still revoked (qafila central held), every patient erased.\n"
        )
    return told
