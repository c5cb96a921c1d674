"""The uplink as a process, for tests."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.sync.uplink_rig import REALM, CentreKeys
from tests.system.brokers import ROOT

QUICK: dict[str, float] = {
    "backoff_min_s": 0.05,
    "backoff_max_s": 0.3,
    "receipt_s": 0.7,
    "receipt_max_s": 1.4,
    "connect_s": 3.0,
}
"""Waits for tests that end and begin connections all the time."""


class Uplink:
    """Starts, stops and kills ``python -m sync.uplink`` on one set of directories."""

    def __init__(
        self, home: Path, centre: CentreKeys, ports: list[int], unit: str = "van-07", **patience: float
    ) -> None:
        self.spool_out = home / "spool" / "out"
        self.spool_in = home / "spool" / "in"
        self.notes = home / "uplink"
        self.log = home / "uplink.log"
        for directory in (self.spool_out, self.spool_in, self.notes):
            directory.mkdir(parents=True, exist_ok=True)
        self.settings: dict[str, Any] = {
            "unit": unit,
            "realm": REALM,
            "spool_out": str(self.spool_out),
            "spool_in": str(self.spool_in),
            "notes": str(self.notes),
            "brokers": [{"host": "127.0.0.1", "port": port, "tls": False} for port in ports],
            "keyset": centre.raw_keyset.hex(),
            "roots": [root.hex() for root in centre.roots],
            "patience": {**QUICK, **patience},
        }
        self.command = [sys.executable, "-m", "sync.uplink"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        reading, writing = os.pipe()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.command, "--fd", str(reading)], cwd=ROOT, pass_fds=(reading,), stderr=log
            )
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(json.dumps(self.settings).encode())

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def stop(self) -> float:
        """SIGTERM; how long it took to end, which it did well."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0
        self._process = None
        return time.monotonic() - begin

    def link(self) -> dict[str, Any]:
        path = self.spool_in / "link"
        note: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return note

    def lines(self, text: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if text in line]

    def receipts(self) -> list[str]:
        return sorted(path.name for path in self.spool_in.glob("[lo]*-*-*-*"))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def until(there: Callable[[], object], wait_s: float = 45.0) -> None:
    """Wait until something holds; fail when it does not in time."""
    end = time.monotonic() + wait_s
    while not there():
        assert time.monotonic() < end, f"not within {wait_s} s"
        time.sleep(0.02)
