"""Reading ``unit.toml``: which line is wrong, and what was probably meant."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge.config.refusals import ConfigMissing, ConfigRefused
from edge.config.unit import UnitConfig


def load(path: Path) -> UnitConfig:
    """Read and check ``unit.toml``.

    Raises:
        ConfigMissing: there is none.
        ConfigRefused: it is no TOML, a key is unknown or missing, or a value is not allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigMissing(
            f"There is no configuration at {path}.",
            next_step="Make the unit with `qafila unit init`, or name its directory with --home.",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigRefused(
            f"The configuration at {path} cannot be read.", next_step="Check that it is a readable text file."
        ) from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigRefused(f"{path} is not TOML: {error}.", next_step="Correct that line.") from error
    try:
        return UnitConfig.model_validate(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        # A misspelt key is a missing one too; its spelling is what helps.
        first = min(found, key=lambda each: each["type"] != "extra_forbidden")
        raise _refused(path, text, first["loc"], first["type"], first["msg"]) from error


def _refused(path: Path, text: str, where: tuple[int | str, ...], kind: str, message: str) -> ConfigRefused:
    name = ".".join(str(part) for part in where)
    line = _line_of(text, where)
    at = f"{path}, line {line}" if line else str(path)
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(where[-1]), _known_keys(where[:-1]), n=1, cutoff=0.5)
        return ConfigRefused(
            f"{at}: the key `{name}` is unknown.",
            next_step=f"Did you mean `{near[0]}`?" if near else "Remove it.",
        )
    if kind == "missing":
        return ConfigRefused(f"{at}: the key `{name}` is missing.", next_step="Add it.")
    reason = message.removeprefix("Value error, ")
    subject = f"`{name}`: {reason}" if name else reason
    return ConfigRefused(f"{at}: {subject}.", next_step="Correct the value.")


def _known_keys(section: tuple[int | str, ...]) -> list[str]:
    """The keys allowed in a section, followed through the models."""
    model: Any = UnitConfig
    for part in section:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        arguments = getattr(annotation, "__args__", ())
        model = arguments[0] if arguments else annotation
    return list(model.model_fields)


def _line_of(text: str, where: tuple[int | str, ...]) -> int | None:
    """The line that names the last key of ``where``, as far as a look at the text can tell."""
    names = [part for part in where if isinstance(part, str)]
    nth = next((part for part in where if isinstance(part, int)), 0)
    if not names:
        return None
    header = re.compile(rf"^\s*\[\[?\s*{re.escape(names[0])}\s*\]\]?")
    starts = [number for number, line in enumerate(text.splitlines(), 1) if header.match(line)]
    if len(names) == 1:
        return starts[0] if starts else _find_key(text, names[0], 0)
    if nth >= len(starts):
        return None
    return _find_key(text, names[-1], starts[nth]) or starts[nth]


def _find_key(text: str, key: str, after: int) -> int | None:
    pattern = re.compile(rf"^\s*\"?{re.escape(key)}\"?\s*=")
    for number, line in enumerate(text.splitlines(), 1):
        if number > after and pattern.match(line):
            return number
        if number > after and after and line.lstrip().startswith("["):
            return None
    return None
