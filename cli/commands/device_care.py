"""`qafila devices` scan, pair, forget, test, listen, record, replay: what a technician does with devices."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.options import AsJson, Home, PinStdin

if TYPE_CHECKING:
    from edge.config import Places

User = Annotated[str, typer.Option("--user", help="Who signs in for this.", metavar="USER")]
Key = Annotated[
    str, typer.Argument(help="What unit.toml calls the device; qafila devices list.", metavar="KEY")
]

_STEPS: Final = {
    "way": ("Bluetooth adapter", "serial port"),
    "there": ("heard", "answers"),
    "paired": ("paired", "paired"),
    "understood": ("is what unit.toml says", "is what unit.toml says"),
    "battery": ("battery", "battery"),
    "clock": ("clock", "clock"),
    "value": ("says a value", "says a value"),
}
"""What a person reads for a step: in the air, and on a cable."""
_ENDS: Final = {
    "time": "",
    "visit-opened": " It ended when a visit was opened.",
    "too-much": " It ended because the device sent more than a recording holds.",
    "closed": "",
}


def register(app: typer.Typer) -> None:
    """Add these commands to `qafila devices`."""
    app.command(epilog="Example: qafila devices scan --user tariq")(scan)
    app.command(
        epilog="Example: qafila devices pair cuff-1 sig-bp ble:C0:FF:EE:00:00:01 --user tariq;"
        " and again, after it lost its pairing: qafila devices pair cuff-1 --user tariq"
    )(pair)
    app.command(epilog="Example: qafila devices forget cuff-1 --user tariq")(forget)
    app.command("test", epilog="Example: qafila devices test cuff-1 --user tariq")(check)
    app.command(epilog="Example: qafila devices listen oximeter-1 --user tariq")(listen)
    app.command(epilog="Example: qafila devices record cuff-1 cuff.qrec --seconds 120 --user tariq")(record)
    app.command(epilog="Example: qafila devices replay cuff.qrec --user tariq")(replay)


def scan(
    user: User,
    seconds: Annotated[int, typer.Option(help="How long to look.", min=1, max=600)] = 8,
    air: Annotated[bool, typer.Option("--air/--no-air", help="Look for Bluetooth devices.")] = True,
    cables: Annotated[bool, typer.Option("--cables/--no-cables", help="Look at serial ports.")] = True,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What is near, and what kind of device it looks like. Nothing is paired, and nothing written to it."""
    from cli.device_texts import near_for_people
    from cli.output import emit, fail
    from edge.errors import QafilaError

    if not air and not cables:
        raise QafilaError(
            "There is nothing to look at.", next_step="leave out --no-air or --no-cables.", code="usage"
        )
    places = _places(home)
    answer = _ask(
        places, user, pin_stdin, "device.scan", "Looking around. Bluetooth devices must be switched on.",
        seconds, air=air, cables=cables,
    )  # fmt: skip
    emit(answer, as_json=as_json, human=lambda: near_for_people(answer, user))
    if answer["blind"] and not as_json:
        code = next(iter(answer["blind"].values()))
        fail(
            QafilaError(
                "The Bluetooth adapter does not work; what is in the air was not seen.",
                next_step="plug an adapter in, see [radio] in unit.toml, or look at cables only: --no-air.",
                code=code,
            )
        )
    if answer["blind"]:
        raise SystemExit(1)


def pair(
    key: Key,
    user: User,
    kind: Annotated[
        str | None, typer.Argument(help="A kind of qafila devices kinds; for a new device.")
    ] = None,
    port: Annotated[
        str | None,
        typer.Argument(help="Where it is, as scan shows it: ble: and an address, or a serial port."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            help="What its kind has to be told beside, such as model=HEM-7322T.", metavar="NAME=VALUE"
        ),
    ] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="It is a simulator; training realm only.")
    ] = False,
    seconds: Annotated[int, typer.Option(help="How long to wait for it.", min=10, max=600)] = 120,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Pair a device and write it into unit.toml; with its key alone, pair it again.

    Nothing else can be paired meanwhile. When the device shows a passkey, it is asked for. A device that is
    unlocked with a key gets a new one, which the store keeps.
    """
    from cli.device_pairing import options_of, pair_again, pair_new
    from cli.device_texts import paired_for_people
    from cli.output import emit
    from edge.errors import QafilaError

    places = _places(home)
    if (kind is None) is not (port is None):
        raise QafilaError(
            "A new device needs its kind and its port.",
            next_step="see them with qafila devices scan; to pair a device again give its key alone.",
            code="usage",
        )
    options = options_of(option or [], new=kind is not None)
    pin = _pin(user, pin_stdin=pin_stdin)
    if kind is None or port is None:
        answer = pair_again(places, user, pin, key, seconds)
    else:
        answer = pair_new(places, user, pin, key, kind, port, options, simulated=simulated, seconds=seconds)
    emit(answer, as_json=as_json, human=lambda: paired_for_people(answer))


def forget(
    key: Key,
    user: User,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the device in unit.toml; it has to be paired again.")
    ] = False,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Give up the pairing with a device, and take it out of unit.toml."""
    from cli import unit_toml
    from cli.device_texts import forgotten_for_people
    from cli.output import emit

    places = _places(home)
    section = unit_toml.configured(places, key)
    port = None if section is None else section.port
    answer = _ask(places, user, pin_stdin, "device.forget", None, 30, device=key, port=port)
    if section is not None and not keep:
        unit_toml.remove(places, key)
    answer["in_unit_toml"] = section is not None and keep
    emit(answer, as_json=as_json, human=lambda: forgotten_for_people(answer))


