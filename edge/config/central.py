"""What the centre may set on its units: nothing that only the unit can know, such as its devices and keys."""

import tomllib
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError

from edge.config import mistakes
from edge.config.box import LocksSection, ScreenSection
from edge.config.journal import KeepingSection, LinkSection, SealSection
from edge.config.mistakes import Mistake
from edge.config.section import Section
from edge.config.unit import UnitConfig

SECTIONS: Final = ("locks", "seal", "link", "keeping", "screen")
"""Sections of ``unit.toml`` whose keys the centre may set; what it names holds in the place of the file's."""


class BrokerSection(Section):
    """A broker that is tried before those of the unit's enrolment."""

    host: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9.:-]{1,253}$", description="its name or address; its certificate's too"),
    ]
    port: Annotated[int, Field(ge=1, le=65_535, description="where it listens")] = 8883
    tls: Annotated[bool, Field(description="false in training only")] = True


class CentreConfig(Section):
    """A configuration of the centre's."""

    locks: LocksSection = LocksSection()
    seal: SealSection = SealSection()
    link: LinkSection = LinkSection()
    keeping: KeepingSection = KeepingSection()
    screen: ScreenSection = ScreenSection()
    broker: Annotated[tuple[BrokerSection, ...], Field(max_length=8)] = ()
    tables: Annotated[
        dict[str, str],
        Field(
            max_length=32, description="for a rule, the file beside this one with the table that holds for it"
        ),
    ] = {}  # noqa: RUF012  pydantic copies a default; ruff sees no model behind `Section`


def examine(text: str) -> CentreConfig | list[Mistake]:
    """The configuration that a text is, or everything that is wrong with it."""
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return [mistakes.in_the_form(text, error)]
    try:
        return CentreConfig.model_validate(raw)
    except ValidationError as error:
        return mistakes.in_the_values(text, CentreConfig, error.errors(include_url=False))


def merged(unit: UnitConfig, centre: CentreConfig) -> UnitConfig:
    """A unit's configuration with what the centre names in the place of its own.

    Raises:
        ValueError: they do not go together, such as long locks in the production realm.
    """
    if unit.unit.realm == "production" and not all(each.tls for each in centre.broker):
        raise ValueError("a broker without TLS belongs to the training realm")
    raw: dict[str, Any] = unit.model_dump(exclude_unset=True)
    said: dict[str, Any] = centre.model_dump(exclude_unset=True, include=set(SECTIONS))
    for section, keys in said.items():
        raw[section] = raw.get(section, {}) | keys
    return UnitConfig.model_validate(raw)
