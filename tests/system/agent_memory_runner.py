"""Runs the real agent with a meter that keeps its records outside the agent: ``HOME [POINT N]``.

The meter's memory is a file, as a device's is its own: it tells all of it at every meeting, oldest first,
and forgets a record only when it is told that it may. With a point the agent kills itself there, at the
N-th record or commit.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from cli.wiring import run_agent
from drivers import registry
from drivers.decoding import Decoded
from drivers.kinds import DeviceKind, DriverContext, Evidence, Medium
from edge.config import Places
from edge.ports.driver import DeviceEvent
from edge.vitals.codes import Code
from edge.vitals.quantity import Quantity, Unit
from edge.vitals.reading import Reading
from torture.crash import POINTS, crash_at

KIND = "forgetful-meter"
CLEARING = ("before the device forgets", "after the device has forgotten")


class Meter:
    """One meter; ``port`` is its memory, a number a line."""

    def __init__(self, key: str, port: str) -> None:
        self.key = key
        self.kind = KIND
        self._memory = Path(port)
        self.point = ""
        self.nth = 0

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncIterator[DeviceEvent]]:
        yield self._tell()

    async def _tell(self) -> AsyncGenerator[DeviceEvent]:
        for number in self._kept():
            value = Quantity(Decimal(number), Unit.MILLIGRAM_PER_DECILITRE)
            raw = number.encode()
            yield Reading(((Code.GLUCOSE, value),), record=raw, raw=raw, stored=True)
        await asyncio.sleep(0.05)

    async def committed(self, records: Sequence[bytes]) -> None:
        self.nth -= 1
        if self.nth == 0 and self.point == CLEARING[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        told = {record.decode() for record in records}
        left = [number for number in self._kept() if number not in told]
        new = self._memory.with_suffix(".new")
        new.write_text("".join(f"{number}\n" for number in left))
        new.replace(self._memory)
        if self.nth == 0 and self.point == CLEARING[1]:
            os.kill(os.getpid(), signal.SIGKILL)

    def _kept(self) -> list[str]:
        return self._memory.read_text().split()


def main(home: Path, point: str = "", number: str = "0") -> None:
    """Run the agent until it kills itself or is told to stop."""

    def make(context: DriverContext) -> Meter:
        meter = Meter(context.key, context.port)
        meter.point, meter.nth = point, int(number)
        return meter

    registry.BUILT_IN[KIND] = DeviceKind(
        KIND, KIND, Medium.SERIAL, Evidence.SPECIFICATION, (), lambda _: Decoded((), (), ()), make
    )
    if point in POINTS:
        crash_at(*POINTS[point], nth=int(number))
    run_agent(Places.at(home))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
