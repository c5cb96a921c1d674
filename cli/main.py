"""The command `qafila`: names the groups; what a command needs is imported when it runs."""

import importlib
import sys
from typing import Any, Final, NoReturn

import typer

from cli.output import USAGE_EXIT, fail, fail_unexpected
from edge.errors import QafilaError

_GROUPS: Final[dict[str, tuple[str, str]]] = {
    "unit": ("cli.commands.unit", "Make this box a unit, and enrol it with a centre."),
    "config": ("cli.commands.config", "The configuration of this unit: what it says, and what holds."),
    "users": ("cli.commands.users", "The people who may sign in on this unit."),
    "patients": ("cli.commands.patients", "Patients of this unit: who they are, and who was entered twice."),
    "requests": ("cli.commands.requests", "What specialists are asked about patients, and their answers."),
    "inbox": ("cli.commands.inbox", "What came from the centre for people to read."),
    "sites": ("cli.commands.sites", "The places where this unit works."),
    "devices": ("cli.commands.devices", "Device kinds, configured devices, and what their bytes mean."),
    "ecg": ("cli.commands.ecg", "What a program sees in an ECG recording, for a doctor to read."),
    "agent": ("cli.commands.agent", "Run the agent: devices, store, sealing, receipts, the local API."),
    "sim": ("cli.commands.sim", "Simulated devices and patients, for training only."),
    "sync": ("cli.commands.sync", "What leaves this unit, how far it has come, and what was not opened."),
    "store": ("cli.commands.store", "The encrypted store of this unit."),
    "system": ("cli.commands.system", "Qafila as part of this machine: services, updates, going back."),
    "central": ("cli.commands.central", "The centre: enrol units, take and open what they send."),
}
_COMMANDS: Final[dict[str, str]] = {
    "demo": "cli.commands.demo",
    "doctor": "cli.commands.doctor",
    "score": "cli.commands.score",
    "status": "cli.commands.status",
    "tui": "cli.commands.tui",
    "uplink": "cli.commands.uplink",
    "version": "cli.commands.version",
}


def build(words: list[str]) -> typer.Typer:
    """The application with the group or command that ``words`` asks for; with all of them for help."""
    app = typer.Typer(
        name="qafila",
        help="The software of a connected mobile medical unit.",
        epilog="Begin with: qafila demo",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.callback()
    def root() -> None:  # pyright: ignore[reportUnusedFunction]  # typer keeps it: several commands, one program
        """The software of a connected mobile medical unit."""

    asked = next((word for word in words if not word.startswith("-")), None)
    everything = asked not in _GROUPS and asked not in _COMMANDS
    for word, module in _COMMANDS.items():
        if everything or word == asked:
            importlib.import_module(module).register(app)
    for word, (module, help_) in _GROUPS.items():
        if everything or word == asked:
            app.add_typer(importlib.import_module(module).app, name=word, help=help_)
    return app


def run() -> None:
    """Entry point of the console script."""
    words = sys.argv[1:]
    try:
        status = build(words)(standalone_mode=False)
    except QafilaError as error:
        fail(error)
    except _UsageError as error:
        _fail_usage(error)
    except (KeyboardInterrupt, typer.Abort):
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(141) from None  # somebody piped us into head
    except Exception as error:  # noqa: BLE001  where a process meets the world
        fail_unexpected(error)
    raise SystemExit(status if isinstance(status, int) else 0)


_UsageError: Final[type[Exception]] = typer.BadParameter.__bases__[0]  # its own name is private to typer


def _fail_usage(error: Any) -> NoReturn:  # noqa: ANN401  what it can be asked stands in typer's private part
    context = error.ctx
    if type(error).__name__ == "NoArgsIsHelpError":
        print(context.get_help())
        raise SystemExit(USAGE_EXIT)
    path = context.command_path if context is not None else "qafila"
    sentence = error.format_message().rstrip(".") + "."
    fail(QafilaError(sentence, next_step=f"See {path} --help.", code="usage"), exit_status=USAGE_EXIT)


if __name__ == "__main__":
    run()
