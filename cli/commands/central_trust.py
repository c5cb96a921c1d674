"""`qafila central revoke`, `approve`, `held`: units that are not believed as before."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands import central_links
from cli.options import AsJson, Home

if TYPE_CHECKING:
    from sync.central.home import CentreHome
    from sync.central.revoking import Revocation

By = Annotated[str, typer.Option(help="Who decides it.")]


class StreamName(StrEnum):
    """A stream of a unit's journal."""

    ALERT = "alert"
    VITALS = "vitals"
    DOC = "doc"
    WAVE = "wave"
    AUDIT = "audit"


def register(app: typer.Typer) -> None:
    """Add the commands to `qafila central`."""
    app.command(
        "revoke", epilog="Example: qafila central revoke van-07 --compromised --reason stolen --by hakim"
    )(revoke)
    app.command("retire", epilog="Example: qafila central retire van-07.retired --by hakim")(retire)
    app.command("held", epilog="Example: qafila central held --json")(held)
    app.command(
        "approve", epilog="Example: qafila central approve van-07 --stream vitals --to 410 --by hakim"
    )(approve)


def revoke(
    unit: Annotated[str, typer.Argument(help="Which unit.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    by: By,
    retired: Annotated[
        bool, typer.Option("--retired", help="It was taken out of use: what it has signed so far is taken.")
    ] = False,
    compromised: Annotated[
        bool,
        typer.Option("--compromised", help="Others may have it: what is not receipted yet is held."),
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Believe a unit no further than so far; what it signs beyond is held until somebody lets it land.

    A compromised unit may not connect any more; a retired one may, to bring what is taken of it, until
    `central disconnect`. A retired unit may become a compromised one. A revoked unit never becomes whole
    again: a box that goes on gets a name and keys of its own.
    """
    from cli.output import emit
    from edge.clock import SystemClock
    from sync.central import renewing, revoking

    if retired == compromised:
        raise revoking.NotRevoked(
            "A unit is revoked either as retired or as compromised.",
            next_step="give --retired or --compromised.",
            code="revocation-unclear",
        )
    state = revoking.State.RETIRED if retired else revoking.State.COMPROMISED
    done = revoking.revoke(_centre(home), unit, state, reason, by=by, clock=SystemClock())
    out = renewing.revoke(_centre(home), unit, SystemClock()) if compromised else None
    emit(
        done.as_json() | {"connection": None if out is None else out.as_json()},
        as_json=as_json,
        human=lambda: (
            f"{unit} is {state}.\n{_through(done)}"
            + ("" if out is None else central_links.what_became_of_it(out))
            + "Next: qafila central held"
        ),
    )


def retire(
    statement: Annotated[Path, typer.Argument(help="The file that `qafila unit retire` wrote.")],
    by: By,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take a unit's signed end: hold it against what was received, and believe the unit no further.

    When all is here its right to connect ends, too. Where something is missing a courier stick that was
    written before may still bring it; give the same command again then. Exit 1 while something is missing.
    """
    from cli.files import read_small_file
    from cli.output import emit, inert, table
    from edge.clock import SystemClock
    from sync.central import retiring

    done = retiring.retire(_centre(home), read_small_file(statement), by=by, clock=SystemClock())

    def human() -> str:
        rows = [[word, str(tip), str(received)] for word, tip, received in done.ends]
        end = (
            f"{done.given_up} entries are missing. If a courier stick of this unit is on its way, import it"
            " and give this command again."
            if done.given_up
            else "Everything it ever signed is here. It may not connect any more."
        )
        return (
            f"{done.unit} is retired: {inert(done.reason)} (signed by {inert(done.by)}).\n"
            f"{table(rows, ['stream', 'signed', 'received'])}\n{end}"
        )

    emit(done.as_json(), as_json=as_json, human=human)
    if done.given_up:
        raise SystemExit(1)


def held(
    unit: Annotated[str | None, typer.Option(help="Of this unit only.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show revoked units, up to where each is believed, and what is held of it."""
    from cli.output import emit, inert, table
    from sync.central import revoking

    centre = _centre(home)
    found = [each for each in revoking.revocations(centre) if unit in {None, each.unit}]
    ranges = revoking.held(centre, unit)
    answer = {"units": [each.as_json() for each in found], "held": [each.as_json() for each in ranges]}

    def human() -> str:
        if not found:
            return "No unit is revoked."
        lines = [
            table(
                [
                    [each.unit, each.state, inert(each.reason), inert(each.given_by), str(each.held)]
                    for each in found
                ],
                ["unit", "state", "reason", "by", "held"],
            )
        ]
        if ranges:
            rows = [[r.unit, r.epoch, r.stream, str(r.first), str(r.last)] for r in ranges]
            lines += ["", table(rows, ["unit", "epoch", "stream", "first", "last"])]
            lines += ["", "Next: look at why it was sent, then qafila central approve UNIT"]
        return "\n".join(lines)

    emit(answer, as_json=as_json, human=human)


def approve(
    unit: Annotated[str, typer.Argument(help="Of which unit.")],
    by: By,
    epoch: Annotated[str | None, typer.Option(help="Only of this epoch.")] = None,
    stream: Annotated[StreamName | None, typer.Option(help="Only of this stream.")] = None,
    first: Annotated[int, typer.Option("--from", min=1, help="Only from this entry on.")] = 1,
    last: Annotated[int | None, typer.Option("--to", min=1, help="Only up to this entry.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Let what is held of a revoked unit land, whole batches of the range; the exploder opens it as ever."""
    from cli.output import emit
    from edge.clock import SystemClock
    from sync.central import revoking
    from sync.central.revoking import Range

    wanted = Range(
        epoch, None if stream is None else stream.value, first, 2**63 - 1 if last is None else last
    )
    landed = revoking.let_land(_centre(home), unit, wanted, by=by, clock=SystemClock())
    left = len(revoking.held(_centre(home), unit))
    emit(
        {"unit": unit, "landed": landed, "held": left},
        as_json=as_json,
        human=lambda: f"{landed} batches of {unit} have landed; {left} are still held.",
    )


def _through(done: "Revocation") -> str:
    if not done.through:
        return "Nothing of it has landed, so nothing of it is taken.\n"
    return "".join(
        f"epoch {epoch}, {stream}: taken up to {seq}\n"
        for (epoch, stream), seq in sorted(done.through.items())
    )


def _centre(home: Path | None) -> "CentreHome":
    from edge.config import Places
    from sync.central.home import CentreHome

    return CentreHome(Places.at(home).central)
