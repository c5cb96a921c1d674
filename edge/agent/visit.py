"""The visit that is open."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Visit:
    """The open visit that readings and waves are bound to, and who opened it."""

    encounter: bytes
    patient: bytes
    operator: str
