"""Over TLS: what a reconnection costs on the socket, how soon a revoked unit is out, what the uplink weighs.

A real Mosquitto as `qafila central init --broker mosquitto` sets it up. Bytes are those of the stream,
both ways, until the broker has accepted: TCP's and IP's own are not in them.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from edge.clock import SystemClock
from sync.central import renewing
from sync.uplink.credentials import Credentials
from tests.system.brokers import cut_link
from tests.system.test_link_tls import connect, settings_of
from tests.system.tls_world import Guest, TlsWorld
from tests.system.uplink_process import until

TIMES: Final = 20
DRAINED: Final = 1.0


def run() -> list[dict[str, Any]]:
    """Every figure of this room, in some ten seconds."""
    with tempfile.TemporaryDirectory(prefix="qafila-bench-") as directory:
        world = TlsWorld(Path(directory))
        try:
            whole, resumed, took_ms = _reconnections(world)
            return [
                _row("bytes of a first connection, both ways", whole, "B", ""),
                _row("bytes of a reconnection, session taken up, worst of 20", resumed, "B", "≤ 2100"),
                _row("time of such a reconnection, on this machine, median", took_ms, "ms", ""),
                _row("uplink over TLS: PSS", _weight_mib(world), "MiB", "≤ 35"),
                _row("revoked unit out of its living connection", _out_s(world), "s", ""),
            ]
        finally:
            world.close()


def _row(name: str, value: float, unit: str, goal: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 2), "unit": unit, "goal": goal}


def _reconnections(world: TlsWorld) -> tuple[int, int, float]:
    with cut_link(world.own.port) as link:
        settings = settings_of(world.van("van-01"), link.port)
        credentials = Credentials(settings)
        costs: list[int] = []
        times: list[float] = []
        for number in range(TIMES + 1):
            before, begin = link.say("stats"), time.monotonic()
            made = connect(settings, credentials)
            times.append((time.monotonic() - begin) * 1000)
            assert made.resumed is (number > 0)
            after = link.say("stats")
            made.close()
            costs.append(sum(after[way] - before[way] for way in ("up", "down")))
    return costs[0], max(costs[1:]), statistics.median(times[1:])


def _weight_mib(world: TlsWorld) -> float:
    with world.van("van-02").uplink(world.own.port) as uplink:
        until(lambda: uplink.link().get("connected"))
        time.sleep(DRAINED)
        text = Path(f"/proc/{uplink.pid}/smaps_rollup").read_text()
        return int(text.split("Pss:")[1].split()[0]) / 1024


def _out_s(world: TlsWorld) -> float:
    """From the order until the connection is gone, list, signal and takeover in it."""
    van = world.van("van-03")
    living = Guest(world.own.port, van.context())
    begin = time.monotonic()
    renewing.revoke(world.home, van.name, SystemClock())
    living.until(lambda: False, 30)
    assert not living.alive
    return time.monotonic() - begin
