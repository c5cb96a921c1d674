"""`qafila central waves` and `wave`: what has come of recordings, and one of them as a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AsJson, Home

if TYPE_CHECKING:
    from sync.central.home import CentreHome
    from sync.central.waves import ReceivedWave


def register(app: typer.Typer) -> None:
    """Add the commands to `qafila central`."""
    app.command("waves", epilog="Example: qafila central waves --unit van-07 --json")(waves)
    example = "Example: qafila central wave 01997f3e-5d3a-7c41-9a55-0c8be7a2f901 --out ecg.json"
    app.command("wave", epilog=example)(wave)


def waves(
    patient: Annotated[
        str | None, typer.Option(help="Of one patient, by the id that `central patients --json` shows.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Of one unit.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the recordings of which something was received, and whether all of each is here."""
    from cli.output import emit, inert, table
    from sync.central import waves as reading

    wanted = None if patient is None else patient.replace("-", "").lower()
    found = reading.recordings(_centre(home), patient=wanted, unit=unit)

    def human() -> str:
        if not found:
            return "No recording has been received yet."
        header = ["recording", "unit", "signal", "leads", "rate", "stretches", "samples", "state"]
        return table([[inert(cell) for cell in _cells(each)] for each in found], header)

    emit([each.as_json() for each in found], as_json=as_json, human=human)


def wave(
    waveform: Annotated[str, typer.Argument(help="Which recording, as `central waves` shows it.")],
    out: Annotated[Path, typer.Option(help="Where to write it, as JSON; the file must not exist yet.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write one recording with all its samples into a file; each is held against its signed hash first.

    What has not come, or was lost, is left out and said: nothing is put in its place.
    """
    import json

    from cli.files import write_new_file
    from cli.output import emit
    from sync.central import waves as reading

    found = reading.export(_centre(home), waveform)
    write_new_file(out, (json.dumps(found, ensure_ascii=False, indent=1) + "\n").encode(), mode=0o600)
    told = {
        "waveform": found["waveform"],
        "file": str(out),
        "chunks": found["chunks"],
        "expected": found["expected"],
        "missing": found["missing"],
        "complete": found["complete"],
    }
    whole = "all of it" if found["complete"] else f"{found['chunks']} stretches, not all of it yet"
    emit(told, as_json=as_json, human=lambda: f"Wrote {out}: {whole}, {found['samples']} samples a lead.")


def _cells(each: "ReceivedWave") -> list[str]:
    from uuid import UUID

    if each.complete:
        state = each.ended or "whole"
    elif not each.chunks and each.preview:
        state = "preview"
    elif each.expected is None:
        state = "still coming"
    else:
        state = f"{len(each.missing)} missing"
    return [
        str(UUID(each.waveform)),
        each.unit,
        each.code,
        " ".join(each.leads) or "-",
        each.rate,
        f"{each.chunks} of {'?' if each.expected is None else each.expected}",
        str(each.samples),
        state,
    ]


def _centre(home: Path | None) -> "CentreHome":
    from edge.config import Places
    from sync.central.home import CentreHome

    return CentreHome(Places.at(home).central)
