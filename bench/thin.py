"""A thin and lossy link: 40 kbit/s, 700 ms there and back, 2 % loss, real TCP over an emulated wire.

The uplink at one end, as in service, with 100,000 entries sealed in batches of 200 of the size they have; at
the other Mosquitto and the small centre of the tests, which lands at once. While that drains alerts are put
into the spool, and the clock runs until each has landed. Then, on a better link, it swallows everything, as a
tunnel does: how soon that is noticed, and how soon a record arrives once it is over. Bytes are those on the
wire, IP headers included; no TLS. Without network namespaces there are no rows.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from bench.uplink import mib
from edge.records.fields import Stream
from tests.sync.uplink_rig import Box, Centre, CentreKeys
from tests.system.thin_link import FarMosquitto, NoLaboratory, ThinLink, near_uplink
from tests.system.uplink_process import Uplink, until

BYTES_A_SECOND: Final = 5_000
ROUND_TRIP_S: Final = 0.7
THIN: Final = {
    "rate_bps": BYTES_A_SECOND * 8, "delay_ms": ROUND_TRIP_S * 500, "loss": 0.02, "queue_bytes": 60_000,
}  # fmt: skip
"""Twelve seconds of queue at the modem, as they have: what keeps it short is the uplink."""
GOOD: Final = {"rate_bps": 1_000_000, "delay_ms": 50, "loss": 0.0, "queue_bytes": 100_000}
ENTRIES: Final = 100_000
BATCH: Final = 200
CONTENT_BYTES: Final = 2_150
"""With which a batch takes 2.65 kB, as 200 entries of a van's day do (`bench wire`)."""
ALERTS: Final = 40
HOLES: Final = 5
RETURN_GOAL: Final = "≤ 2.5"
"""Two seconds and the connection: TCP, CONNECT, SUBSCRIBE, what is retained, the record; 0.1 s each."""


def run() -> list[dict[str, Any]]:
    """Every figure of this room; about six minutes."""
    try:
        link = ThinLink(seed=7)
    except NoLaboratory as error:
        print(f"no figures of a thin link: {error}")
        return []
    with ExitStack() as stack:
        stack.enter_context(link)
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qafila-")))
        broker = stack.enter_context(FarMosquitto(link, home))
        keys = CentreKeys()
        uplink = near_uplink(link, home, keys)
        box = Box(keys, uplink.spool_out)
        for _ in range(ENTRIES // BATCH):
            box.save(n=BATCH, size=CONTENT_BYTES)
        link.shape(**THIN)
        with Centre(box, broker.path) as centre, uplink:
            rows = _alerts(link, uplink, box, centre)
            link.shape(**GOOD)
            until(centre.holds_all, 120)
            return [*rows, *_holes(link, uplink, box, centre)]


def _row(name: str, value: float, unit: str, goal: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 2), "unit": unit, "goal": goal}


def _alerts(link: ThinLink, uplink: Uplink, box: Box, centre: Centre) -> list[dict[str, Any]]:
    until(lambda: len(centre.order) > 8, 120)
    begin_s, carried = time.monotonic(), _up_bytes(link)
    waits: list[float] = []
    peak = 0.0
    for number in range(ALERTS):
        box.save(Stream.ALERT, n=1, size=300)
        since = time.monotonic()
        until(lambda: centre.holds_all(Stream.ALERT), 120)
        waits.append(time.monotonic() - since)
        peak = max(peak, mib(uplink.pid))
        time.sleep(1.0 + number % 5 * 0.37)
    used = (_up_bytes(link) - carried) / (time.monotonic() - begin_s) / BYTES_A_SECOND
    assert not centre.holds_all(Stream.VITALS), "there was nothing left to wait behind"
    what = f"40 kbit/s, {ROUND_TRIP_S:g} s, 2 %: alert behind {ENTRIES:,}"
    size, seconds = uplink.link()["backlog"]
    return [
        _row(f"{what}, worst of {ALERTS}", max(waits), "s", f"≤ {ROUND_TRIP_S + 4:g}"),
        _row(f"{what}, median", statistics.median(waits), "s", ""),
        _row("share of the line used meanwhile", used * 100, "%", ""),
        _row(
            "estimated time of the backlog ÷ its bytes by the line's rate",
            seconds / (size / BYTES_A_SECOND),
            "",
            "",
        ),
        _row("PSS with 500 files waiting, peak", peak, "MiB", "≤ 35"),
    ]


def _up_bytes(link: ThinLink) -> int:
    return int(link.counts()["up"]["delivered"])


def _holes(link: ThinLink, uplink: Uplink, box: Box, centre: Centre) -> list[dict[str, Any]]:
    flying = [_noticed(link, uplink, box.save) for _ in range(3)]
    idle = [_noticed(link, uplink, None) for _ in range(2)]
    returns: list[float] = []
    costs: list[float] = []
    for number in range(HOLES):
        link.hole(swallow=True)
        box.save()
        until(lambda: not uplink.link()["connected"], 90)
        time.sleep(5.0 + number * 1.3)
        link.hole(swallow=False)
        since, before = time.monotonic(), link.counts()
        until(centre.holds_all, 90)
        returns.append(time.monotonic() - since)
        after = link.counts()
        costs.append(sum(after[way]["bytes"] - before[way]["bytes"] for way in ("up", "down")))
    return [
        _row("dead link noticed, data in flight, worst of 3", max(flying), "s", "≤ 30"),
        _row("dead link noticed, idle, worst of 2", max(idle), "s", "≤ 45"),
        _row(f"first record after a hole, 0.1 s away, worst of {HOLES}", max(returns), "s", RETURN_GOAL),
        _row("bytes on the wire of that return with its record", statistics.median(costs), "B", ""),
    ]


def _noticed(link: ThinLink, uplink: Uplink, save: Callable[[], str] | None) -> float:
    """From the moment the link swallows everything until the uplink says that it is not connected."""
    until(lambda: uplink.link()["connected"], 90)
    time.sleep(2)
    link.hole(swallow=True)
    since = time.monotonic()
    if save is not None:
        save()
    until(lambda: not uplink.link()["connected"], 90)
    noticed = time.monotonic() - since
    link.hole(swallow=False)
    return noticed
