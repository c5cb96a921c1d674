"""A Record Access Control Point in the simulated air, on what `kept_records` keeps."""

import asyncio
from collections.abc import Mapping
from typing import Final

from bumble.att import ATT_Error, ErrorCode
from bumble.core import UUID
from bumble.device import Connection
from bumble.gatt import Characteristic, CharacteristicValue

from drivers.codec import uuids
from drivers.codec.racp import (
    ABORT,
    ALREADY_RUNNING,
    NOT_SUBSCRIBED,
    Answered,
    Opcode,
    Outcome,
    encode_answer,
)
from drivers.simulation.kept_records import Flaw, KeptRecords, Reply
from drivers.simulation.peripheral import Bytes, Gone, Meeting

_ABORTED: Final = encode_answer(Answered(Opcode.ABORT, Outcome.SUCCESS))
_REFUSED: Final = ErrorCode.INVALID_ATTRIBUTE_LENGTH


class RecordAccess:
    """Serves one host at a time.

    Args:
        kept: what there is.
        tells: by which characteristic each value of a record is told.

    Attributes:
        control: to be put into the device's service.
        answered: set when a request for records has been answered.
        hang_up_after: so many values of records, and the link ends once; None for never.
    """

    def __init__(self, kept: KeptRecords, tells: Mapping[str, Bytes]) -> None:
        self.kept: Final = kept
        self.control: Final[Bytes] = Characteristic(
            UUID(uuids.RECORD_ACCESS_CONTROL_POINT),
            Characteristic.Properties.WRITE | Characteristic.Properties.INDICATE,
            Characteristic.WRITEABLE,
            CharacteristicValue(write=self._hear),
        )
        self.answered = asyncio.Event()
        self.hang_up_after: int | None = None
        self._tells = tells
        self._meeting: Meeting | None = None
        self._requests: asyncio.Queue[bytes] = asyncio.Queue()
        self._runs = False
        self._aborted = asyncio.Event()

    def obey(self, words: list[str]) -> bool:
        """Carry out what follows ``records`` in an order; False when it is not understood."""
        match words:
            case ["hang-up-after", number] if number.isdecimal():
                self.hang_up_after = int(number)
            case [flaw] if flaw in set(Flaw):
                self.kept.flaw = Flaw(flaw)
            case _:
                return False
        return True

    async def serve(self, meeting: Meeting) -> None:
        """Answer one host until cancelled.

        Raises:
            Gone: the link has ended, or is to end in the middle of the records.
        """
        self._meeting, self._runs = meeting, False
        self._requests = asyncio.Queue()
        self.answered.clear()
        try:
            while True:
                raw = await self._requests.get()
                if raw == ABORT:
                    await meeting.indicate(self.control, _ABORTED)
                    continue
                self._aborted.clear()
                await self._send(meeting, self.kept.reply(raw))
        finally:
            self._meeting = None

    async def _send(self, meeting: Meeting, reply: Reply) -> None:
        for record in reply.records:
            for uuid, value in record.values:
                if self._aborted.is_set():
                    break
                self._count_down()
                await self._tell(meeting, self._tells[uuid], value)
        if reply.answer is None:
            await self._aborted.wait()
        self._runs = False
        if not self._aborted.is_set() and reply.answer is not None:
            await meeting.indicate(self.control, reply.answer)
            if self._requests.empty():  # a quick host asks before its confirmation has come through
                self.answered.set()

    async def _tell(self, meeting: Meeting, characteristic: Bytes, value: bytes) -> None:
        if characteristic.properties & Characteristic.Properties.INDICATE:
            await meeting.indicate(characteristic, value)
        else:
            await meeting.notify(characteristic, value)

    def _count_down(self) -> None:
        if self.hang_up_after is None:
            return
        if self.hang_up_after == 0:
            self.hang_up_after = None
            raise Gone
        self.hang_up_after -= 1

    def _hear(self, _connection: Connection, raw: bytes) -> None:
        if self._meeting is None or not raw:
            raise ATT_Error(_REFUSED)
        if raw == ABORT:
            if self.kept.flaw is Flaw.BUSY:
                self.kept.flaw = Flaw.WELL
            self._runs = False
            self._aborted.set()
        elif not self._meeting.subscribed(self.control):
            raise ATT_Error(NOT_SUBSCRIBED)
        elif self._runs or self.kept.flaw is Flaw.BUSY:
            raise ATT_Error(ALREADY_RUNNING)
        else:
            self._runs = True
            self.answered.clear()
        self._requests.put_nowait(raw)
