"""How a configuration fails."""

from typing import ClassVar

from edge.errors import QafilaError


class ConfigRefused(QafilaError):
    """The configuration cannot be used as it stands; a person corrects the named key."""

    code: ClassVar[str] = "config-refused"


class ConfigMissing(ConfigRefused):
    """There is no configuration where one is expected: the unit has not been initialised here."""

    code: ClassVar[str] = "config-missing"
