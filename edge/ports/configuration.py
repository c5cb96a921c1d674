"""The port through which settings of the centre's come to hold on this unit, on trial at first."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Protocol

from edge.errors import QafilaError


class ConfigurationRefused(QafilaError):
    """A configuration of the centre's does not come to hold; what holds stays as it is."""

    code: ClassVar[str] = "configuration-refused"


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What a running agent takes over without beginning anew.

    Attributes:
        values_days, waves_days, frames_days: how long what the centre has is kept here.
        screen_lock_s: how long a session lasts without a sign of a person.
        store_lock_s: how long the store stays open.
        tables: texts of a programme's own tables, by rule.
    """

    values_days: int
    waves_days: int
    frames_days: int
    screen_lock_s: float
    store_lock_s: float
    tables: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """What holds of the centre's.

    Attributes:
        number: of the configuration that holds, 0 when none does.
        highest: of all that were ever here; 0 where none was, or nobody knows any more.
        message: the message that brought it, or None.
        on_trial: whether it may still be left again.
        needs_receipt: whether the link worked when it came, so that it has to work afterwards.
        reports: what the centre has not been told yet: message, and ``applied`` or why it was left.
    """

    number: int = 0
    highest: int = 0
    message: bytes | None = None
    on_trial: bool = False
    needs_receipt: bool = False
    reports: tuple[tuple[bytes, str], ...] = ()


class ConfigurationKeeper(Protocol):
    """Keeps two of the centre's configurations: the one that holds, and the one to go back to."""

    def take(
        self, number: int, message: bytes, text: str, tables: Mapping[str, str], *, needs_receipt: bool
    ) -> None:
        """Check a configuration and have it hold, on trial; the same message again changes nothing.

        Raises:
            ConfigurationRefused: ``older`` than one that was here, ``refused``, ``table-refused``.
            OSError: the disk does not take it.
        """
        ...

    def standing(self) -> Standing:
        """What holds now."""
        ...

    def settings(self) -> Settings:
        """What the agent takes over now."""
        ...

    def keep(self) -> None:
        """The trial was passed."""
        ...

    def go_back(self, why: str) -> None:
        """Have the one before hold again, or none."""
        ...

    def reported(self, message: bytes, outcome: str) -> None:
        """The centre is being told of this."""
        ...

    def ended(self) -> None:
        """The agent ends as it should: it did not fail under what is on trial."""
        ...
