"""Runs the real agent with a strap that lives fast: ``HOME [POINT N]``.

Ten seconds of its ECG pass in some hundredths of a second. Its samples count up, so that whoever reads
them back sees what is missing, doubled or in the wrong place. With a point it kills itself there, at the
N-th commit.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator
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
from edge.vitals.reading import Mode, Reading, Wave
from torture.crash import POINTS, crash_at

KIND = "racing-strap"
RATE = 130
FRAME = 65
PAUSE_S = 0.002
_ON = Reading(((Code.HEART_RATE, Quantity(Decimal(70), Unit.PER_MINUTE)),), mode=Mode.CONTINUOUS)


class RacingStrap:
    """A strap whose samples are their own numbers."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.kind = KIND

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncIterator[DeviceEvent]]:
        yield self._race()

    async def _race(self) -> AsyncGenerator[DeviceEvent]:
        at = 0
        while True:
            yield _ON
            samples = range(at, at + FRAME)
            at += FRAME
            yield Wave(Code.ECG, "II", Unit.MICROVOLT, Decimal(RATE), tuple(samples))
            await asyncio.sleep(PAUSE_S)


def _make(context: DriverContext) -> RacingStrap:
    return RacingStrap(context.key)


if __name__ == "__main__":
    registry.BUILT_IN[KIND] = DeviceKind(
        KIND, KIND, Medium.SERIAL, Evidence.SPECIFICATION, (), lambda _: Decoded((), (), ()), _make
    )
    home, *where = sys.argv[1:]
    if where:
        point, number = where
        crash_at(*POINTS[point], nth=int(number))
    run_agent(Places.at(Path(home)))
