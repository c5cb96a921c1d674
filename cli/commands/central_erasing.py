"""`qafila central erase` and `erasures`: have a patient erased, and see how far that has got."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AsJson, Home

if TYPE_CHECKING:
    from sync.central.home import CentreHome


def register(app: typer.Typer) -> None:
    """Add the commands to `qafila central`."""
    example = (
        "Example: qafila central erase 01997f3e-5d3a-7c41-9a55-0c8be7a2f901 --reason 'asked in writing'"
        " --key /media/a/records-1.key --by hakim --key /media/b/records-2.key --by leila"
    )
    app.command("erase", epilog=example)(erase)
    app.command("erasures", epilog="Example: qafila central erasures --json")(erasures)


def erase(
    patient: Annotated[str, typer.Argument(help="The patient's id, as `central patients --json` shows it.")],
    reason: Annotated[str, typer.Option(help="Why, without a name.")],
    key: Annotated[list[Path], typer.Option(help="The key for erasing of one of the two; give it twice.")],
    by: Annotated[list[str], typer.Option(help="Who of the two brings the key; give it twice.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Erase a patient: here at once, and on every unit that knows them when all of it was received.

    It takes two people and their keys, and cannot be undone. `central erasures` shows which units have
    done it. Backups made before still hold the patient until they are destroyed.
    """
    from uuid import UUID

    from cli.output import emit
    from edge.clock import SystemClock
    from sync.central import erasing

    if len(key) != 2 or len(by) != 2:
        raise erasing.NotErased(
            "It takes two people and the key of each.",
            next_step="give --key and --by twice.",
            code="two-people-needed",
        )
    try:
        id_ = UUID(patient)
    except ValueError:
        raise erasing.NotErased(
            "This is no patient's id.",
            next_step="look it up with `qafila central patients --json`.",
            code="patient-unknown",
        ) from None
    done = erasing.order(
        _centre(home), id_, reason, by=(by[0], by[1]), key_files=(key[0], key[1]), clock=SystemClock()
    )
    stays = [str(each) for each in done.stays]
    other = None if done.other is None else str(done.other)

    def human() -> str:
        lines = [f"Erased here, and ordered of {', '.join(done.units)}."]
        if stays:
            lines.append(
                f"The same person stands here as {', '.join(stays)}, too: that stays until a unit says it"
            )
            lines.append("has erased them with this one.")
        if other is not None:
            lines.append(f"They were merged into {other}: that one is not erased by this. Order it as well.")
        lines.append(
            "Next: see with qafila central erasures when they have done it, and take the keys away again."
        )
        return "\n".join(lines)

    told = {"erasure": str(done.erasure), "patient": str(done.patient), "units": list(done.units)}
    emit(told | {"stays": stays, "merged_into": other}, as_json=as_json, human=human)


def erasures(home: Home = None, as_json: AsJson = False) -> None:
    """Show whom two people ordered to be erased, by id, and which units have done it."""
    from cli.output import emit, inert, table
    from sync.central import erasing

    found = erasing.standings(_centre(home))

    def human() -> str:
        if not found:
            return "Nobody was ordered to be erased."
        rows = [
            [
                *(str(each.patient), inert(each.reason), inert(" and ".join(each.authority))),
                ", ".join(unit for unit, done in each.units.items() if done is not None) or "-",
                ", ".join(unit for unit, done in each.units.items() if done is None) or "-",
            ]
            for each in found
        ]
        return table(rows, ["patient", "reason", "ordered by", "done by", "still to do"])

    emit([each.as_json() for each in found], as_json=as_json, human=human)


def _centre(home: Path | None) -> "CentreHome":
    from edge.config import Places
    from sync.central.home import CentreHome

    return CentreHome(Places.at(home).central)
