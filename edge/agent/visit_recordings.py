"""A visit's recordings as answers show them, and how far the samples of each have come."""

from collections.abc import Mapping

from edge.agent import view
from edge.agent.states import Progress
from edge.ports.caller import Json
from edge.records.fields import Stream
from edge.store.store import Store


def recordings_of(
    store: Store, encounter: bytes, progress: Mapping[Stream, Progress] | None = None
) -> list[Json]:
    """In the order in which they began; without ``progress`` by receipts alone."""
    by = progress or {
        stream: Progress(mark.tip, mark.landed, mark.opened, mark.stopped)
        for stream, mark in store.watermarks().items()
    }
    return [
        view.recording(each, store.chunk_places(each.waveform), by) for each in store.waveforms_of(encounter)
    ]
