"""`qafila demo`: the whole path on this machine, once, with everything going wrong."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.options import Anywhere, AsJson


class Broker(StrEnum):
    """Which broker stands between the unit and its centre."""

    AUTO = "auto"
    MOSQUITTO = "mosquitto"
    EMBEDDED = "embedded"


def register(app: typer.Typer) -> None:
    @app.command("demo", epilog="Example: qafila demo --patients 12 --seed 7 --keep ~/qafila-demo")
    def demo(  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        patients: Annotated[int, typer.Option(min=1, max=500, help="How many patients come.")] = 12,
        seed: Annotated[int, typer.Option(help="The same number plays the same morning.")] = 7,
        broker: Annotated[
            Broker, typer.Option(help="auto takes Mosquitto where it is installed.")
        ] = Broker.AUTO,
        keep: Annotated[
            Path | None,
            typer.Option(
                help="Leave everything in this folder, which must be absent or empty.", metavar="DIR"
            ),
        ] = None,
        as_json: AsJson = False,
        _home: Anywhere = None,
    ) -> None:
        """Play a morning of synthetic patients, break everything on the way, and prove what arrived.

        A training unit, a broker and a centre run here as processes of their own, on loopback only. The
        link is cut twice; agent, broker and collector are killed. Exit 0 only when nothing that was
        called saved is lost, doubled or readable by a stranger.
        """
        from cli.output import emit
        from cli.rehearsal.rehearse import Options, rehearse

        proof = rehearse(Options(patients=patients, seed=seed, broker=broker.value), keep)
        emit(proof.as_json(), as_json=as_json, human=lambda: f"{proof.as_text()}\n{_look_at_it(keep)}")
        if proof.shortcomings():
            raise SystemExit(1)


def _look_at_it(keep: Path | None) -> str:
    """How to open the screen on what the demo made."""
    if keep is None:
        return (
            "Next: qafila sim screen shows it live; qafila demo --keep DIR leaves everything to be looked at."
        )
    return (
        f"Next: qafila tui --home {keep} opens the screen on it; "
        f"user and PIN are in {keep / 'rehearsal' / 'script.json'}."
    )
