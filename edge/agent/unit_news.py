"""What is known of the unit itself, told when it changes: whoever looks at a screen does not have to ask."""

from edge.agent import view
from edge.agent.audience import Audience
from edge.agent.ledger import Ledger
from edge.agent.whereabouts import OFF_BY_MS
from edge.clock import Clock
from edge.ports.caller import Json


class UnitNews:
    """Compares what is so with what was told last; looked at with every heartbeat."""

    def __init__(self, ledger: Ledger, audience: Audience, clock: Clock) -> None:
        self._ledger = ledger
        self._audience = audience
        self._clock = clock
        self._told: Json = None

    def look(self) -> None:
        """Tell what has changed, if something has."""
        now = self._ledger.now()
        off_ms = self._ledger.better_clock.off_ms(now.boot)
        where = view.place(self._ledger.whereabouts.now(self._clock.monotonic_s()))
        quality = now.quality.name.lower()
        # A receiver's word comes up to a second late: what is within that is no news.
        steps = None if off_ms is None else round(off_ms / OFF_BY_MS)
        news: Json = [quality, steps, where]
        if news == self._told:
            return
        self._told = news
        clock: dict[str, Json] = {"wall_ms": now.wall_ms, "quality": quality, "off_ms": off_ms}
        self._audience.tell("unit", {"clock": clock, "place": where})
