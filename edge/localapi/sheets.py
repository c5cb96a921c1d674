"""What `visit.sheet` answers: the facts of the sheet of paper that a patient takes home."""

from edge.localapi.exported import RecordExported, VisitExported
from edge.localapi.shapes import Message


class EarlierVisit(Message):
    """The last value of each sort in a visit before, as decimal text by code."""

    opened_ms: int
    values: dict[str, str]


class StripShown(Message):
    """Ten seconds of one lead, as the device counted: ``step`` of ``unit`` is one count.

    ``wall_ms``: when its first sample was taken, where that is known. Before each index of ``gaps`` samples
    were lost, for about so many milliseconds; ``flaws``: ``[first, count]`` of samples that mean nothing.
    """

    device: str
    source: str
    lead: str
    unit: str
    step: str
    rate: str
    wall_ms: int | None
    gaps: tuple[tuple[int, int], ...]
    flaws: tuple[tuple[int, int], ...]
    samples: tuple[int, ...]


class Sheet(Message):
    """A visit, whose it is, what was measured before, and a strip of ECG if there is one.

    ``earlier_at_centre``: there were visits before whose values are kept at the centre only.
    """

    unit: str
    realm: str
    made_ms: int
    made_by: str
    record: RecordExported
    visit: VisitExported
    earlier: tuple[EarlierVisit, ...]
    earlier_at_centre: bool
    strip: StripShown | None
