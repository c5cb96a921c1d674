"""`qafila devices` measure, secret: what is done with one device that is configured already."""

from typing import Annotated

import typer

from cli.commands.device_care import Key, User
from cli.options import AsJson, Home, PinStdin


def register(app: typer.Typer) -> None:
    """Add these commands to `qafila devices`."""
    app.command(
        epilog="Example: qafila devices measure nibp-1 --user amina;"
        " and at once: qafila devices measure nibp-1 --stop --user amina"
    )(measure)
    app.command(
        epilog="Example: qafila devices secret cuff-3 --user tariq; it asks for the PIN, then for the key"
    )(secret)


def measure(
    key: Key,
    user: User,
    stop: Annotated[bool, typer.Option("--stop", help="Let the air out of the cuff now.")] = False,
    mode: Annotated[
        str,
        typer.Option(help="Whom the cuff is on: adult, child or neonate; how high it is pumped up follows."),
    ] = "adult",
    seconds: Annotated[int, typer.Option(help="How long to wait for the result.", min=10, max=600)] = 180,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Start a cuff that has no button, and show what it measures; Ctrl+C lets the air out.

    The values are kept as ever: with the open visit, and without one in the tray. Exit 0 only with a result.
    """
    from cli.device_measuring import MODES, measure_with, stop_measuring
    from cli.device_texts import measured_for_people
    from cli.output import emit, read_secrets
    from edge.config import Places, load
    from edge.errors import QafilaError

    if mode not in MODES:
        raise QafilaError(
            f"A cuff is on no {mode}.", next_step=f"give one of: {', '.join(MODES)}.", code="usage"
        )
    places = Places.at(home)
    load(places.config)
    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    if stop:
        stop_measuring(places, user, pin, key)
        emit({"device": key, "stopped": True}, as_json=as_json, human=lambda: f"{key} lets the air out.")
        return
    answer = measure_with(places, user, pin, key, mode, seconds)
    emit(answer, as_json=as_json, human=lambda: measured_for_people(answer))
    if not answer["measured"]:
        raise SystemExit(1)


def secret(
    key: Key,
    user: User,
    forget: Annotated[bool, typer.Option("--forget", help="Keep no key for it any more.")] = False,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Keep the key that unlocks a device, where somebody knows it; pairing makes a new one by itself.

    The key is asked for, or is the second line of standard input with --pin-stdin: hex digits. It is kept in
    the encrypted store and never shown again.
    """
    from cli.asking import ask_agent_as
    from cli.output import emit, read_secrets
    from edge.config import Places, load

    places = Places.at(home)
    load(places.config)
    asked = [f"PIN of {user}"] + ([] if forget else [f"Key of {key}, in hex digits"])
    pin, *typed = read_secrets(asked, from_stdin=pin_stdin)
    value = "".join(typed[0].split()) if typed else None
    answer = ask_agent_as(places, user, pin, "device.secret", device=key, secret=value)
    kept = (
        f"The key of {key} is kept, encrypted.\nNext: qafila devices test {key} --user {user}"
        if answer["kept"]
        else f"No key is kept for {key} any more.\nNext: qafila devices pair {key} --user {user}"
    )
    emit(answer, as_json=as_json, human=lambda: kept)
