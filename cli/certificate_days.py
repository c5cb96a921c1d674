"""Until when the unit's certificate is good, as far as whoever asks may see it."""

from collections.abc import Callable
from typing import Final

from cli.doctor import papers
from edge.config import Places

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

    def __call__(self) -> int | None:
        """Its end in ms since 1970; None where there is none, or a newer one may lie out of sight."""
        now_s = self._monotonic_s()
        if self._looked_s is None or now_s - self._looked_s >= _LOOK_AGAIN_S:
            seen = papers.look(self._places)
            self._until_ms = seen.held.until_ms if seen.held is not None and seen.visible else None
            self._looked_s = now_s
        return self._until_ms
