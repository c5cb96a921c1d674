"""Reading ``unit.toml``: which line is wrong, and what was probably meant."""

import tomllib
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from edge.config import mistakes
from edge.config.mistakes import Mistake
from edge.config.refusals import ConfigMissing, ConfigRefused
from edge.config.unit import UnitConfig

_MOST_BYTES: Final = 1_000_000


def load(path: Path) -> UnitConfig:
    """Read and check ``unit.toml``.

    Raises:
        ConfigMissing: there is none.
        ConfigRefused: it is no TOML, a key is unknown or missing, or a value is not allowed.
    """
    found = examine(read_text(path))
    if isinstance(found, UnitConfig):
        return found
    first = found[0]
    at = f"{path}, line {first.line}" if first.line else str(path)
    raise ConfigRefused(f"{at}: {first.sentence}", next_step=first.next_step)


def examine(text: str) -> UnitConfig | list[Mistake]:
    """The configuration that a text is, or everything that is wrong with it, what to mend first at first."""
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return [mistakes.in_the_form(text, error)]
    try:
        return UnitConfig.model_validate(raw)
    except ValidationError as error:
        return mistakes.in_the_values(text, UnitConfig, error.errors(include_url=False))


def read_text(path: Path) -> str:
    """The text of a configuration.

    Raises:
        ConfigMissing: there is none.
        ConfigRefused: it cannot be read, is no text, or is far too long.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        text = raw.decode("utf-8")
    except FileNotFoundError as error:
        raise ConfigMissing(
            f"There is no configuration at {path}.",
            next_step="Make the unit with `qafila unit init`, or name its directory with --home.",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigRefused(
            f"The configuration at {path} cannot be read.",
            next_step="Check that it is a readable text file (UTF-8).",
        ) from error
    if len(raw) > _MOST_BYTES:
        raise ConfigRefused(
            f"{path} is longer than a megabyte: it is no configuration.",
            next_step="Put the right file there.",
        )
    return text
