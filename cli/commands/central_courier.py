"""`qafila central import` and `export-receipts`: what a courier stick brings, and what it takes back."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AsJson, Home

if TYPE_CHECKING:
    from sync.central.courier import Exported, Imported

_Stick = Annotated[Path, typer.Argument(metavar="DIR", help="The folder under which the stick is mounted.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `qafila central`."""
    app.command("import", epilog="Example: qafila central import /media/stick")(import_)
    app.command("export-receipts", epilog="Example: qafila central export-receipts /media/stick")(
        export_receipts
    )


def import_(stick: _Stick, home: Home = None, as_json: AsJson = False) -> None:
    """Land what a courier stick brings, as if it had come by the broker. The stick is not changed.

    It needs the collector's key and none that opens anything, and may run beside collector and exploder.
    What came before, by whatever way, is not taken twice.
    """
    import logging

    from cli.courier_texts import counting, refusals
    from cli.output import emit
    from edge.clock import SystemClock
    from edge.config import Places
    from sync.central import courier
    from sync.central.home import CentreHome

    # What is dropped is in the answer; a line of the log for it belongs to the processes.
    logging.getLogger("qafila").addHandler(logging.NullHandler())
    place = CentreHome(Places.at(home).central)
    done = courier.import_stick(place, stick, SystemClock(), counting("files"))
    emit(
        done.as_json(),
        as_json=as_json,
        human=lambda: "\n".join([_imported(done), *refusals(done.refused), _then(stick)]),
    )
    if done.refused:
        raise SystemExit(1)


def export_receipts(
    stick: _Stick,
    unit: Annotated[
        list[str] | None,
        typer.Option(
            help="Whose receipts; may be repeated. Those whose folders lie on the stick if left out."
        ),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write the newest signed receipts to a stick, and what the units have to be told, for the way back."""
    from cli.output import emit
    from edge.config import Places
    from sync.central import courier
    from sync.central.home import CentreHome

    done = courier.export_receipts(CentreHome(Places.at(home).central), stick, unit or ())
    emit(dataclasses.asdict(done), as_json=as_json, human=lambda: _exported(done))


def _imported(done: "Imported") -> str:
    whose = ", ".join(done.units) or "nobody"
    said = f"{done.new} files landed, {done.repeated} had landed before; on the stick are files of: {whose}."
    if done.empty:
        said += f"\nThe folders of {', '.join(done.empty)} hold no sealed file."
    if done.other:
        said += f"\n{done.other} other things on the stick were not looked at."
    return said


def _then(stick: Path) -> str:
    return (
        "Next: qafila central explode --once opens it, unless the exploder runs here; then"
        f" qafila central export-receipts {stick}."
    )


def _exported(done: "Exported") -> str:
    if not done.written:
        return "There is no receipt for these units yet: nothing of theirs has landed."
    written = ", ".join(f"{unit} {n}" for unit, n in sorted(done.written.items()))
    return (
        f"Receipts written: {written}; {done.there} were on the stick already.\n"
        "Next: on the unit, qafila store courier-in DIR."
    )
