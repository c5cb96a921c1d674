"""Reads a configuration for units at the centre: as the unit would check it, with the tables it names."""

from pathlib import Path
from typing import ClassVar, Final

from cli.files import read_text
from edge.config import UnitConfig, central
from edge.config.mistakes import line_of
from edge.config.reading import read_text as read_configuration
from edge.errors import QafilaError
from edge.scoring import installed
from edge.scoring.tables import TableRefused

_LONGEST_TABLE: Final = installed.MAX_CHARACTERS


class ConfigurationNotSent(QafilaError):
    """The file cannot be sent as it stands; nothing was."""

    code: ClassVar[str] = "configuration-refused"


def read(file: Path, unit: str, realm: str) -> tuple[str, dict[str, str]]:
    """The text of a configuration, and those of its tables by rule; their files lie beside it.

    Raises:
        ConfigurationNotSent: a unit of this realm would refuse it; the sentence says why and in which line.
        ConfigMissing, ConfigRefused: there is no such text file.
    """
    text = read_configuration(file)
    found = central.examine(text)
    if isinstance(found, list):
        first = found[0]
        at = f"{file}, line {first.line}" if first.line else str(file)
        raise ConfigurationNotSent(f"{at}: {first.sentence}", next_step=first.next_step)
    if not found.model_fields_set:
        raise ConfigurationNotSent(
            f"{file} sets nothing.", next_step="Write at least one section; docs/reference/configuration.md."
        )
    try:
        central.merged(UnitConfig.model_validate({"unit": {"id": unit, "realm": realm}}), found)
    except ValueError as error:
        raise ConfigurationNotSent(
            f"{file}: {_reason(error)}.", next_step=f"Correct it: {unit} is of the {realm} realm."
        ) from None
    tables: dict[str, str] = {}
    for name, beside in found.tables.items():
        tables[name] = read_text(file.parent / beside)
        try:
            installed.check({name: tables[name]})
        except TableRefused as refused:
            line = line_of(text, ("tables", name))
            raise ConfigurationNotSent(
                f"{file}, line {line}: the table {beside} for {refused}.",
                next_step="Correct the table; docs/reference/clinical.md says how one is written.",
                code="table-refused",
            ) from None
    return text, tables


def _reason(error: ValueError) -> str:
    """The first of a model's reasons, or the error's own."""
    errors = getattr(error, "errors", None)
    text = str(error) if errors is None else str(errors(include_url=False, include_input=False)[0]["msg"])
    return text.removeprefix("Value error, ")
