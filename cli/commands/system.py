"""`qafila system …`: what makes the program part of a machine, and how one version follows another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import AsJson, Home

if TYPE_CHECKING:
    from cli.system.slots import Slots

app = typer.Typer(no_args_is_help=True)

_Root = Annotated[
    Path,
    typer.Option(help="Another system than the running one: one that is being put together.", metavar="DIR"),
]
_Base = Annotated[Path, typer.Option("--base", hidden=True, help="Where the releases lie.")]
_BASE = Path("/opt/qafila")


@app.callback()
def group() -> None:
    """Qafila as part of this machine: services, updates, going back."""


@app.command(epilog="Example: sudo qafila system install --kiosk")
def install(
    root: _Root = Path("/"),
    kiosk: Annotated[bool, typer.Option("--kiosk", help="The screen starts with the machine.")] = False,
    centre: Annotated[bool, typer.Option("--centre", help="This machine is a centre, not a unit.")] = False,
    units_only: Annotated[bool, typer.Option("--units-only", hidden=True)] = False,
    as_json: AsJson = False,
) -> None:
    """Have systemd start agent and uplink: units, users, folders, rules for ports. The package does it."""
    from cli.output import emit
    from cli.system import units

    put = units.install(root, units_only=units_only, kiosk=kiosk, centre=centre)
    following = (
        "Next: qafila central init --realm production --broker mosquitto"
        if centre
        else "Next: qafila unit init --realm production --id van-07 --user NAME (as root)"
    )
    emit({"put": put}, as_json=as_json, human=lambda: f"{len(put)} files are in place.\n{following}")


@app.command(epilog="Example: sudo qafila system uninstall")
def uninstall(root: _Root = Path("/"), as_json: AsJson = False) -> None:
    """Stop the services and take them out of systemd; configuration and patients' data stay."""
    from cli.output import emit
    from cli.system import units
    from edge.errors import QafilaError

    if not root.is_dir():
        raise QafilaError(f"There is no folder {root}.", next_step="Name the root of a system.", code="usage")
    removed = units.uninstall(root)

    def human() -> str:
        kept = "What the unit has kept is still in /var/lib/qafila, its configuration in /etc/qafila."
        return f"{len(removed)} files are removed.\n{kept}"

    emit({"removed": removed}, as_json=as_json, human=human)


@app.command(epilog="Example: sudo qafila system update /media/stick/qafila-0.2.0-arm64.update")
def update(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The signed update.")],
    home: Home = None,
    base: _Base = _BASE,
    as_json: AsJson = False,
) -> None:
    """Install a signed update beside the present version, switch, see that it works; else go back."""
    from cli.output import emit

    brought = _slots(home, base).update(file)
    emit(
        {"version": brought.version, "number": brought.number},
        as_json=as_json,
        human=lambda: f"{brought.version} runs and is well.\nWhoever was signed in signs in again.",
    )


@app.command(epilog="Example: sudo qafila system rollback")
def rollback(home: Home = None, base: _Base = _BASE, as_json: AsJson = False) -> None:
    """Go back to the version before the last update, which is still on this machine."""
    from cli.output import emit

    left, back = _slots(home, base).roll_back()

    def human() -> str:
        note = (
            f"If somebody signed in with {left.version} meanwhile, the store may be of a newer form: then"
            " signing in is refused, nothing is changed, and the same command brings the newer version back."
        )
        return f"{back.version} runs again.\n{note}"

    emit({"left": left.version, "version": back.version}, as_json=as_json, human=human)


@app.command(epilog="Example: qafila system show")
def show(home: Home = None, base: _Base = _BASE, as_json: AsJson = False) -> None:
    """Which version this machine starts, which was before, and whether an update is on trial."""
    from cli.output import emit, inert

    said = _slots(home, base).show()

    def human() -> str:
        lines = [f"starts    {said['version']} (number {said['number']})"]
        lines += [f"before    {said['previous']}"] if said["previous"] else []
        lines += [f"on trial  {said['trial']}: qafila system settle decides"] if said["trial"] else []
        return "\n".join(inert(line) for line in lines)

    emit(said, as_json=as_json, human=human)


@app.command(epilog="Example: sudo qafila system settle")
def settle(home: Home = None, base: _Base = _BASE, as_json: AsJson = False) -> None:
    """After an update that was cut short: keep the new version if it works, else go back."""
    from cli.output import emit

    slots = _slots(home, base)
    why = slots.settle()
    version = slots.show()["version"]

    def human() -> str:
        return f"The update was taken back ({why}); {version} runs." if why else f"{version} runs."

    emit({"version": version, "taken_back": why or None}, as_json=as_json, human=human)


@app.command(epilog="Example: qafila system maintain --json")
def maintain(home: Home = None, as_json: AsJson = False) -> int:
    """What the box looks at every night: all that `qafila doctor` judges without the network.

    Exit status by the worst finding: 0 all pass, 1 something to look at or not known, 2 something failed.
    """
    from cli.doctor import broker
    from cli.doctor.examination import examine
    from cli.doctor.finding import Result, exit_status
    from cli.output import emit, inert
    from edge.config import Places

    findings = [each for each in examine(Places.at(home)) if each.name not in broker.NAMES]
    told = [each for each in findings if each.result is not Result.PASS]
    shown: list[dict[str, Any]] = [each.redacted() for each in told]  # the journal names nobody

    def human() -> str:
        lines = [f"{each['result']}  {each['name']}: {inert(each['detail'])}" for each in shown]
        return "\n".join(lines) or f"{len(findings)} checks, nothing to do."

    emit({"checks": len(findings), "told": shown}, as_json=as_json, human=human)
    return exit_status(findings)


def _slots(home: Path | None, base: Path) -> "Slots":
    from cli.system.host import ThisHost
    from cli.system.slots import Slots
    from edge.config import Places

    return Slots(base, ThisHost(Places.at(home)))
