"""`qafila central health`: how units are, by what they said of themselves last."""

from typing import TYPE_CHECKING

import typer

from cli.options import AsJson, Home

if TYPE_CHECKING:
    from sync.central.health import Said


def register(app: typer.Typer) -> None:
    """Add the command to `qafila central`."""
    app.command("health", epilog="Example: qafila central health --json")(health)


def health(home: Home = None, as_json: AsJson = False) -> None:
    """Show how each unit was when it last said so: version, disk, certificate, what waits, what is wrong.

    A unit says it half a minute after an unlock, when something goes wrong or is well again, and every six
    hours.
    """
    from cli.output import emit, inert, table
    from edge.clock import SystemClock
    from edge.config import Places
    from sync.central import health as reading
    from sync.central.home import CentreHome

    found = reading.last(CentreHome(Places.at(home).central), SystemClock())

    def human() -> str:
        if not found:
            return "No unit has said yet how it is."
        header = ["unit", "said", "version", "disk", "certificate", "waits", "devices", "wrong"]
        return table([[inert(cell) for cell in _cells(each)] for each in found], header)

    emit([each.as_json() for each in found], as_json=as_json, human=human)


def _cells(each: "Said") -> list[str]:
    said = each.said
    waits = sum(count for _, count, _ in said.get("waits", ()))
    there = sum(state == "present" for _, _, state, _ in said.get("devices", ()))
    return [
        each.unit,
        _ago(each),
        str(said.get("version", "--")),
        _days(said.get("disk_days")),
        _days(said.get("certificate_days")),
        f"{waits} entries" if waits else "nothing",
        f"{there} of {len(said.get('devices', ()))}",
        ", ".join(map(str, said.get("wrong", ()))) or "nothing",
    ]


def _days(days: int | None) -> str:
    """Days that are left; two dashes where nobody knows."""
    return "--" if days is None else f"{days} d"


def _ago(each: "Said") -> str:
    """How long ago by the unit's clock, which is named where nobody keeps it right."""
    if each.age_ms < 0:
        return f"clock ahead ({each.clock})"
    from edge.clock import TRUSTED_CLOCKS

    minutes = each.age_ms // 60_000
    hours, days = minutes // 60, minutes // 1440
    since = f"{days} d ago" if days > 1 else f"{hours} h ago" if hours > 1 else f"{minutes} min ago"
    return since if each.clock in TRUSTED_CLOCKS else f"{since} (clock: {each.clock})"
