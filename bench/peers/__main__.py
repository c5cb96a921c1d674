"""``make bench-peers [ARGS="--records 100000 --kills 20"]``: all of them in one run, and a table.

For each contestant: the link is cut, the records are handed over until they are stored, the link is opened
and the clock runs until all of them are behind it. For the others *behind it* is the memory of a sink that
counts; for us it is rows committed durably at a centre that opened, checked and receipted them. Then
twenty kills of what runs in the van, with the link up, each right after an acknowledgement.
"""

import argparse
import asyncio
import json
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Protocol

from bench.peers import ours
from bench.peers.bridge import Bridge
from bench.peers.ours import Ours
from bench.peers.records import records, text
from bench.peers.thingsboard import ThingsBoard
from bench.peers.world import Link, Process, Sink, until

_A_KILL: Final = 400
_GROUP: Final = 20


class Contestant(Protocol):
    """One of the others."""

    link: Link
    sink: Sink

    @property
    def edge(self) -> list[Process]: ...
    def feed(self, records: list[dict[str, Any]]) -> list[int]: ...
    def is_stored(self, wanted: int) -> bool: ...
    def kill(self) -> None: ...
    def close(self) -> None: ...


Row = dict[str, Any]


def drained(contestant: Contestant, wanted: int) -> Row:
    """Hand over, open the link, wait."""
    with closing(contestant):
        contestant.link.cut()
        time.sleep(1)
        acknowledged = contestant.feed(list(records(wanted)))
        until(lambda: contestant.is_stored(len(acknowledged)), "the records on its disk")
        before_s = sum(each.cpu_s for each in contestant.edge)
        sent = contestant.link.bytes
        began_s = time.monotonic()
        contestant.link.open()
        contestant.sink.wait(len(acknowledged))
        there = len(contestant.sink.seen)
        first_s = (contestant.sink.first_s or began_s) - began_s
        return {
            "acknowledged": len(acknowledged),
            "delivered": there,
            "lost_in_queue": len(acknowledged) - there,
            "drain_a_s": there / max(0.001, contestant.sink.last_s - began_s),
            "flow_a_s": there / max(0.001, contestant.sink.last_s - began_s - first_s),
            "first_s": first_s,
            "bytes": (contestant.link.bytes - sent) / max(1, there),
            "cpu_s": (sum(each.cpu_s for each in contestant.edge) - before_s) * 100_000 / max(1, there),
            "pss_mib": sum(each.pss_mib for each in contestant.edge),
        }


