"""Recordings: looking at one."""

import math
import uuid
from typing import Final

from edge.agent import view
from edge.agent.ledger import Ledger
from edge.agent.refusals import Unknown
from edge.ports.caller import Answer, Call
from edge.signals.recording import CHUNK_S
from edge.store.store import Store

SAMPLES_AT_ONCE: Final = 65_536
"""In one answer, which has to fit into a line: what the fullest chunk ever held."""


class WaveCommands:
    """Commands on recordings; the samples are patients' data."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def read(self, call: Call, *, waveform: uuid.UUID, first: int) -> Answer:
        """Some chunks of a recording; who looked is committed before they are given out.

        Raises:
            Unknown: there is no such recording.
            StoreDamaged: a chunk is not what was saved; the others can be read.
        """

        def look(store: Store) -> tuple[bytes, Answer]:
            found = store.waveform(waveform.bytes)
            if found is None:
                raise Unknown(
                    "There is no such recording.", next_step="Look at the visit again.", code="no-waveform"
                )
            largest = max(1, len(found.leads) * math.ceil(CHUNK_S * found.rate))
            chunks = store.waveform_chunks(waveform.bytes, first, max(1, SAMPLES_AT_ONCE // largest))
            last = chunks[-1].number if chunks else first
            progress = self._ledger.progress(store)
            return found.patient, {
                "waveform": view.recording(found, store.chunk_places(waveform.bytes), progress),
                "encounter": view.uuid_text(found.encounter),
                "patient": view.uuid_text(found.patient),
                "chunks": [view.chunk(each) for each in chunks],
                "more": last < found.chunks,
            }

        _, answer = await self._ledger.read_audited(call, look, lambda seen: [seen[0]])
        return answer
