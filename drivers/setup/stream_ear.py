"""An ear for devices that speak in frames, on a cable or cut into notifications wherever those are full."""

from collections.abc import Iterable
from typing import Final

from drivers.codec.framing import Frame, Framer, Garbage, Grammar, StreamEvent
from drivers.setup.ear import Ear, Heard, Said
from drivers.setup.line import STREAM
from edge.ports.driver import DeviceMisbehaved

MOST_STRAYS: Final = 2048
"""So many bytes without a frame, and it is another device that speaks."""


class StreamEar(Ear):
    """Hands on whole frames, whatever carried them; over Bluetooth it cuts them itself.

    Args:
        port: as in unit.toml, for the error.
        channel: the characteristic that notifies; on a cable the line has cut the frames already.
        grammar: how frames look.
    """

    def __init__(self, port: str, channel: str, grammar: Grammar) -> None:
        self._port = port
        self._channel = channel
        self._framer = Framer(grammar)
        self._strays = 0

    def frame(self, frame: Frame, at_s: float) -> Iterable[Said]:
        """Take a whole frame; every such ear has this."""
        raise NotImplementedError

    def lost(self) -> Iterable[Said]:
        """Bytes were refused: frames may have been among them."""
        return ()

    def rest(self) -> Iterable[Said]:
        """The session ends: give what was held back."""
        return ()

    def hear(self, heard: Heard) -> Iterable[Said]:
        for event in self._cut(heard):
            if isinstance(event, Frame):
                self._strays = 0
                yield from self.frame(event, heard.at_s)
                continue
            yield from self.lost()
            self._strays += len(event.raw)
            if self._strays > MOST_STRAYS:
                yield DeviceMisbehaved(
                    f"What speaks on {self._port} sends nothing that can be understood.",
                    raw=event.raw,
                    next_step="see that the right device is named in unit.toml.",
                    code="device-not-understood",
                )

    def end(self) -> Iterable[Said]:
        return self.rest()

    def _cut(self, heard: Heard) -> Iterable[StreamEvent]:
        if heard.channel == STREAM:
            return (Frame(heard.raw) if heard.garbage is None else Garbage(heard.raw, heard.garbage),)
        return self._framer.feed(heard.raw) if heard.channel == self._channel else ()
