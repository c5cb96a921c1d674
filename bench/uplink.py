"""The uplink alone: what it weighs, what waiting costs, how soon it notices a dead link and a living one.

One uplink with the waits it has in service, a real Mosquitto, a link that is cut and holed in between,
and the small centre of the tests behind it.
"""

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sync.uplink.settings import Patience
from tests.sync.uplink_rig import Box, Centre, CentreKeys
from tests.system.brokers import CutLink, Mosquitto, cut_link
from tests.system.uplink_process import Uplink, until

DRAINED_FILES: Final = 400
CPU_S: Final = 10.0
CUTS: Final = 5
CUT_S: Final = 4.0


def run() -> list[dict[str, Any]]:
    """Every figure of this room; a minute and a half, most of it waiting for a dead link to be noticed."""
    with tempfile.TemporaryDirectory(prefix="qafila-bench-") as directory:
        home, keys, patience = Path(directory), CentreKeys(), Patience()
        with Mosquitto(home) as broker, cut_link(broker.port) as link:
            in_service = {name: getattr(patience, name) for name in Patience.__dataclass_fields__}
            uplink = Uplink(home, keys, [link.port], **in_service)
            box = Box(keys, uplink.spool_out)
            with Centre(box, broker.port) as centre, uplink:
                return [
                    *_weight(uplink, box, centre),
                    _row("CPU with nothing to do", _cpu_percent(uplink), "%", "≤ 1"),
                    _row("CPU with the broker out of reach", _away_percent(uplink, link), "%", "≤ 2"),
                    _row(
                        "first record after the link returns, worst of 5",
                        _returns(box, centre, link),
                        "s",
                        "≤ 2",
                    ),
                    _row("dead link noticed, data in flight", _noticed(uplink, link, box.save), "s", "≤ 30"),
                    _row("dead link noticed, idle", _noticed(uplink, link, None), "s", "≤ 45"),
                ]


def _row(name: str, value: float, unit: str, goal: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 2), "unit": unit, "goal": goal}


def mib(pid: int, what: str = "Pss") -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(text.split(f"{what}:")[1].split()[0]) / 1024


def _weight(uplink: Uplink, box: Box, centre: Centre) -> list[dict[str, Any]]:
    """Proportional set size while 400 files of 10 kB drain, and once they have."""
    until(lambda: uplink.link().get("connected"))
    peaks: list[float] = []
    drained = threading.Event()

    def watch() -> None:
        while not drained.wait(0.02):
            peaks.append(mib(uplink.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(DRAINED_FILES):
        box.save(n=1, size=10_000)
    until(centre.holds_all, 60)
    drained.set()
    watcher.join()
    time.sleep(1)
    return [
        _row("PSS, steady", mib(uplink.pid), "MiB", "≤ 35"),
        _row("PSS, peak while 4 MB drain", max(peaks), "MiB", ""),
        _row("RSS, what it would weigh if it shared nothing", mib(uplink.pid, "Rss"), "MiB", ""),
    ]


def _cpu_percent(uplink: Uplink) -> float:
    def spent_s() -> float:
        return int(Path(f"/proc/{uplink.pid}/schedstat").read_text().split()[0]) / 1e9

    before, begin = spent_s(), time.monotonic()
    time.sleep(CPU_S)
    return (spent_s() - before) / (time.monotonic() - begin) * 100


def _away_percent(uplink: Uplink, link: CutLink) -> float:
    link.say("cut")
    until(lambda: not uplink.link()["connected"])
    spent = _cpu_percent(uplink)
    link.say("open")
    until(lambda: uplink.link()["connected"], 60)
    return spent


def _returns(box: Box, centre: Centre, link: CutLink) -> float:
    """From the opening of the link until a record saved meanwhile is at the centre."""
    worst = 0.0
    for _ in range(CUTS):
        link.say("cut")
        box.save()
        time.sleep(CUT_S)
        link.say("open")
        begin = time.monotonic()
        until(centre.holds_all, 60)
        worst = max(worst, time.monotonic() - begin)
    return worst


def _noticed(uplink: Uplink, link: CutLink, save: Callable[[], str] | None) -> float:
    """From the moment the link swallows everything until the uplink says that it is not connected."""
    until(lambda: uplink.link()["connected"], 60)
    time.sleep(1)
    link.say("hole")
    begin = time.monotonic()
    if save is not None:
        save()
    until(lambda: not uplink.link()["connected"], 90)
    noticed = time.monotonic() - begin
    link.say("open")
    return noticed
