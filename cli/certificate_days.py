"""Until when the unit's certificate is good, as far as whoever asks may see it."""

from collections.abc import Callable
from typing import Final

from cli.doctor import papers
from edge.config import Places

DUE: Final = "certificate-due"
ENDED: Final = "certificate-ended"
_LOOK_AGAIN_S: Final = 300.0


class Certificate:
    """Looks at what enrolment installed and at what came over the link since; remembers it for minutes.

    Args:
        places: of the unit.
        monotonic_s: the box's clock.
    """

    def __init__(self, places: Places, monotonic_s: Callable[[], float]) -> None:
        self._places = places
        self._monotonic_s = monotonic_s
        self._looked_s: float | None = None
        self._until_ms: int | None = None
        self._warn_from_ms: int | None = None

    def __call__(self) -> int | None:
        """Its end in ms since 1970; None where there is none, or a newer one may lie out of sight."""
        self._look()
        return self._until_ms

    def note(self, wall_ms: int) -> list[str]:
        """The code for the status when it has ended or ends soon, by this time; else nothing."""
        self._look()
        if self._until_ms is None or self._warn_from_ms is None or wall_ms <= self._warn_from_ms:
            return []
        return [DUE if wall_ms < self._until_ms else ENDED]

    def _look(self) -> None:
        now_s = self._monotonic_s()
        if self._looked_s is None or now_s - self._looked_s >= _LOOK_AGAIN_S:
            seen = papers.look(self._places)
            known = seen.held if seen.visible else None
            self._until_ms = None if known is None else known.until_ms
            self._warn_from_ms = None if known is None else seen.warn_from_ms
            self._looked_s = now_s
