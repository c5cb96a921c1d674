"""`qafila sim …`: simulated devices and patients, for training only."""

from typing import Annotated

import typer

from cli.commands.demo import Broker

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Simulated devices and patients, for training only."""


@app.command(epilog="Example: qafila sim screen --language en")
def screen(
    language: Annotated[
        str, typer.Option(envvar="QAFILA_LANGUAGE", help="fr or en.", metavar="LANGUAGE")
    ] = "fr",
    seed: Annotated[int, typer.Option(help="The same number brings the same patients.")] = 7,
    broker: Annotated[Broker, typer.Option(help="auto takes Mosquitto where it is installed.")] = Broker.AUTO,
) -> None:
    """Open a live training screen: signed in, patients there, oximeter, cuff and chest strap measuring.

    Everything runs on this machine in a folder that is removed when the screen is closed (F10).
    """
    from cli.rehearsal.live import open_live_screen

    raise SystemExit(open_live_screen(language=language, seed=seed, broker=broker.value))
