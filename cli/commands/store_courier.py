"""`qafila store courier-out` and `courier-in`: sealed files out on a stick, signed receipts in."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AsJson, Home

if TYPE_CHECKING:
    from sync.uplink.courier import CopiedOut, TakenIn, Van

_Stick = Annotated[Path, typer.Argument(metavar="DIR", help="The folder under which the stick is mounted.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `qafila store`."""
    app.command("courier-out", epilog="Example: qafila store courier-out /media/stick")(courier_out)
    app.command("courier-in", epilog="Example: qafila store courier-in /media/stick")(courier_in)


def courier_out(stick: _Stick, home: Home = None, as_json: AsJson = False) -> None:
    """Copy what the centre does not have yet to a stick, sealed as it lies in the spool.

    It takes no PIN: nothing is opened, and nobody but the centre can. Copying changes no state: a record is
    received when a receipt says so. Lock the store first (qafila store lock) to have the last hour's audit
    with it.
    """
    from cli.courier_texts import counting
    from cli.output import emit
    from sync.uplink import courier

    van = _van(home)
    done = courier.copy_out(stick, van, counting("files"))
    emit(dataclasses.asdict(done), as_json=as_json, human=lambda: _out(done, van))


def courier_in(stick: _Stick, home: Home = None, as_json: AsJson = False) -> None:
    """Give the receipts on a stick to this unit. They take effect when somebody is signed in.

    A receipt is believed for the centre's signature and for nothing else; whatever else lies on the stick
    is left alone.
    """
    from cli.courier_texts import refusals
    from cli.output import emit
    from sync.uplink import courier

    van = _van(home)
    done = courier.take_in(stick, van)
    emit(
        done.as_json(),
        as_json=as_json,
        human=lambda: "\n".join([_in(done, van), *refusals(done.refused)]),
    )
    if done.refused:
        raise SystemExit(1)


def _van(home: Path | None) -> "Van":
    from cli.unit_setup import installed
    from edge.config import Places, load
    from edge.errors import QafilaError
    from sync.uplink.courier import Van

    places = Places.at(home)
    config = load(places.config)
    enrolled = installed(places)
    if enrolled is None:
        raise QafilaError(
            "This unit is not enrolled, so there is no centre to seal for.",
            next_step="Run qafila unit csr, have the centre sign it, then qafila unit enrol.",
            code="not-enrolled",
        )
    return Van(config.unit.id, enrolled.keyset, places.spool_out, places.spool_in, enrolled.roots)


def _out(done: "CopiedOut", van: "Van") -> str:
    copied = f"{done.copied} sealed files of {van.unit} copied, {done.size / 1000:.1f} kB"
    lines = [f"{copied}; {done.there} were on the stick already."]
    if done.covered:
        lines.append(f"{done.covered} are not needed: the centre has signed for them.")
    if done.removed:
        lines.append(f"{done.removed} removed from the stick: the centre has signed for them.")
    if done.unsendable:
        lines.append(f"{done.unsendable} files in the spool are damaged; the agent seals them again.")
    if done.copied + done.there == 0:
        lines.append("Nothing waits to be sent. If somebody measured, sign in once: it is sealed then.")
    else:
        lines.append("Next: at the centre, qafila central import DIR. Nothing is called sent before that.")
    return "\n".join(lines)


def _in(done: "TakenIn", van: "Van") -> str:
    said = f"{done.taken} receipts for {van.unit} taken in"
    if done.known:
        said += f"; {done.known} were here already"
    if done.keyset is not None:
        said += f"; the centre's keys, version {done.keyset}, with them"
    if done.down:
        said += f"; {done.down} sealed messages of the centre with them"
    return f"{said}.\nNext: sign in; then qafila status shows what is received."
