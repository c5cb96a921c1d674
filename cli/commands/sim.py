"""`qafila sim …`: simulated devices and patients, for training only."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands import sim_fleet
from cli.commands.demo import Broker
from cli.options import Anywhere, AsJson, Home

if TYPE_CHECKING:
    from cli.rehearsal.simulators import Simulators
    from drivers.simulation.scenario import Scenario
    from edge.config import Places

app = typer.Typer(no_args_is_help=True)
sim_fleet.register(app)


@app.callback()
def group() -> None:
    """Simulated devices and patients, for training only."""


@app.command(epilog="Example: qafila sim screen --language en")
def screen(
    language: Annotated[
        str, typer.Option(envvar="QAFILA_LANGUAGE", help="fr, ar or en.", metavar="LANGUAGE")
    ] = "fr",
    seed: Annotated[int, typer.Option(help="The same number brings the same patients.")] = 7,
    broker: Annotated[Broker, typer.Option(help="auto takes Mosquitto where it is installed.")] = Broker.AUTO,
) -> None:
    """Open a live training screen: signed in, patients there, oximeter, cuff and chest strap measuring.

    Everything runs on this machine in a folder that is removed when the screen is closed (F10 twice).
    """
    from cli.rehearsal.live import open_live_screen

    raise SystemExit(open_live_screen(language=language, seed=seed, broker=broker.value))


@app.command("list", epilog="Example: qafila sim list")
def list_scenarios(_home: Anywhere = None, as_json: AsJson = False) -> None:
    """The scenarios that are shipped; each is a file to copy and change."""
    from cli.output import emit, table
    from drivers.simulation.scenario import find, shipped
    from drivers.simulation.scenario_file import load

    scenarios = [
        {
            "name": name,
            "title": (scenario := load(name)).title,
            "minutes": scenario.lasts_min,
            "devices": [device.key for device in scenario.device],
            "story": scenario.story.strip(),
            "sources": scenario.sources,
            "file": str(find(name)),
        }
        for name in shipped()
    ]
    rows = [
        [str(each["name"]), str(each["title"]), f"{each['minutes']:g}", str(len(each["devices"]))]  # type: ignore[arg-type]  # a list
        for each in scenarios
    ]
    emit(
        scenarios,
        as_json=as_json,
        human=lambda: (
            f"{table(rows, ['name', 'patient', 'minutes', 'devices'])}\n"
            "Next: qafila sim run NAME --home DIR, with the folder of a unit for training."
        ),
    )


@app.command(epilog="Example: qafila sim run sepsis-getting-worse --home ~/van-07 --write")
def run(
    scenario: Annotated[
        str, typer.Argument(help="A file, or a name of `qafila sim list`.", metavar="SCENARIO.toml|NAME")
    ],
    pace: Annotated[
        float, typer.Option(min=0.1, max=60, help="How much faster than real the patient changes.")
    ] = 1.0,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="This device of it, and no other; again and again."),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Add the devices to the unit's unit.toml.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Be every device of a scenario, on one patient, until Ctrl-C; agents come and go beside it.

    Prints what unit.toml needs to use them. While it runs, a line of input orders something of a device:
    `oximeter-1 sensor off`, `cuff-1 measure`, `all motion on`. Training realm only.
    """
    from tempfile import TemporaryDirectory

    from cli.rehearsal import simulators
    from drivers.registry import KINDS
    from drivers.simulation.scenario import find
    from drivers.simulation.scenario_file import load
    from edge.errors import QafilaError

    places = simulators.places_for_training(home)
    if write and places is None:
        raise QafilaError(
            "There is no unit whose unit.toml could be written.",
            next_step="Name its folder with --home, or run it without --write.",
            code="config-missing",
        )
    loaded = load(scenario, {kind.kind: kind.transport for kind in KINDS.values()})
    if only:
        loaded = loaded.only(only)
    path = find(scenario).absolute()
    with TemporaryDirectory(prefix="qafila-sim-") as temporary:
        folder = Path(temporary) if places is None else places.base / "sim"
        with simulators.folder_of_its_own(folder):
            _run(loaded, path, folder, places if write else None, pace=pace, as_json=as_json)


def _run(
    scenario: "Scenario", path: Path, folder: Path, places: "Places | None", *, pace: float, as_json: bool
) -> None:
    import asyncio
    import sys

    from cli.rehearsal import simulators
    from edge.clock import SystemClock

    began_s = SystemClock().monotonic_s()

    def tell(event: "simulators.Event | str") -> None:
        if isinstance(event, str):
            print(f"There is no such device or order: {event} (code: order-unknown)", file=sys.stderr)
        elif not as_json:
            print(f"{event.at_s / 60:6.1f} min  {event.device} {event.order}", flush=True)

    async def play() -> None:
        async with simulators.started(scenario, path, folder, began_s=began_s, pace=pace) as running:
            _announce(scenario, running, folder, places, began_s=began_s, as_json=as_json)
            await simulators.run(running, simulators.events_of(scenario, pace=pace), tell)

    asyncio.run(play())


def _announce(
    scenario: "Scenario",
    running: "Simulators",
    folder: Path,
    places: "Places | None",
    *,
    began_s: float,
    as_json: bool,
) -> None:
    from cli.output import emit
    from cli.rehearsal.simulators import to_be_paired
    from cli.unit_file import add_devices, device_lines, virtual_radio_lines

    sections = [each.section for each in running.devices]
    lines = device_lines(sections)
    if running.air is not None:
        lines = f"{virtual_radio_lines(running.air)}\n{lines}"
    unpaired = to_be_paired(running.devices, folder)
    added: list[str] | None = None
    if places is not None:
        added = add_devices(places, sections, virtual=running.air)
        lines = f"In {places.config}: {', '.join(added) or 'nothing new'}.\n"
    emit(
        {
            "event": "ready",
            "scenario": scenario.title,
            "began": began_s,
            "radio": running.air,
            "devices": [section.model_dump() for section in sections],
            "unit_toml": lines if added is None else None,
            "added": added,
            "to_be_paired": unpaired,
        },
        as_json=as_json,
        human=lambda: (
            f"{scenario.title}: {len(sections)} devices are on.\n{scenario.story.strip()}\n\n{lines}\n"
            + (
                "Restart the agent. "
                if added
                else "Add these lines to unit.toml and restart the agent. "
                if added is None
                else ""
            )
            + "Ctrl-C ends it."
            + "".join(
                f"\n{key} waits to be paired, once. Next, while the agent runs:"
                f" qafila devices pair {key} --user USER"
                for key in unpaired
            )
        ),
    )
