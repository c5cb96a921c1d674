"""Reads what claims to come down to this unit."""

from typing import cast

from edge import cbor
from edge.cbor import Value
from edge.ports.down import Down, DownReader, DownRefused, DownWaits
from sync.wire import down
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Keyset


class BoxDownReader(DownReader):
    """Checks with the pinned keyset, and opens with the key it is handed."""

    def __init__(self, unit: str, keyset: Keyset) -> None:
        self._unit = unit
        self._keyset = keyset

    def claims(self, raw: bytes) -> bool:
        return down.read_header(raw) is not None

    def read(self, raw: bytes, recv_private: bytes, now_ms: int | None) -> Down:
        try:
            signed = down.verify(raw, self._keyset, self._unit, now_ms)
            content = down.open_content(signed, recv_private)
        except EnvelopeRefused as refused:
            header = down.read_header(raw)
            if refused.refusal == "kid" and header is not None and header.keyset > self._keyset.version:
                raise DownWaits("The message is signed by a key that this unit does not know yet.") from None
            raise DownRefused(refused.sentence, code=refused.refusal) from None
        _, *body = cast("list[Value]", cbor.decode(content.payload))
        header = signed.header
        return Down(
            message=content.message,
            epoch=header.epoch,
            use=header.use.value,
            dseq=header.dseq,
            signer=signed.kid,
            kind=content.kind,
            body=tuple(body),
            payload=content.payload,
            made_ms=content.made_ms,
        )
