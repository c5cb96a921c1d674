"""Names of spool files: ``{priority}-{word}-{first}-{n}-{random}``, as ``2-vitals-101-200-9f0c…``.

The name says what the uplink has to know to choose what goes first; what it says is never believed:
the signed header inside is.
"""

import dataclasses
import re
from typing import Final

TEMPORARY_PREFIX: Final = ".tmp-"
RING_NAME: Final = "now"
"""Written anew when somebody asks the uplink to try at once."""
METRICS_NAME: Final = "metrics"
"""What the unit says of itself, as OpenMetrics text, where the uplink is to publish it."""
_SHAPE: Final = re.compile(r"([0-9])-([a-z]{1,12})-(0|[1-9][0-9]{0,18})-(0|[1-9][0-9]{0,5})-([0-9a-f]{16})")


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class SpoolName:
    """One file's name; sorts in order of sending.

    Attributes:
        priority: 0 goes first.
        word: a stream's word, or ``key``.
        first: sequence number of the first entry, 0 for a key message.
        n: how many entries, 0 for a key message.
        random: 16 hex digits.
    """

    priority: int
    first: int
    word: str = dataclasses.field(compare=True)
    n: int
    random: str

    def __str__(self) -> str:
        return f"{self.priority}-{self.word}-{self.first}-{self.n}-{self.random}"


def parse(name: str) -> SpoolName | None:
    """The parts of a name, or None when it is no spool file's."""
    match = _SHAPE.fullmatch(name)
    if match is None:
        return None
    priority, word, first, n, random = match.groups()
    return SpoolName(priority=int(priority), first=int(first), word=word, n=int(n), random=random)
