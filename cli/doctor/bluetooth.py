"""Bluetooth: the daemon, the adapter, what the kernel needs for pairing, and the agent's use of it."""

import asyncio
import dataclasses
from pathlib import Path
from typing import Any, Final

from cli.doctor.asked import Asked
from cli.doctor.finding import Finding, Word, failed, passed, warned
from edge.config import UnitConfig

NAMES: Final = ("bluetoothd", "bluetooth-adapter", "bluetooth-crypto", "bluetooth-agent")
WITHIN_S: Final = 2.0
_BLUEZ: Final = "org.bluez"
_ADAPTER: Final = "org.bluez.Adapter1"
_NEEDED: Final = ("ecdh-nist-p256", "cmac(aes)")
"""Without them pairing times out: the kernel's own ECDH test fails when its Bluetooth is loaded before."""
_CRYPTO: Final = Path("/proc/crypto")


@dataclasses.dataclass(frozen=True, slots=True)
class Radio:
    """What the system's bus and the kernel say.

    Attributes:
        bus: whether the system's bus answered.
        daemon: whether bluetoothd is on it.
        adapter: whether the configured adapter is there.
        powered: whether it is switched on.
        lacking: what pairing needs and the kernel has not loaded; None where it does not say.
    """

    bus: bool
    daemon: bool = False
    adapter: bool = False
    powered: bool = False
    lacking: tuple[str, ...] | None = None


def look(config: UnitConfig) -> Radio | None:
    """Ask the system's bus; None where no real Bluetooth device is configured."""
    real = config.radio.backend != "virtual" and any(device.bluetooth for device in config.device)
    if not real:
        return None
    try:
        seen = asyncio.run(_ask(config.radio.adapter))
    except (OSError, TimeoutError, EOFError):
        seen = Radio(bus=False)
    return dataclasses.replace(seen, lacking=_lacking(_CRYPTO))


async def _ask(adapter: str) -> Radio:
    from dbus_fast import BusType, Message
    from dbus_fast.aio import MessageBus
    from dbus_fast.errors import DBusError

    try:
        async with asyncio.timeout(WITHIN_S):
            bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
            try:
                known = await bus.call(
                    Message(
                        destination="org.freedesktop.DBus",
                        path="/org/freedesktop/DBus",
                        interface="org.freedesktop.DBus",
                        member="NameHasOwner",
                        signature="s",
                        body=[_BLUEZ],
                    )
                )
                if known.body != [True]:
                    return Radio(bus=True)
                told = await bus.call(
                    Message(
                        destination=_BLUEZ,
                        path="/",
                        interface="org.freedesktop.DBus.ObjectManager",
                        member="GetManagedObjects",
                    )
                )
                return _found(told.body, adapter)
            finally:
                bus.disconnect()
    except DBusError:
        return Radio(bus=False)


def _found(body: list[Any], adapter: str) -> Radio:
    objects: dict[str, Any] = body[0] if body and isinstance(body[0], dict) else {}
    told: dict[str, Any] | None = objects.get(f"/org/bluez/{adapter}", {}).get(_ADAPTER)
    if told is None:
        return Radio(bus=True, daemon=True)
    powered = told.get("Powered")
    return Radio(bus=True, daemon=True, adapter=True, powered=getattr(powered, "value", powered) is True)


def _lacking(crypto: Path) -> tuple[str, ...] | None:
    try:
        text = crypto.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    have = {line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("name")}
    return tuple(name for name in _NEEDED if name not in have)


def judge(seen: Radio | None, config: UnitConfig, asked: Asked) -> list[Finding]:
    if seen is None:
        return [passed(name, "unit.toml names no real Bluetooth device.") for name in NAMES]
    return [_daemon(seen), _adapter(seen), _crypto(seen), _agent(config, asked)]


def _daemon(seen: Radio) -> Finding:
    name = "bluetoothd"
    if not seen.bus:
        return warned(name, "Not known: the system's bus does not answer.", "Start D-Bus and bluetoothd.")
    if not seen.daemon:
        return failed(
            name, "It does not run.", "systemctl start bluetooth; systemctl status bluetooth says why not."
        )
    return passed(name, "It runs.")


def _adapter(seen: Radio) -> Finding:
    name = "bluetooth-adapter"
    if not seen.daemon:
        return warned(name, "Not known without bluetoothd.", "Start bluetoothd first.")
    if not seen.adapter:
        return failed(name, "The adapter of unit.toml is not there.", "Plug it in, or set [radio] adapter.")
    if not seen.powered:
        return warned(
            name,
            "It is switched off.",
            "Start the agent, which switches it on; else rfkill unblock bluetooth.",
        )
    return passed(name, "It is there and switched on.")


def _crypto(seen: Radio) -> Finding:
    name = "bluetooth-crypto"
    if seen.lacking is None:
        return warned(
            name, "Not known: the kernel does not say.", "Look at dmesg for ECDH if pairing times out."
        )
    if seen.lacking:
        return warned(
            name,
            "Not loaded in the kernel: {lacking}; it may still load them when they are needed.",
            "If pairing times out load ecdh_generic and cmac before bluetooth (/etc/modules-load.d).",
            lacking=Word(", ".join(seen.lacking)),
        )
    return passed(name, "The kernel has what pairing needs.")


def _agent(config: UnitConfig, asked: Asked) -> Finding:
    name = "bluetooth-agent"
    if asked.status is None:
        return warned(name, "Not known: the running agent alone can say.", "Start the agent.")
    ours = {device.key for device in config.device if device.bluetooth}
    told = [device for device in asked.status["devices"] if device["key"] in ours]
    if any(device["code"] in {"radio-down", "radio-missing"} for device in told):
        return failed(name, "The agent has no radio.", "qafila status says what is wrong with each device.")
    if any(device["state"] == "present" for device in told):
        return passed(name, "The agent hears at least one device.")
    return warned(name, "Not known: no Bluetooth device has spoken to the agent yet.", "Switch one on.")
