"""Adding a device to unit.toml and taking one out: comments stay, and the file is whole at every moment.

The text is changed, not written anew from what was read: it is a person's file. Every change is checked as
the agent would check it before it takes the place of the old file, in one rename.
"""

import contextlib
import json
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import ClassVar, Final

from edge.config import DeviceSection, Places, UnitConfig, load
from edge.errors import QafilaError

_TABLE: Final = re.compile(r"^\s*\[")
_DEVICE: Final = re.compile(r"^\s*\[\[\s*device\s*\]\]\s*(#.*)?$")
_NEW: Final = ".new"


class NotWritten(QafilaError):
    """unit.toml is as it was."""

    code: ClassVar[str] = "config-not-written"


def with_device(text: str, device: DeviceSection) -> str:
    """The text with one more device at its end.

    Raises:
        NotWritten: it would not be a configuration that an agent takes.
    """
    changed = f"{text.rstrip()}\n\n{block(device)}"
    try:
        config = UnitConfig.model_validate(tomllib.loads(changed))
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise NotWritten(
            f"The device {device.key} cannot be added to unit.toml: {_first_reason(error)}.",
            next_step="correct that in unit.toml, or give another key, kind or port.",
        ) from None
    if device not in config.device:
        raise _by_hand(f"The device {device.key} cannot be added to unit.toml.", block(device))
    return changed


def without_device(text: str, key: str) -> str:
    """The text without this device; what is written above another block stays with that.

    Raises:
        NotWritten: it cannot be taken out without touching something else.
    """
    lines = text.splitlines(keepends=True)
    for start in [number for number, line in enumerate(lines) if _DEVICE.match(line)]:
        end = next((n for n in range(start + 1, len(lines)) if _TABLE.match(lines[n])), len(lines))
        while end > start + 1 and end < len(lines) and _is_aside(lines[end - 1]):
            end -= 1  # blank lines and comments before the next block belong to that
        if _key_of("".join(lines[start:end])) == key:
            above, below = "".join(lines[:start]).rstrip(), "".join(lines[end:]).strip("\n")
            changed = f"{above}\n\n{below.rstrip()}\n" if below else f"{above}\n"
            break
    else:
        raise _by_hand(f"The block of {key} was not found in unit.toml.")
    before, after = tomllib.loads(text), tomllib.loads(changed)
    before["device"] = [each for each in before["device"] if each.get("key") != key]
    if before != {"device": [], **after}:
        raise _by_hand(f"The device {key} cannot be taken out of unit.toml by itself.")
    return changed


def block(device: DeviceSection) -> str:
    """What unit.toml says of a device."""
    lines = [
        "[[device]]",
        f"key = {_quoted(device.key)}",
        f"kind = {_quoted(device.kind)}",
        f"port = {_quoted(device.port)}",
    ]
    if device.simulated:
        lines.append("simulated = true")
    if device.options:
        said = ", ".join(f"{_quoted(name)} = {_quoted(value)}" for name, value in device.options.items())
        lines.append(f"options = {{ {said} }}")
    return "\n".join(lines) + "\n"


def add(places: Places, device: DeviceSection) -> None:
    """Write a device into unit.toml, durably.

    Raises:
        NotWritten: the file is as it was; the next step says what to write by hand.
    """
    replace_text(places.config, with_device(_read(places.config), device), device)


def remove(places: Places, key: str) -> None:
    """Take a device out of unit.toml, durably.

    Raises:
        NotWritten: the file is as it was.
    """
    replace_text(places.config, without_device(_read(places.config), key), None)


def check(places: Places, device: DeviceSection) -> None:
    """Whether a device can be added, before anybody walks to it.

    Raises:
        NotWritten: it could not.
    """
    with_device(_read(places.config), device)
    if not os.access(places.config.parent, os.W_OK):
        raise _no_access(places.config, device)


def configured(places: Places, key: str) -> DeviceSection | None:
    """What unit.toml says of a device now, or None."""
    return next((each for each in load(places.config).device if each.key == key), None)


def replace_text(path: Path, text: str, device: DeviceSection | None) -> None:
    """Put the text there: a new file, on the disk, then in the old one's place with its owner and mode."""
    path = path.resolve()
    new = path.with_name(path.name + _NEW)
    try:
        old = path.stat()
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), old.st_uid, old.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise _no_access(path, device) from None
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise NotWritten(
            f"{path} cannot be read.", next_step="check that it is a readable text file."
        ) from None


def _quoted(text: str) -> str:
    """A basic string of TOML: a JSON string is one, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _is_aside(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _key_of(text: str) -> str | None:
    try:
        [device] = tomllib.loads(text)["device"]
    except (tomllib.TOMLDecodeError, KeyError, ValueError):
        return None
    key = device.get("key")
    return key if isinstance(key, str) else None


def _first_reason(error: Exception) -> str:
    errors = getattr(error, "errors", None)
    if errors is None:
        return "the file is not TOML"
    return str(errors(include_url=False, include_input=False)[0]["msg"]).removeprefix("Value error, ")


def _no_access(path: Path, device: DeviceSection | None) -> NotWritten:
    by_hand = "" if device is None else f" The block to add: {_in_one_line(device)}."
    return NotWritten(
        f"{path} cannot be written by this user, or the disk takes nothing.",
        next_step=f"do it again as the user who owns it, often root.{by_hand}",
    )


def _by_hand(sentence: str, text: str = "") -> NotWritten:
    return NotWritten(
        sentence, next_step="change unit.toml by hand." + (f" The block: {text!r}" if text else "")
    )


def _in_one_line(device: DeviceSection) -> str:
    return block(device).strip().replace("\n", " | ")
