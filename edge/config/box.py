"""The unit itself: which it is, what opens its store, when it locks, how its clock is trusted."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from edge.config.section import Section
from edge.i18n.catalogue import LANGUAGES

UNIT_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{1,30}$"
_LONGEST_SCREEN_S: Final = 120
_LONGEST_STORE_S: Final = 900


class UnitSection(Section):
    """Which unit this is."""

    id: Annotated[str, Field(pattern=UNIT_PATTERN, description="the unit's name, as the centre knows it")]
    realm: Annotated[
        Literal["production", "training"], Field(description="fixed when the unit is made; never mixes")
    ]


class SecuritySection(Section):
    """What opens the store beside a person."""

    device_secret: Annotated[
        str, Field(description="the device-secret file; relative to the home directory")
    ] = "media/device.secret"  # noqa: S105  a path, not a secret
    device_secret_copy: Annotated[
        str | None,
        Field(description="its second copy, on a medium that is kept elsewhere and put in once a month"),
    ] = None
    device_secret_credential: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9_.-]{1,64}$",
            description="the systemd credential that holds it, asked before any file",
        ),
    ] = None
    device_secret_helper: Annotated[
        tuple[str, ...],
        Field(max_length=16, description="a command of root's that prints it, asked before any file"),
    ] = ()


class LocksSection(Section):
    """When nobody is there."""

    screen_s: Annotated[
        int,
        Field(
            ge=10,
            le=86_400,
            description="seconds without a sign of a person until a session asks for the PIN again;"
            " more than 120 in training only",
        ),
    ] = _LONGEST_SCREEN_S
    store_s: Annotated[
        int,
        Field(
            ge=60,
            le=86_400,
            description="seconds without visit, measurement and request until the store locks;"
            " more than 900 in training only",
        ),
    ] = _LONGEST_STORE_S

    def check_production(self) -> None:
        """Refuse what only an exercise may have."""
        if self.screen_s > _LONGEST_SCREEN_S or self.store_s > _LONGEST_STORE_S:
            raise ValueError("locks later than 120 s and 900 s belong to the training realm")


class ClockSection(Section):
    """How far the machine's clock is trusted."""

    quality: Annotated[
        Literal["none", "operator", "rtc", "ntp", "gnss", "centre"],
        Field(description="where the machine's wall time comes from"),
    ] = "none"
    scale: Annotated[
        float,
        Field(gt=0, le=10_000, description="seconds of wall time in a second; other than 1 in training"),
    ] = 1.0


def _known_language(language: str) -> str:
    if language not in LANGUAGES:
        raise ValueError(f"there is no {language!r}; choose one of {', '.join(LANGUAGES)}")
    return language


class ScreenSection(Section):
    """The nurse's screen."""

    language: Annotated[
        str,
        AfterValidator(_known_language),
        Field(description="in which language it begins, where `--language` and QAFILA_LANGUAGE say nothing"),
    ] = "fr"
    arabic: Annotated[
        Literal["shape", "raw"],
        Field(
            description="who joins Arabic letters and puts them in order: the screen (`shape`),"
            " or a terminal that does it itself (`raw`)"
        ),
    ] = "shape"


class SocketSection(Section):
    """Who may speak to the agent."""

    refuse: Annotated[tuple[str, ...], Field(description="users whose connections are refused, by name")] = (
        "qafila-uplink",
    )
    group: Annotated[
        str | None, Field(description="group that owns the socket; unset keeps the agent's own")
    ] = None
