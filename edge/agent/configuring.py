"""Configurations of the centre's: taken, tried, kept or left again, and the centre told. Capture never waits.

::

    [configure, number, text, [[rule, table], …]]

The number rises; what is as old as one that was here is not taken. What has come holds at once, on trial.
After half a minute, when the uplink has it too, the unit says that it tries it; once the centre has landed
that, the link works with it and it stays. Where the link worked before and that does not come within ten
minutes in which the store is open, what held before holds again by itself, and the centre is told why. It is
left as well when the agent fails under it (`edge.config.keeper`). Where there was no link before there is
nothing that can have got worse, so it stays.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, cast

from edge import cbor
from edge.agent import payloads
from edge.agent.commit import OpenStore
from edge.agent.down import Arrival, Downs, Taken, Unfit, fields, number_of, text_of
from edge.agent.keeping import Keeper
from edge.agent.locks import Locks
from edge.agent.parts import Pace, Periods
from edge.cbor import Value
from edge.clock import Moment
from edge.ports.configuration import ConfigurationKeeper, ConfigurationRefused, Settings, Standing
from edge.records.fields import Kind, Stream
from edge.scoring.installed import IN_FORCE
from edge.scoring.tables import TableRefused
from edge.store.store import Store

CONFIG: Final = "config"
"""The use of the key that signs it."""
CONFIGURE: Final = "configure"
ON_TRIAL: Final = "on-trial"
NO_RECEIPT: Final = "no-receipt"
MAX_TEXT: Final = 32_000
MAX_TABLES: Final = 32
_MAX_TABLE: Final = 60_000
_LONGEST_LOOK_S: Final = 5.0
"""What counts between two looks: while the machine slept nothing could come."""
_LOG: Final = logging.getLogger(__name__)


class Configuring:
    """Sees to what the centre configures; what says nothing else runs in the store's thread.

    Args:
        keeper: keeps them; None where none are taken.
        link_is_up: whether the link works now.
        pace: ``trial_s``, how long the store is open until a trial ends; ``probe_s``, until the uplink has
            begun anew with what it is to do.
    """

    def __init__(
        self, keeper: ConfigurationKeeper | None, link_is_up: Callable[[], bool], pace: Pace
    ) -> None:
        self._keeper = keeper
        self._link_is_up = link_is_up
        self._pace = pace
        self._looked_back = False
        self._tried: bytes | None = None
        self._open_s = 0.0
        self._looked_s = 0.0
        self._probe: tuple[bytes, int] | None = None
        self._settings: Settings | None = None

    def register(self, downs: Downs) -> None:
        """Have the kind understood."""
        if self._keeper is not None:
            downs.on(CONFIGURE, CONFIG, self._configure)

    def look(self, opened: OpenStore, moment: Moment, now_s: float) -> None:
        """Go on with a trial, and tell the centre what has become of others.

        Raises:
            StoreError, OSError: it is tried again at the next look.
        """
        if self._keeper is None:
            return
        self._look_back(self._keeper, opened.store)
        standing = self._keeper.standing()
        for message, outcome in standing.reports:
            _say(opened, message, outcome, moment)
            self._keeper.reported(message, outcome)
        if standing.on_trial:
            self._go_on(self._keeper, standing, opened, moment, now_s)

    async def take_over(self, keeper: Keeper, locks: Locks) -> None:
        """Have what is configured now hold in what runs. In the event loop."""
        if self._keeper is None:
            return
        settings = await asyncio.to_thread(self._keeper.settings)
        if settings == self._settings:
            return
        self._settings = settings
        keeper.keep_for(Periods(settings.values_days, settings.waves_days, settings.frames_days))
        locks.screen_s, locks.store_s = settings.screen_lock_s, settings.store_lock_s
        try:
            IN_FORCE.put(settings.tables)
        except TableRefused:  # they were checked when they came, perhaps by another version of this program
            _LOG.warning("the programme's tables do not hold", extra={"code": "table-refused"})

    async def ended(self) -> None:
        """The agent ends as it should. In the event loop."""
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.ended)

    def _look_back(self, keeper: ConfigurationKeeper, store: Store) -> None:
        """Where what lay beside the store is lost, as on another card, try the last one of the store's anew.

        The centre does not send it again: the store says that it came.
        """
        if self._looked_back:
            return
        self._looked_back = True
        last = next(iter(store.messages((CONFIGURE,), 1)), None)
        if keeper.standing().highest or last is None or last.content is None:
            return
        _, number, text, tables, *_ = cast("Sequence[Value]", cbor.decode(last.content))
        try:
            keeper.take(
                number_of(number),
                last.message,
                text_of(text, MAX_TEXT),
                _tables(tables),
                needs_receipt=self._link_is_up(),
            )
        except ConfigurationRefused as refused:
            _LOG.warning("the last configuration does not hold", extra={"code": refused.stable_code})

    def _go_on(
        self, keeper: ConfigurationKeeper, standing: Standing, opened: OpenStore, moment: Moment, now_s: float
    ) -> None:
        if standing.message is None:
            keeper.go_back("damaged")
            return
        if standing.message != self._tried:
            self._tried, self._open_s, self._probe = standing.message, 0.0, None
            self._looked_s = now_s
        self._open_s += min(now_s - self._looked_s, _LONGEST_LOOK_S)
        self._looked_s = now_s
        if self._probe is not None and _has_landed(opened.store, self._probe):
            keeper.keep()
            _LOG.info("configuration kept", extra={"number": standing.number})
        elif self._open_s >= self._pace.trial_s and standing.needs_receipt:
            keeper.go_back(NO_RECEIPT)
            _LOG.warning("configuration left", extra={"number": standing.number, "code": NO_RECEIPT})
        elif self._open_s >= self._pace.trial_s:
            keeper.keep()
            _LOG.info("configuration kept without a link", extra={"number": standing.number})
        elif self._open_s >= self._pace.probe_s and not self._is_of(opened.store):
            seq = _say(opened, standing.message, ON_TRIAL, moment)
            self._probe = (opened.store.epoch, seq)

    def _is_of(self, store: Store) -> bool:
        return self._probe is not None and self._probe[0] == store.epoch

    def _configure(self, arrival: Arrival) -> Taken:
        number, text, tables = fields(arrival.down, 3)[:3]
        assert self._keeper is not None  # noqa: S101  else the kind is not registered
        if number_of(number) <= _highest(arrival.store):
            raise Unfit("older")
        try:
            self._keeper.take(
                number_of(number),
                arrival.down.message,
                text_of(text, MAX_TEXT),
                _tables(tables),
                needs_receipt=self._link_is_up(),
            )
        except ConfigurationRefused as refused:
            raise Unfit(refused.stable_code) from None
        return Taken()


def _say(opened: OpenStore, message: bytes, outcome: str, moment: Moment) -> int:
    """Write an entry that tells the centre; its number."""
    entry = payloads.stamp(moment, None) | payloads.configured(message, outcome)
    return opened.commit(lambda tx: tx.append(Stream.VITALS, Kind.CONFIGURED, entry)).result.seq


def _has_landed(store: Store, place: tuple[bytes, int]) -> bool:
    epoch, seq = place
    return store.epoch == epoch and store.watermark(Stream.VITALS).landed >= seq


def _highest(store: Store) -> int:
    """The number of the last one that the store says was taken; what lies beside it may have been lost."""
    found = [each.content for each in store.messages((CONFIGURE,), 20) if each.content is not None]
    numbers: list[int] = []
    for content in found:
        match cbor.decode(content):
            case [str(), int(number), *_]:
                numbers.append(number)
            case _:
                pass  # not of our making
    return max(numbers, default=0)


def _tables(value: Value) -> dict[str, str]:
    if not isinstance(value, list) or len(value) > MAX_TABLES:
        raise Unfit("form")
    found: dict[str, str] = {}
    for pair in value:
        match pair:
            case [name, text]:
                found[text_of(name, 40)] = text_of(text, _MAX_TABLE)
            case _:
                raise Unfit("form")
    return found
