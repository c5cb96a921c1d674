"""What holds on a unit: its own file, and over it what the centre names."""

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Final

from edge.config import central
from edge.config.central import CentreConfig
from edge.config.places import Places
from edge.config.reading import load
from edge.config.slots import Document, Slots
from edge.config.unit import UnitConfig
from edge.ports.configuration import ConfigurationKeeper, ConfigurationRefused, Settings, Standing
from edge.scoring import installed
from edge.scoring.tables import TableRefused

MOST_STARTS: Final = 3
"""An agent that begins so often under what is on trial, and never ends as it should, goes back."""


@dataclasses.dataclass(frozen=True, slots=True)
class Effective:
    """What holds.

    Attributes:
        config: all of it, as one configuration.
        centre: what the centre names, or None where it names nothing that can hold.
        document: where that stands.
        unfit: there is something of the centre's, and it does not go together with the unit's file.
    """

    config: UnitConfig
    centre: CentreConfig | None = None
    document: Document | None = None
    unfit: bool = False

    @property
    def tables(self) -> Mapping[str, str]:
        """Texts of the programme's own tables, by rule."""
        return {} if self.document is None else self.document.tables


def effective(places: Places) -> Effective:
    """What holds on a unit now.

    Raises:
        ConfigRefused: the unit's own file cannot be used.
    """
    return over(load(places.config), Slots(places.configuration).present())


def over(unit: UnitConfig, document: Document | None) -> Effective:
    """A unit's file with a document of the centre's over it; the file alone where that does not fit."""
    if document is None:
        return Effective(unit)
    try:
        config, centre = _fitting(unit, document.text, document.tables)
    except ConfigurationRefused:
        return Effective(unit, unfit=True)
    return Effective(config, centre, document)


def begin(places: Places) -> UnitConfig:
    """What holds for an agent that begins; what has made it fail on trial is left first.

    Raises:
        ConfigRefused: the unit's own file cannot be used.
    """
    unit, slots = load(places.config), Slots(places.configuration)
    with contextlib.suppress(OSError):  # a disk that takes nothing keeps no agent from beginning
        if slots.began() >= MOST_STARTS:
            slots.go_back("restarts")
        elif slots.state().on_trial and over(unit, slots.present()).centre is None:
            slots.go_back("unfit")
    found = over(unit, slots.present())
    with contextlib.suppress(TableRefused):  # an older program's table: the project's own holds
        installed.IN_FORCE.put(found.tables)
    return found.config


class UnitConfiguration(ConfigurationKeeper):
    """Keeps the centre's configurations beside what enrolment pinned.

    Args:
        places: of the unit.
        unit: its own file as it was when the agent began.
    """

    def __init__(self, places: Places, unit: UnitConfig) -> None:
        self._slots = Slots(places.configuration)
        self._unit = unit
        self._stamp: tuple[int, int] | None = None
        self._standing = Standing()
        self._settings: Settings | None = None

    def take(
        self, number: int, message: bytes, text: str, tables: Mapping[str, str], *, needs_receipt: bool
    ) -> None:
        present, state = self._slots.present(), self._slots.state()
        if present is not None and present.message == message.hex():
            return
        if number <= state.highest:
            raise ConfigurationRefused("A later one was here already.", code="older")
        _fitting(self._unit, text, tables)
        if present is not None:
            _check_versions(present.tables, tables)
        self._slots.try_out(Document(number, message.hex(), text, dict(tables)), needs_receipt=needs_receipt)

    def standing(self) -> Standing:
        self._look()
        return self._standing

    def settings(self) -> Settings:
        self._look()
        assert self._settings is not None  # noqa: S101  the first look made them
        return self._settings

    def _look(self) -> None:
        """Read what lies there, where it is another than at the last look."""
        stamp = self._slots.stamp()
        if stamp != self._stamp:
            self._standing, self._settings, self._stamp = self._read_standing(), self._read_settings(), stamp

    def _read_standing(self) -> Standing:
        state, present = self._slots.state(), self._slots.present()
        return Standing(
            number=0 if present is None else present.number,
            highest=state.highest,
            message=None if present is None else bytes.fromhex(present.message),
            on_trial=state.on_trial,
            needs_receipt=state.needs_receipt,
            reports=tuple((bytes.fromhex(message), outcome) for message, outcome in state.reports),
        )

    def _read_settings(self) -> Settings:
        """On trial nothing is kept for a shorter time than before: what is purged does not come back."""
        state, found = self._slots.state(), over(self._unit, self._slots.present())
        kept = [found.config.keeping]
        if state.on_trial:
            kept.append(over(self._unit, self._slots.document(state.former)).config.keeping)
        return Settings(
            values_days=max(each.values_days for each in kept),
            waves_days=max(each.waves_days for each in kept),
            frames_days=max(each.frames_days for each in kept),
            screen_lock_s=found.config.locks.screen_s,
            store_lock_s=found.config.locks.store_s,
            tables=found.tables,
        )

    def keep(self) -> None:
        self._slots.keep()

    def go_back(self, why: str) -> None:
        self._slots.go_back(why)

    def reported(self, message: bytes, outcome: str) -> None:
        self._slots.reported(message.hex(), outcome)

    def ended(self) -> None:
        self._slots.ended()


def _fitting(unit: UnitConfig, text: str, tables: Mapping[str, str]) -> tuple[UnitConfig, CentreConfig]:
    """What holds with a text of the centre's.

    Raises:
        ConfigurationRefused: it does not go together with the unit's file, or a table with its rule.
    """
    centre = central.examine(text)
    if isinstance(centre, list):
        raise ConfigurationRefused(centre[0].sentence, code="refused")
    if set(centre.tables) != set(tables):
        raise ConfigurationRefused("Not every table that it names is there.", code="refused")
    try:
        installed.check(tables)
        return central.merged(unit, centre), centre
    except TableRefused as refused:
        raise ConfigurationRefused(f"{refused}.", code="table-refused") from None
    except ValueError as error:
        raise ConfigurationRefused(str(error), code="refused") from None


def _check_versions(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """One version is one table: results carry no more than the version.

    Raises:
        ConfigurationRefused: a table has another's version and says something else.
    """
    for name in before.keys() & after.keys():
        was, is_ = installed.read(name, before[name]), installed.read(name, after[name])
        if was.version == is_.version and was != is_:
            raise ConfigurationRefused(
                f"{name}: version {was.version} was something else.", code="table-refused"
            )
