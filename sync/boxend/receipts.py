"""Reads what claims to be a receipt for this unit."""

from collections.abc import Callable

from edge.ports.sealing import Receipt, ReceiptReader
from sync.wire import receipts
from sync.wire.keyset import Keyset


class BoxReceiptReader(ReceiptReader):
    """Checks receipts with the pinned keyset; public keys only.

    Args:
        now_ms: the time by which the keys' validity is judged, or None while nobody can be sure of it.

    Raises:
        ValueError: the keyset is of another realm than the unit.
    """

    def __init__(
        self, unit: str, realm: str, keyset: Keyset, now_ms: Callable[[], int | None] = lambda: None
    ) -> None:
        if keyset.realm != realm:
            raise ValueError("the keyset is of the other realm")
        self._unit = unit
        self._keyset = keyset
        self._now_ms = now_ms

    def read(self, raw: bytes) -> Receipt:
        return receipts.verify(raw, self._keyset, self._unit, self._now_ms())
