"""A line, with what was heard on it and not yet taken."""

import asyncio
import collections
from collections.abc import Callable, Iterable
from typing import Final

from drivers.codec.framing import Framer, Garbage, Grammar, StreamEvent
from drivers.setup.ear import Heard, Send
from drivers.setup.line import STREAM, Line

KEPT_AT_MOST: Final = 4096
"""Of what comes while an answer is waited for, so much is kept; the oldest gives way."""
EVIDENCE_BYTES: Final = 64
LOOKED_AT_BYTES: Final = 2048
"""At each speed, of what somebody said whom nobody understood: enough for a packet of any kind."""


class Conversation:
    """What is heard comes out once, in order, whole: values as they are, streams cut into frames.

    Attributes:
        strays: bytes heard so far; tells a silent device from one that speaks another language.
        tail: the last of them, evidence.
        pieces: the first bytes of the stream at each speed that was tried.
    """

    def __init__(self, line: Line, now_s: Callable[[], float]) -> None:
        self.line: Final = line
        self.strays = 0
        self.tail = b""
        self.pieces: collections.deque[bytes] = collections.deque([b""], maxlen=8)
        self._now_s = now_s
        self._framer: Framer | None = None
        self._within_s: float | None = None
        self._piece_s = 0.0
        self._cut: collections.deque[Heard] = collections.deque()
        self._later: collections.deque[Heard] = collections.deque(maxlen=KEPT_AT_MOST)
        self._ended = False

    def frames(self, grammar: Grammar, within_s: float | None = None) -> None:
        """Cut the stream so from now on, and forget what waited.

        Args:
            grammar: how frames look.
            within_s: how long the rest of a frame may take to come; None for ever.
        """
        self._framer = Framer(grammar)
        self.pieces.append(b"")
        self._within_s = within_s
        self._piece_s = self._now_s()
        self._cut.clear()
        self._later.clear()

    def begin_again(self) -> None:
        """Count anew what is heard."""
        self.strays = 0
        self.tail = b""

    async def hear(self) -> Heard | None:
        """What came first and was not taken, or the next to come; None when the device has hung up."""
        if self._later:
            return self._later.popleft()
        return await self.next()

    async def next(self) -> Heard | None:
        """The next to come, whatever waits to be taken. Cancelling the wait loses nothing."""
        while not self._cut:
            if self._ended:
                return None
            came = await self.line.hear()
            if came is None:
                self._ended = True
                if self._framer is not None:
                    self._take(self._framer.finish())
                continue
            channel, raw = came
            self.strays += len(raw)
            self.tail = (self.tail + raw)[-EVIDENCE_BYTES:]
            if channel == STREAM and len(self.pieces[-1]) < LOOKED_AT_BYTES:
                self.pieces[-1] += raw
            if channel == STREAM and self._framer is not None:
                if self._within_s is not None and self._now_s() - self._piece_s > self._within_s:
                    self._take(self._framer.finish())
                self._piece_s = self._now_s()
                self._take(self._framer.feed(raw))
            else:
                self._cut.append(Heard(channel, raw, self._now_s()))
        return self._cut.popleft()

    async def send(self, send: Send) -> None:
        await self.line.write(send.channel, send.data, response=send.response)

    async def ask(
        self, send: Send, channel: str, answers: Callable[[bytes], bool], within_s: float
    ) -> bytes | None:
        """Write, and wait for the answer; what else comes is kept. None when the device hung up instead.

        Raises:
            TimeoutError: there was none.
        """
        async with asyncio.timeout(within_s):
            await self.send(send)
            while (heard := await self.next()) is not None:
                if heard.channel == channel and heard.garbage is None and answers(heard.raw):
                    return heard.raw
                self._later.append(heard)
        return None

    def _take(self, events: Iterable[StreamEvent]) -> None:
        for event in events:
            code = event.code if isinstance(event, Garbage) else None
            self._cut.append(Heard(STREAM, event.raw, self._now_s(), code))
