"""What the unit says of itself, published on this machine for whoever watches units.

The agent writes the text; the uplink adds what only it knows and answers on the loopback address, because the
agent reaches no network. Nothing in it names a patient. Source: OpenMetrics 1.0.0.
"""

import http.server
import logging
import os
import threading
from pathlib import Path
from typing import Final

from edge.clock import Clock
from edge.spool.names import METRICS_NAME
from sync.uplink.settings import Settings

PATH: Final = "/metrics"
STALE_S: Final = 300.0
"""The agent writes every minute; what is older than this says nothing of now."""
_MOST_BYTES: Final = 262_144
_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_EOF: Final = "# EOF\n"
_RUNNING: Final = "qafila_uplink_running"
_LOG: Final = logging.getLogger("qafila.uplink")


class Publisher:
    """Answers ``GET /metrics`` on 127.0.0.1 until `close`; anything else is refused.

    Args:
        port: where; 0 lets the kernel choose, for tests.
        spool_out: where the agent's text lies.
        unit: this unit's id.
        clock: tells how old the text is.

    Raises:
        OSError: the port cannot be had.
    """

    def __init__(self, port: int, spool_out: Path, unit: str, clock: Clock) -> None:
        help_ = f"# TYPE {_RUNNING} gauge\n# HELP {_RUNNING} 1: the uplink answers.\n"
        own = f'{help_}{_RUNNING}{{unit="{unit}"}} 1\n'

        class Answering(http.server.BaseHTTPRequestHandler):
            server_version = "qafila"
            sys_version = ""
            timeout = 10.0

            def do_GET(self) -> None:
                if self.path != PATH:
                    self.send_error(404)
                    return
                body = (agents_text(spool_out, clock) + own + _EOF).encode()
                self.send_response(200)
                self.send_header("Content-Type", _TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the standard library's name
                """Every minute the same: no line in the journal."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Answering)
        self._server.daemon_threads = True
        self.port: Final[int] = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def agents_text(spool_out: Path, clock: Clock) -> str:
    """What the agent wrote, without its end; nothing where it is old, too large or not there."""
    try:
        descriptor = os.open(spool_out / METRICS_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123  a descriptor has no path
            written_s = os.fstat(descriptor).st_mtime
            raw = file.read(_MOST_BYTES + 1)
    except OSError:
        return ""
    if len(raw) > _MOST_BYTES or abs(clock.now().wall_ms / 1000 - written_s) > STALE_S:
        return ""
    return raw.decode(errors="replace").removesuffix(_EOF)


def try_to_publish(settings: Settings, clock: Clock) -> Publisher | None:
    """Publish where that is wanted; a port that cannot be had never keeps the uplink from delivering."""
    if not settings.metrics_port:
        return None
    try:
        return Publisher(settings.metrics_port, settings.spool_out, settings.unit, clock)
    except OSError as error:
        _LOG.warning("metrics are not published", extra={"code": "metrics-port-taken", "why": error.strerror})
        return None
