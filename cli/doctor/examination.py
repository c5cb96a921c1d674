"""All checks of one unit, put together: what is looked at first, and what is judged by it."""

from collections.abc import Sequence
from importlib import metadata
from typing import Final

from cli.doctor import asked as agent
from cli.doctor import board, broker, clocks, disks, machine, media, papers, ports, stores
from cli.doctor.asked import Asked
from cli.doctor.finding import Finding, passed, troubled, warned
from cli.doctor.side_by_side import Group, run_all
from edge.clock import SystemClock
from edge.config import Places, UnitConfig, effective
from edge.errors import QafilaError

_CONFIGURATION: Final = "configuration"


def examine(places: Places) -> list[Finding]:
    """Everything that can be said of the unit here, without a PIN and without changing anything."""
    config, configuration = _configuration(places)
    asked = agent.ask(places)
    version = metadata.version("qafila")
    wall_ms = SystemClock().now().wall_ms
    groups = [
        Group(("agent",), lambda: agent.judge_agent(asked, version)),
        Group(("disk", "card"), lambda: _disk(places)),
        Group(stores.NAMES, lambda: stores.judge(stores.look(places), asked, version)),
        Group(machine.NAMES, lambda: machine.judge(machine.look(stores.holder_of(places.agent_lock)))),
        Group(("units",), lambda: machine.judge_units(machine.look_at_units())),
        Group(("power", "temperature"), lambda: board.judge(board.look())),
        Group(("clock",), lambda: _clock(places, config, asked, wall_ms)),
    ]
    if config is not None:
        groups += _of_a_unit(places, config, asked, wall_ms)
    return [configuration, *run_all(groups)]


def _of_a_unit(places: Places, config: UnitConfig, asked: Asked, wall_ms: int) -> list[Group]:
    from cli.doctor import bluetooth

    def opening() -> Sequence[Finding]:
        return media.judge(media.look(places, config), asked, wall_ms, config.unit.realm)

    def link() -> Sequence[Finding]:
        held = papers.look(places)
        uplink = broker.look_at_uplink(places)
        return broker.judge(uplink, broker.look(places, held.enrolled, held.held, uplink), asked, wall_ms)

    return [
        Group(media.NAMES, opening),
        Group(papers.NAMES, lambda: papers.judge(papers.look(places), wall_ms)),
        Group(broker.NAMES, link),
        Group(bluetooth.NAMES, lambda: bluetooth.judge(bluetooth.look(config), config, asked)),
        Group(ports.NAMES, lambda: ports.judge(ports.look(config), asked)),
    ]


def _configuration(places: Places) -> tuple[UnitConfig | None, Finding]:
    try:
        holds = effective(places)
    except QafilaError as error:
        return None, troubled(_CONFIGURATION, error)
    except OSError:
        return None, warned(_CONFIGURATION, "Not known: this user may not read unit.toml.", "Run it as root.")
    config = holds.config
    if holds.unfit:
        return config, warned(
            _CONFIGURATION,
            "What the centre has set does not go with unit.toml, which holds alone.",
            "Look at what was changed in unit.toml, or have the centre send another configuration.",
        )
    number = 0 if holds.document is None else holds.document.number
    said = "unit.toml is as it should be; {count} devices."
    if number:
        said += " Configuration {number} of the centre holds over it."
    return config, passed(_CONFIGURATION, said, count=len(config.device), number=number)


def _disk(places: Places) -> list[Finding]:
    return [
        disks.judge_disk(disks.look_at_disk(places.base, places.slots)),
        disks.judge_card(disks.look_at_card(places.base)),
    ]


def _clock(places: Places, config: UnitConfig | None, asked: Asked, wall_ms: int) -> list[Finding]:
    signed_ms = papers.look(places).signed_ms if config is not None else None
    configured = None if config is None else config.clock.quality
    return clocks.judge(clocks.look(wall_ms, signed_ms, configured, asked.status))
