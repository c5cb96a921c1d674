"""Pairing a device: first see that it can be written down, then meet it, then write it down."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cli import unit_toml
from cli.device_calls import aside, ask, signed_in
from cli.waiting import Waiting, waiting
from cli.workshop import check_port, checked_options, known_kind
from drivers.transport.serial_nodes import udev_rule
from edge.config import DeviceSection, Places, load
from edge.errors import QafilaError

_PASSKEY_DIGITS: Final = 6
_RULES: Final = "udev"


def pair_new(
    places: Places,
    user: str,
    pin: str,
    key: str,
    kind: str,
    port: str,
    options: Mapping[str, str],
    *,
    simulated: bool,
    seconds: int,
) -> dict[str, Any]:
    """Pair a device that is not configured yet, and write it into unit.toml.

    Raises:
        QafilaError: it was not paired, or not written; the next step says what to do.
    """
    config = load(places.config)
    bluetooth = port.startswith("ble:")
    if bluetooth:
        port = "ble:" + port.removeprefix("ble:").upper() if port.count(":") > 2 else port
    simulated = simulated or (bluetooth and config.radio.backend == "virtual")
    if unit_toml.configured(places, key) is not None:
        raise QafilaError(
            f"There is a device {key} in unit.toml already.",
            next_step=f"pair it again with qafila devices pair {key}, or give another key.",
            code="device-taken",
        )
    known = known_kind(kind)
    asyncio.run(check_port(known, port))
    checked_options(known, options)
    section = _section(key, kind, port, options, simulated=simulated)
    unit_toml.check(places, section)
    answer = _meet(
        places, user, pin, seconds, bluetooth=bluetooth,
        device=key, kind=kind, port=port, options=dict(options), simulated=simulated,
    )  # fmt: skip
    unit_toml.add(places, section)
    if not bluetooth:
        answer["udev_file"] = _write_rule(places, key, port)
    return answer


def pair_again(places: Places, user: str, pin: str, key: str, seconds: int) -> dict[str, Any]:
    """Pair a configured device anew: our old keys are given up first.

    Raises:
        QafilaError: there is no such device, or it was not paired.
    """
    section = unit_toml.configured(places, key)
    if section is None:
        raise QafilaError(
            f"There is no device {key} in unit.toml.",
            next_step=f"find it with qafila devices scan, then pair {key} with its kind and port.",
            code="no-device",
        )
    return _meet(places, user, pin, seconds, bluetooth=section.bluetooth, device=key)


def _meet(
    places: Places,
    user: str,
    pin: str,
    seconds: int,
    *,
    bluetooth: bool,
    device: str,
    **fields: Any,  # noqa: ANN401  as wide as JSON
) -> dict[str, Any]:
    text = (
        f"Put {device} into its pairing mode now, close to the box; its manual says how."
        if bluetooth
        else f"Switch {device} on, and see that its cable sits firmly."
    )

    async def run() -> dict[str, Any]:
        with waiting(text, seconds) as bar:

            async def on_event(name: str, data: dict[str, Any]) -> None:
                if name == "passkey-asked" and data["device"] == device:
                    passkey = await aside(lambda: _read_passkey(bar, device))
                    async with signed_in(places, user, pin) as second:
                        await second.call("device.passkey", device=device, passkey=_number(passkey))

            async with signed_in(places, user, pin) as api:
                asked = {"device": device, "seconds": seconds, **fields}
                return await ask(api, "device.pair", asked, on_event=on_event, for_s=seconds)

    return asyncio.run(run())


def _read_passkey(bar: Waiting, device: str) -> str:
    """What the device shows, typed within the half minute that it waits; empty for nothing."""
    with bar.paused():
        print(
            f"{device} shows a passkey of six digits. Type it, or only Enter if it shows none: ",
            end="",
            file=sys.stderr,
            flush=True,
        )
        return sys.stdin.readline().strip()


def _number(typed: str) -> int | None:
    digits = typed.replace(" ", "")
    ascii_digits = digits.isascii() and digits.isdigit()
    return int(digits) if ascii_digits and len(digits) <= _PASSKEY_DIGITS else None


def options_of(given: Sequence[str], *, new: bool) -> dict[str, str]:
    """``NAME=VALUE`` each.

    Raises:
        QafilaError: one is not, or the device has its options already.
    """
    if given and not new:
        raise QafilaError(
            "A device that is in unit.toml has its options there.",
            next_step="change them there, and restart the agent.",
            code="usage",
        )
    options: dict[str, str] = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not (name and sign and value):
            raise QafilaError(f"{each} is no option.", next_step="write it as NAME=VALUE.", code="usage")
        options[name] = value
    return options


def _section(key: str, kind: str, port: str, options: Mapping[str, str], *, simulated: bool) -> DeviceSection:
    try:
        return DeviceSection(key=key, kind=kind, port=port, simulated=simulated, options=dict(options))
    except ValueError:
        raise QafilaError(
            f"{key} cannot be a device's key.",
            next_step="use up to 31 of a-z, 0-9 and hyphen, such as cuff-1.",
            code="bad-key",
        ) from None


def _write_rule(places: Places, key: str, port: str) -> str | None:
    """Put the udev rule beside unit.toml, where root finds it; None for a port with no lasting name."""
    rule = udev_rule(key, port)
    if rule is None:
        return None
    file = places.config.parent / _RULES / f"70-qafila-{key}.rules"
    try:
        file.parent.mkdir(exist_ok=True)
        file.write_text(rule, encoding="utf-8")
    except OSError:
        raise QafilaError(
            f"{key} is paired and in unit.toml, but its udev rule cannot be written to {file}.",
            next_step=f"put this into /etc/udev/rules.d/{file.name}: {rule.splitlines()[-1]}",
            code="rule-not-written",
        ) from None
    return str(file)
