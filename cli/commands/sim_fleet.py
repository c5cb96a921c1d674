"""`qafila sim fleet`: many units at once against a centre on this machine, for training only."""

from typing import Annotated

import typer

from cli.options import Anywhere, AsJson


def register(app: typer.Typer) -> None:
    """Add the command to `qafila sim`."""
    app.command("fleet", epilog="Example: qafila sim fleet --units 500 --visits 2 --kills 4")(fleet)


def fleet(
    units: Annotated[int, typer.Option(min=1, max=5000, help="How many.")] = 100,
    visits: Annotated[int, typer.Option(min=1, max=1000, help="Of each unit; eleven entries a visit.")] = 2,
    every: Annotated[float, typer.Option(min=0.0, help="Seconds between two visits of a unit.")] = 10.0,
    collectors: Annotated[int | None, typer.Option(min=1, max=32, help="Left out: 3, on SQLite 1.")] = None,
    exploders: Annotated[int | None, typer.Option(min=1, max=32, help="Left out: 2, on SQLite 1.")] = None,
    kills: Annotated[int, typer.Option(min=0, help="How many of them are killed meanwhile.")] = 0,
    seed: Annotated[int, typer.Option(help="The same number brings the same fleet.")] = 7,
    sqlite: Annotated[bool, typer.Option("--sqlite", help="No PostgreSQL, although there is one.")] = False,
    _home: Anywhere = None,
    as_json: AsJson = False,
) -> None:
    """Let a fleet of simulated units send real envelopes to a centre, and count what was received.

    Broker, database and centre are made for it on this machine and removed at the end.
    """
    from cli.output import emit
    from cli.rehearsal import fleet as rehearsal
    from cli.rehearsal.processes import RehearsalFailed

    on_postgres = not sqlite and rehearsal.installed()
    plan = rehearsal.Plan(
        units=units,
        visits=visits,
        every_s=every,
        collectors=collectors or (3 if on_postgres else 1),
        exploders=exploders or (2 if on_postgres else 1),
        kills=kills,
        seed=seed,
        on_postgres=on_postgres,
    )
    played = rehearsal.play(plan, lambda line: typer.echo(line, err=True))
    emit(played.as_json(), as_json=as_json, human=lambda: "\n".join(rehearsal.lines(played)))
    if played.lost or played.doubled or played.conflicts:
        raise RehearsalFailed(
            "What the centre has is not what the fleet sent.", next_step="tell the maintainers."
        )