def check(
    key: Key,
    user: User,
    seconds: Annotated[int, typer.Option(help="How long to wait for it.", min=1, max=600)] = 30,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Check a device step by step; exit 0 only when it can be used. Values that come are kept as ever."""
    from cli.device_texts import tested_for_people
    from cli.output import emit

    places = _places(home)
    answer = _ask(
        places, user, pin_stdin, "device.test",
        f"Testing {key}. Switch it on near the box, or measure with it now.",
        seconds, device=key,
    )  # fmt: skip
    emit(answer, as_json=as_json, human=lambda: tested_for_people(answer, _STEPS, _port_of(places, key)))
    if not answer["passed"]:
        raise SystemExit(1)


def listen(
    key: Key,
    user: User,
    seconds: Annotated[
        int | None, typer.Option(help="For how long; without it until Ctrl+C.", min=1, max=86_400)
    ] = None,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what a device says as it says it, one line each; nothing of a patient to a technician."""
    from cli.device_listening import listen_to

    listen_to(_places(home), user, _pin(user, pin_stdin=pin_stdin), key, seconds, as_json=as_json)


def record(
    key: Key,
    file: Annotated[Path, typer.Argument(help="A new file for the recording.", metavar="FILE")],
    user: User,
    seconds: Annotated[int, typer.Option(help="For how long.", min=1, max=86_400)] = 60,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Record all that passes between a device and its driver, sealed: only this unit opens the file.

    The device is opened anew, so that the recording begins with how it is met. Ctrl+C ends it early.
    """
    from cli.device_recording import record_to
    from cli.output import emit

    answer = record_to(_places(home), user, _pin(user, pin_stdin=pin_stdin), key, file, seconds)
    emit(
        answer,
        as_json=as_json,
        human=lambda: (
            f"{answer['lines']} lines of {key} ({answer['kind']}) are in {file}, sealed."
            f"{_ENDS[answer['ended']]}\n"
            + (
                f"Next: qafila devices replay {file} --user {user}"
                if answer["lines"]
                else "The device was not met. Next: record again for longer, and use it meanwhile."
            )
        ),
    )


def replay(
    file: Annotated[Path, typer.Argument(help="A recording, or an open trace.", metavar="FILE")],
    user: Annotated[
        str | None, typer.Option("--user", help="Who signs in to open a sealed recording.", metavar="USER")
    ] = None,
    real_time: Annotated[
        bool, typer.Option("--real-time", help="As fast as it was recorded; else as fast as it goes.")
    ] = False,
    open_trace: Annotated[
        Path | None,
        typer.Option(
            "--write-trace",
            help="Write the opened trace to a new file, as a regression test takes it; training realm only.",
            metavar="FILE",
        ),
    ] = None,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Play a recording through the driver and show what it says; nothing is stored."""
    from cli.device_recording import open_file, play, write_trace
    from cli.device_texts import played_for_people
    from cli.output import emit
    from edge.errors import QafilaError

    content, sealed = open_file(file)
    if sealed is not None:
        if user is None:
            raise QafilaError(
                f"{file} is sealed.", next_step="say who signs in to open it: --user USER.", code="usage"
            )
        places = _places(home)
        text, whole = _opened(places, user, _pin(user, pin_stdin=pin_stdin), sealed)
        if open_trace is not None:
            write_trace(places, open_trace, text)
    else:
        text, whole = content, True
    answer = play(text, real_time=real_time) | {"whole": whole}
    emit(answer, as_json=as_json, human=lambda: played_for_people(answer))
    if answer["ended"] != "recording-over":
        raise SystemExit(1)


def _opened(places: "Places", user: str, pin: str, sealed: Any) -> tuple[bytes, bool]:  # noqa: ANN401  a Sealed, whose module is not imported yet
    from cli.device_recording import unseal

    return unseal(places, user, pin, sealed)


def _places(home: Path | None) -> "Places":
    from edge.config import Places, load

    places = Places.at(home)
    load(places.config)  # a unit that is none, or is written wrongly, is told first
    return places


def _pin(user: str, *, pin_stdin: bool) -> str:
    from cli.output import read_secrets

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    return pin


def _port_of(places: "Places", key: str) -> str:
    from cli import unit_toml

    section = unit_toml.configured(places, key)
    return "" if section is None else section.port


def _ask(  # the fields are as wide as JSON
    places: "Places",
    user: str,
    pin_stdin: bool,
    method: str,
    text: str | None,
    seconds: int,
    **fields: Any,  # noqa: ANN401  the same
) -> dict[str, Any]:
    """Sign in and ask, with a bar when it takes a while."""
    import asyncio
    import contextlib

    from cli.device_calls import ask, signed_in
    from cli.waiting import waiting

    pin = _pin(user, pin_stdin=pin_stdin)
    if method in {"device.scan", "device.test"}:
        fields["seconds"] = seconds

    async def run() -> dict[str, Any]:
        async with signed_in(places, user, pin) as api:
            with contextlib.nullcontext() if text is None else waiting(text, seconds):
                return await ask(api, method, fields, for_s=seconds)

    return asyncio.run(run())
