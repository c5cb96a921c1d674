"""100,000 entries from link-up to the centre's rows, over TLS, with everything as `central init` sets it up.

A store of 100,000 entries sealed ahead in batches of 200, Mosquitto with its certificates, uplink, collector
and exploder on SQLite, durable signed receipts; the link is closed until all of them run. The clock runs
from its opening until every entry stands in the rows. Bytes are those of the stream, TLS included.
"""

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from sqlcipher3 import dbapi2

from bench.link import PIN, fill
from bench.uplink import mib
from cli.rehearsal import broker
from edge.config import Places
from tests.system.brokers import cut_link

ENTRIES: Final = 100_000
BATCH: Final = 200
LONGEST_S: Final = 600.0
_OPENED: Final = "SELECT count(*) FROM entries WHERE stream = 'vitals'"
_LANDED: Final = "SELECT coalesce(sum(last - first + 1), 0) FROM spans WHERE stream = 'vitals'"


def run() -> list[dict[str, Any]]:
    """Entries a second, CPU and bytes of the whole."""
    with tempfile.TemporaryDirectory(prefix="qafila-bench-") as folder, ExitStack() as stack:
        home = Path(folder)
        ports = [broker.free_port() for _ in range(2)]
        link = stack.enter_context(cut_link(ports[0]))
        _enrolled(home, ports, link.port)
        places = Places.at(home)
        entries = fill(places, BATCH, ENTRIES)
        configuration = places.central / "mosquitto" / "mosquitto.conf"
        mosquitto = Path(broker.command("mosquitto", ports[0], home)[0])
        link.say("cut")
        started = [
            _start(stack, home, [str(mosquitto), "-c", str(configuration)]),
            *(
                _start(stack, home, [sys.executable, "-m", "cli.main", *words, "--home", folder])
                for words in (["central", "collect"], ["central", "explode"])
            ),
        ]
        uplink = _start(
            stack,
            home,
            [sys.executable, "-m", "cli.main", "uplink", "--backoff-max", "0.5", "--home", folder],
        )
        time.sleep(5)  # all of them run, and the uplink knocks
        spent = [_cpu_s(process) for process in (*started, uplink)]
        counted = link.say("stats")
        link.say("open")
        begin = time.perf_counter()
        peak = landed_s = 0.0
        landed = counted
        while _count(places, _OPENED) < entries:
            peak = max(peak, mib(uplink.pid))
            if not landed_s and _count(places, _LANDED) >= entries:
                landed_s, landed = time.perf_counter() - begin, link.say("stats")
            if time.perf_counter() - begin > LONGEST_S:
                raise RuntimeError((home / "bench.log").read_text()[-2000:])
            time.sleep(0.05)
        took_s = time.perf_counter() - begin
        each = [_cpu_s(process) - before for process, before in zip((*started, uplink), spent, strict=True)]
        up, down = (landed[way] - counted[way] for way in ("up", "down"))
        return [
            _row(f"{entries:,} entries over TLS to the centre's rows", entries / took_s, "entries/s", ""),
            _row("of these until each has landed, with receipts", entries / landed_s, "entries/s", ""),
            _row("bytes of the stream, up", up / entries, "B/entry", "≤ 15"),
            _row("bytes of the stream, down", down / entries, "B/entry", ""),
            *(
                _row(f"CPU of {who} for 100,000 entries", cpu_s / entries * 100_000, "s", "")
                for who, cpu_s in zip(("broker", "collector", "exploder", "uplink"), each, strict=True)
            ),
            _row("uplink over TLS while it drains: PSS, peak", peak, "MiB", "≤ 35"),
        ]


def _row(name: str, value: float, unit: str, goal: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 2), "unit": unit, "goal": goal}


def _enrolled(home: Path, ports: list[int], link_port: int) -> None:
    request, bundle = home / "unit.request", home / "unit.bundle"
    _qafila(
        *(home, "central", "init", "--realm", "training", "--broker", "mosquitto"),
        *("--port", str(ports[0]), "--centre-port", str(ports[1])),
    )
    _qafila(home, "unit", "init", "--realm", "training", "--id", "bench-1", "--user", "bench", "--pin-stdin")
    _qafila(home, "unit", "csr", str(request))
    _qafila(
        *(home, "central", "enrol", str(request), "--out", str(bundle)),
        *("--broker", f"tls://127.0.0.1:{link_port}"),
    )
    _qafila(home, "unit", "enrol", str(bundle))


def _qafila(home: Path, *words: str) -> None:
    command = [sys.executable, "-m", "cli.main", *words, "--home", str(home)]
    done = subprocess.run(command, input=PIN + "\n", text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"qafila {' '.join(words)}: {done.stderr.strip()}")


def _start(stack: ExitStack, home: Path, command: list[str]) -> "subprocess.Popen[bytes]":
    log = stack.enter_context((home / "bench.log").open("ab"))
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def _cpu_s(process: "subprocess.Popen[bytes]") -> float:
    return int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[0]) / 1e9


def _count(places: Places, question: str) -> int:
    connection = dbapi2.connect(f"file:{places.central / 'central.db'}?mode=ro", uri=True)
    try:
        return int(connection.execute(question).fetchone()[0])
    finally:
        connection.close()
