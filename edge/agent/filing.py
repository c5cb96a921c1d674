"""Storing readings: as entries of the visit they belong to, or in the tray."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from edge.agent import payloads, view
from edge.agent.audience import Audience
from edge.agent.devicetalk import clock_off_s, flags_of, is_live, news_of, record_of
from edge.agent.display import Display
from edge.agent.ledger import Ledger
from edge.agent.refusals import SimulatedRefused, StoreLocked
from edge.agent.scored import append_scores
from edge.agent.visit import Visit
from edge.ports.caller import Answer, Call, Json
from edge.records.fields import Field, Kind, Payload, Source, Stream
from edge.records.identity import device_record
from edge.store.errors import StoreError
from edge.store.store import Store
from edge.store.transaction import Transaction
from edge.vitals.codes import Code
from edge.vitals.quantity import Measured
from edge.vitals.reading import Reading

_WHEN: Final = (Field.WALL_MS, Field.BOOT, Field.MONOTONIC_MS, Field.CLOCK_QUALITY)
_LOG: Final = logging.getLogger(__name__)


class Filing:
    """Writes readings into the journal."""

    def __init__(self, ledger: Ledger, audience: Audience, *, production: bool) -> None:
        self._ledger = ledger
        self._audience = audience
        self._production = production

    async def keep(
        self, device: str, display: Display, reading: Reading, encounter: bytes | None, visit: Visit | None
    ) -> bool:
        """Keep a reading that is of ``encounter``; whether it was stored. If not, screens are told so.

        ``visit`` is the one that is open, or None.
        """
        bound = visit if visit is not None and visit.encounter == encounter else None
        stamp = self._ledger.stamp_of(None if bound is None else bound.operator)

        def work(tx: Transaction, store: Store) -> None:
            self._append(tx, store, device, display, reading, stamp, encounter)

        try:
            await self._ledger.commit(work, what="reading", patient=None if bound is None else bound.patient)
        except StoreLocked:
            return False
        except (StoreError, SimulatedRefused) as error:
            if not display.failing:
                _LOG.warning("readings not saved", extra={"driver": device, "code": error.stable_code})
            display.failing = True
            news: Mapping[str, Json] = {
                "device": device,
                "code": error.stable_code,
                "sentence": error.sentence,
                "next": error.next_step,
            }
            self._audience.tell("not-saved", news)
            return False
        return True

    async def take(
        self, call: Call, device: str, display: Display, reading: Reading, visit: Visit | None
    ) -> Answer:
        """Store what a device shows, because a person asks for it: for the open visit, or in the tray.

        Raises:
            StoreError, SimulatedRefused: nothing was stored.
        """
        stamp = self._ledger.stamp(call)
        encounter = None if visit is None else visit.encounter

        def work(tx: Transaction, store: Store) -> Answer:
            self._append(tx, store, device, display, reading, stamp, encounter)
            return {"saved": view.identities(map(tx.identity, tx.appended))}

        patient = None if visit is None else visit.patient
        return await self._ledger.commit_once(call, work, what="reading", patient=patient)

    def _append(
        self,
        tx: Transaction,
        store: Store,
        device: str,
        display: Display,
        reading: Reading,
        stamp: Payload,
        encounter: bytes | None,
    ) -> None:
        """Append one reading's observations; to the tray unless that visit is open at this very moment."""
        if display.simulated and self._production:
            raise SimulatedRefused(
                "A simulated reading is not stored in production.",
                next_step="Remove the simulator from the configuration.",
            )
        named = record_of(reading)
        record = None if named is None else device_record(device, named)
        open_now = store.open_encounter()
        bound = open_now is not None and open_now.encounter == encounter and is_live(reading)
        patient = open_now.patient if bound and open_now is not None else None
        values = _new(store, reading, record)
        if not values:
            return
        stamp = stamp | {Field.MONOTONIC_MS: display.distinct_ms(int(str(stamp[Field.MONOTONIC_MS])))}
        number = tx.next_reading()
        self._append_identity(tx, store, device, display, reading, stamp)
        converted = {code: (value, unit) for code, value, unit in reading.converted}
        for code, value in values:
            entry = payloads.observation(
                code,
                value,
                Source.SIMULATED if display.simulated else Source.DEVICE,
                number,
                encounter=encounter if bound else None,
                as_given=converted.get(code),
                device=device,
                device_record=record,
                device_time=reading.at,
                clock_off_s=clock_off_s(reading),
                flags=flags_of(reading),
            )
            tx.append(Stream.VITALS, Kind.OBSERVATION, stamp | entry, patient=patient)
        if bound and open_now is not None:
            append_scores(tx, store, open_now, stamp)
        if reading.raw:
            tx.keep_raw(number, reading.raw, int(str(stamp[Field.WALL_MS])))

    @staticmethod
    def _append_identity(
        tx: Transaction, store: Store, device: str, display: Display, reading: Reading, stamp: Payload
    ) -> None:
        """Note what the device says of itself, when it is something else than is noted already."""
        noted = store.device_said(device)
        before = None if noted is None or noted.kind != display.kind else noted.identity
        news = news_of(before, reading.identity)
        if news is not None:
            when: Payload = {field: stamp[field] for field in _WHEN if field in stamp}
            tx.append(Stream.VITALS, Kind.DEVICE, when | payloads.device(device, display.kind, news))


def _new(store: Store, reading: Reading, record: bytes | None) -> Sequence[tuple[Code, Measured]]:
    """The values without those that the device has sent before."""
    return [
        (code, value)
        for code, value in reading.values
        if record is None or not store.has_device_record(record, code)
    ]
