"""Reads what claims to be orders for this unit."""

from edge.ports.orders import ErasureOrder, OrderReader, OrderRefused
from sync.wire import orders
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Keyset


class BoxOrderReader(OrderReader):
    """Checks orders with the pinned keyset, and opens them with the key it is handed."""

    def __init__(self, unit: str, keyset: Keyset) -> None:
        self._unit = unit
        self._keyset = keyset

    def read(self, raw: bytes, recv_private: bytes) -> tuple[ErasureOrder, ...]:
        try:
            return orders.read(raw, self._keyset, self._unit, recv_private)
        except EnvelopeRefused as refused:
            raise OrderRefused(refused.sentence, code=refused.refusal) from None
