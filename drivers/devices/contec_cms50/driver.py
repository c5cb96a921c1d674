"""A Contec CMS50 on a serial port, whichever protocol it speaks."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from drivers.codec.framing import Frame, Framer, StreamEvent
from drivers.devices.contec_cms50.codec import Command, Contec, Generation, Packet, command, decode, unstuff
from drivers.devices.contec_cms50.display import Display
from drivers.transport.serial_port import LineSettings, Parity, SerialPort, open_port
from edge.ports.driver import DeviceEvent, DeviceMisbehaved, DeviceUnavailable

LINES: Final = {
    Generation.NINE_BYTE: LineSettings(115_200),
    Generation.FIVE_BYTE: LineSettings(19_200, Parity.ODD),
}
ANSWER_WITHIN_S: Final = 1.0
"""The vendor's own limit for an answer; as good for the first packets of a unit that streams by itself."""
KEEP_ALIVE_S: Final = 5.0
SILENCE_S: Final = 3.0
"""A unit without a packet for so long has gone, or is not what it was taken for."""
SURE_AFTER_PACKETS: Final = 3
"""So many packets in a row tell a unit from noise at the wrong speed."""
STRAY_BYTES: Final = 16
"""A plug being pushed in makes up to so many bytes of its own; more is somebody speaking."""
EVIDENCE_BYTES: Final = 64

_DISCONNECT_REASONS: Final = {1: "was switched off", 2: "changed its user", 3: "began to record"}


class ContecCms50:
    """One configured oximeter.

    A session tries nine-byte first: stop is answered by a unit of that generation only; then it listens
    for five-byte. The generation that answered last is tried first the next time.

    Args:
        key: what the configuration calls it.
        port: path of the serial port; a link is followed anew in every session.
        keep_alive_s: how often a nine-byte unit is told that somebody listens.
    """

    def __init__(self, key: str, port: str, *, keep_alive_s: float = KEEP_ALIVE_S) -> None:
        self.key: Final = key
        self.kind: Final = "contec-cms50"
        self._path = port
        self._keep_alive_s = keep_alive_s
        self._try_first = Generation.NINE_BYTE

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncGenerator[AsyncIterator[DeviceEvent]]:
        """Open the port, find out the generation, and give readings and pleth until the unit goes away.

        Raises:
            DeviceUnavailable: the port is not there or not ours, or no unit answers on it.
            DeviceMisbehaved: something speaks on the port, but not as these oximeters do.
        """
        with open_port(self._path, LINES[self._try_first]) as port:
            generation = await self._find(port)
            self._try_first = generation
            try:
                async with contextlib.aclosing(self._listen(port, generation)) as events:
                    yield events
            finally:
                if generation is Generation.NINE_BYTE:
                    with contextlib.suppress(DeviceUnavailable):
                        await port.write(command(Command.STOP))

    async def _find(self, port: SerialPort) -> Generation:
        heard = bytearray()
        for generation in sorted(LINES, key=lambda one: one is not self._try_first):
            port.set_line(LINES[generation])
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    if generation is Generation.NINE_BYTE:
                        await port.write(command(Command.STOP))
                    await _recognise(port, generation, heard)
            except TimeoutError:
                continue
            if generation is Generation.NINE_BYTE:
                await port.write(command(Command.START))
            return generation
        raise self._misbehaved(bytes(heard)) if len(heard) > STRAY_BYTES else self._silent()

    async def _listen(self, port: SerialPort, generation: Generation) -> AsyncGenerator[DeviceEvent]:
        framer = Framer(Contec(only=generation))
        display = Display()
        now_s = asyncio.get_running_loop().time
        keep_alive_due_s = now_s() + self._keep_alive_s
        packet_s = now_s()
        while True:
            if generation is Generation.NINE_BYTE and now_s() >= keep_alive_due_s:
                await port.write(command(Command.KEEP_ALIVE))
                keep_alive_due_s = now_s() + self._keep_alive_s
            try:
                async with asyncio.timeout(SILENCE_S):
                    data = await port.read()
            except TimeoutError:
                raise self._silent() from None
            packets = display.packets
            for event in framer.feed(data):
                for part in self._take(event, display):
                    yield part
            if display.packets > packets:
                packet_s = now_s()  # after the yields: how long the listener took is not the unit's silence
            elif now_s() - packet_s > SILENCE_S:
                raise self._misbehaved(data)

    def _take(self, event: StreamEvent, display: Display) -> list[DeviceEvent]:
        if not isinstance(event, Frame):
            return display.gap()
        report = decode(event)
        if report is not None:
            return display.packet(event, report)
        if event.raw[0] == Packet.DISCONNECTS:
            raise self._disconnected(event)
        return []

    def _silent(self) -> DeviceUnavailable:
        return DeviceUnavailable(
            f"No oximeter answers on {self._path}.",
            next_step="switch the oximeter on, put a finger in, and see that the cable sits firmly.",
            code="device-silent",
        )

    def _disconnected(self, frame: Frame) -> DeviceUnavailable:
        reason = _DISCONNECT_REASONS.get(unstuff(frame.raw)[0], "ended the connection")
        return DeviceUnavailable(
            f"The oximeter on {self._path} {reason}.",
            next_step="switch it on again, or wait until it has finished what it does.",
            code="device-disconnected",
        )

    def _misbehaved(self, raw: bytes) -> DeviceMisbehaved:
        return DeviceMisbehaved(
            f"What speaks on {self._path} is not a Contec CMS50 oximeter, or the cable is faulty.",
            raw=raw[-EVIDENCE_BYTES:],
            next_step="see that the right device is on this port, and try another cable.",
            code="device-not-understood",
        )


async def _recognise(port: SerialPort, generation: Generation, heard: bytearray) -> None:
    """Wait until a unit of this generation has surely been heard; without end, so wait in a timeout."""
    framer = Framer(Contec(only=generation))
    packets = 0
    while True:
        data = await port.read()
        heard += data
        del heard[:-EVIDENCE_BYTES]
        for event in framer.feed(data):
            # An answer to stop is enough; packets of a stream that somebody else began must be several.
            if isinstance(event, Frame) and event.raw[0] == Packet.STOPPED:
                return
            packets = packets + 1 if isinstance(event, Frame) else 0
            if packets == SURE_AFTER_PACKETS:
                return
