"""Adds devices to ``unit.toml`` without touching what a person wrote there.

The file is only ever added to, in a whole new copy that is read as the agent would read it before it takes
the old one's place; so comments, order and everything else stay, and a power cut leaves one of the two.
"""

import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from edge.config import DeviceSection, Places, UnitConfig, load
from edge.errors import QafilaError


class UnitFileRefused(QafilaError):
    """What is to be added contradicts what stands in unit.toml; nothing was changed."""

    code: ClassVar[str] = "unit-file-refused"


def device_lines(devices: Sequence[DeviceSection]) -> str:
    """The blocks of these devices, as they stand in ``unit.toml``."""
    return "\n".join(_block(device) for device in devices)


def virtual_radio_lines(virtual: str) -> str:
    """The block of a simulated adapter."""
    return f'[radio]\nbackend = "virtual"\nvirtual = {_quoted(virtual)}\n'


def add_devices(places: Places, devices: Sequence[DeviceSection], *, virtual: str | None = None) -> list[str]:
    """Add what is not there yet, and give the keys that were added.

    Args:
        places: of the unit.
        devices: what is to be there.
        virtual: where simulated Bluetooth devices are, when some of these are.

    Raises:
        UnitFileRefused: a key is another device's, or the unit has another radio.
        ConfigRefused: the configuration cannot be read, or could not be any more.
    """
    config = load(places.config)
    there = {device.key: device for device in config.device}
    for device in devices:
        if there.get(device.key, device) != device:
            raise UnitFileRefused(
                f"{places.config} has another device called {device.key}.",
                next_step="Rename one of the two, or remove that block.",
                code="device-key-taken",
            )
    text = places.config.read_text(encoding="utf-8")
    new = [device for device in devices if device.key not in there]
    blocks = [device_lines(new)] if new else []
    if virtual is not None and not _has_radio(config, virtual):
        if config.radio.backend == "virtual" or "[radio]" in text:
            raise UnitFileRefused(
                f"{places.config} has a [radio] that is not the simulated one.",
                next_step="Replace that block by the one that is printed without --write.",
                code="radio-taken",
            )
        blocks.insert(0, virtual_radio_lines(virtual))
    if blocks:
        _replace(places, f"{text.rstrip()}\n\n" + "\n".join(blocks))
    return [device.key for device in new]


def _has_radio(config: UnitConfig, virtual: str) -> bool:
    return config.radio.backend == "virtual" and config.radio.virtual == virtual


def _block(device: DeviceSection) -> str:
    lines = [
        "[[device]]",
        *(f"{name} = {_quoted(getattr(device, name))}" for name in ("key", "kind", "port")),
    ]
    if device.simulated:
        lines.append("simulated = true")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # without its surrogates a JSON string is one of TOML too


_MODE: Final = 0o644


def _replace(places: Places, text: str) -> None:
    path = places.config
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        load(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise UnitFileRefused(
            f"{path} cannot be written: {error.strerror}.", next_step="Check who owns it, and the disk."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