def killed(contestant: Contestant, kills: int, dice: random.Random) -> Row:
    """Kill it after acknowledgements, with the link up."""
    acknowledged: set[int] = set()
    with closing(contestant):
        several = records(kills * _A_KILL)
        time.sleep(5)  # connected by now
        for _ in range(kills):
            for _ in range(dice.randint(1, _A_KILL // _GROUP)):
                group = [next(several) for _ in range(_GROUP)]
                acknowledged |= set(contestant.feed(group))
                time.sleep(_GROUP / 200)
            contestant.kill()
        contestant.sink.wait(len(acknowledged))
        time.sleep(3)
        seen = contestant.sink.seen
        return {
            "fed": len(acknowledged),
            "lost": len(acknowledged - seen.keys()),
            "doubled": sum(n - 1 for n in seen.values()),
        }


def our_drain(home: Path, wanted: int, *, sealed: bool) -> Row:
    """The same for us; the clock runs until the centre's rows are committed."""
    unit = Ours(home, wanted, sealed=sealed)
    try:
        if sealed:
            asyncio.run(unit.unlock())
            time.sleep(2)
        edge_s, centre_s = (sum(each.cpu_s for each in some) for some in (unit.edge, unit.centre))
        sent = unit.link.bytes
        began_s = time.monotonic()
        unit.link.open()
        if not sealed:
            asyncio.run(unit.unlock())
        until(lambda: unit.count() > 1, "the first entry")
        first_s = time.monotonic() - began_s
        until(lambda: unit.count() >= unit.entries, "all entries")
        whole_s = time.monotonic() - began_s
        time.sleep(2)
        return {
            "acknowledged": unit.entries,
            "delivered": unit.count(),
            "drain_a_s": unit.entries / whole_s,
            "flow_a_s": unit.entries / (whole_s - first_s) if whole_s > first_s else 0.0,
            "first_s": first_s,
            "bytes": (unit.link.bytes - sent) / unit.entries,
            "cpu_s": (sum(each.cpu_s for each in unit.edge) - edge_s) * 100_000 / unit.entries,
            "centre_cpu_s": (sum(each.cpu_s for each in unit.centre) - centre_s) * 100_000 / unit.entries,
            "pss_mib": sum(each.pss_mib for each in unit.edge),
        }
    finally:
        unit.close()


def main() -> None:
    """Run everybody, and print the table."""
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--environment", type=Path, required=True, help="where the gateway is installed")
    parser.add_argument(
        "--only", choices=("thingsboard", "bridge", "tuned", "ours", "ahead"), action="append"
    )
    asked = parser.parse_args()
    environment = asked.environment.absolute()
    length = statistics.mean(len(text(each).encode()) for each in records(1000))
    contestants: dict[str, Callable[[Path], Contestant]] = {
        "thingsboard": lambda home: ThingsBoard(home, environment),
        "bridge": lambda home: Bridge(home, tuned=False),
        "tuned": lambda home: Bridge(home, tuned=True),
    }
    rows: dict[str, Row] = {}
    for name, make in contestants.items():
        if asked.only and name not in asked.only:
            continue
        _say(name)
        with (
            tempfile.TemporaryDirectory(prefix="qafila-peers-") as first,
            tempfile.TemporaryDirectory() as second,
        ):
            rows[name] = drained(make(Path(first)), asked.records)
            if asked.kills:
                rows[name] |= killed(make(Path(second)), asked.kills, random.Random(7))  # noqa: S311  the same for all
    for name, sealed in (("ours", False), ("ahead", True)):
        if asked.only and name not in asked.only:
            continue
        _say(name)
        with (
            tempfile.TemporaryDirectory(prefix="qafila-peers-") as first,
            tempfile.TemporaryDirectory() as second,
        ):
            rows[name] = our_drain(Path(first), asked.records, sealed=sealed)
            if not sealed and asked.kills:
                fed, lost, doubled = ours.killed(Path(second), asked.kills, _A_KILL, random.Random(7))  # noqa: S311  as above
                rows[name] |= {"fed": fed, "lost": lost, "doubled": doubled}
    versions = subprocess.run(
        [str(environment / "bin" / "python"), "-m", "pip", "list", "--format", "json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    peers = [each for each in json.loads(versions.stdout or "[]") if each["name"] == "thingsboard-gateway"]
    print(json.dumps({"peers": peers, "machine": platform.machine(),
                      "record_bytes": round(length), "records": asked.records, "rows": rows}))  # fmt: skip
    _print(rows, asked.records, length)


def _print(rows: dict[str, Row], wanted: int, length: float) -> None:
    print(f"\n{wanted:,} records, {length:.0f} B each as JSON; link cut, then opened\n")
    titles = (
        *("delivered", "lost_in_queue", "drain_a_s", "flow_a_s", "first_s", "bytes"),
        *("cpu_s", "centre_cpu_s", "pss_mib", "fed", "lost", "doubled"),
    )
    print("| | " + " | ".join(titles) + " |")
    print("| --- " * (len(titles) + 1) + "|")
    for name, row in rows.items():
        cells = [row.get(title) for title in titles]
        shown = [
            "" if cell is None else f"{cell:,.1f}" if isinstance(cell, float) else f"{cell:,}"
            for cell in cells
        ]
        print(f"| {name} | " + " | ".join(shown) + " |")


def _say(name: str) -> None:
    print(f"measuring {name} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
