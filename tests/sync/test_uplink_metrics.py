"""What the uplink publishes on this machine: the agent's text while it is of now, and never anything else."""

import http.client
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.spool.names import METRICS_NAME
from sync.uplink.metrics import STALE_S, Publisher

TEXT = '# TYPE qafila_enrolled gauge\nqafila_enrolled{unit="van-07"} 1\n# EOF\n'


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    made = Publisher(0, tmp_path, "van-07", SystemClock())
    yield made
    made.close()


def asked(port: int, path: str = "/metrics", method: str = "GET") -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode()
    finally:
        connection.close()


def test_what_the_agent_wrote_and_one_end(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / METRICS_NAME).write_text(TEXT)
    status, kind, text = asked(publisher.port)
    assert (status, kind.split(";")[0]) == (200, "application/openmetrics-text")
    assert 'qafila_enrolled{unit="van-07"} 1' in text
    assert 'qafila_uplink_running{unit="van-07"} 1' in text
    assert text.count("# EOF") == 1
    assert text.endswith("# EOF\n")


def test_what_is_old_is_not_given_out_as_if_it_were_now(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / METRICS_NAME).write_text(TEXT)
    old_s = SystemClock().now().wall_ms / 1000 - STALE_S - 5
    os.utime(tmp_path / METRICS_NAME, (old_s, old_s))
    assert "qafila_enrolled" not in asked(publisher.port)[2]


def test_a_link_a_pipe_or_a_flood_in_its_place_is_not_read(publisher: Publisher, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("secret")
    place = tmp_path / METRICS_NAME
    place.symlink_to(secret)
    assert "secret" not in asked(publisher.port)[2]
    place.unlink()
    os.mkfifo(place)
    assert asked(publisher.port)[0] == 200
    place.unlink()
    place.write_text("x" * 300_000)
    assert "xxx" not in asked(publisher.port)[2]


@pytest.mark.parametrize(("path", "method"), [("/", "GET"), ("/metrics/../key", "GET"), ("/metrics", "POST")])
def test_nothing_else_is_answered(publisher: Publisher, path: str, method: str) -> None:
    assert asked(publisher.port, path, method)[0] in {404, 501}


def test_it_listens_on_this_machine_only(publisher: Publisher) -> None:
    outside = socket.gethostbyname(socket.gethostname())
    if outside.startswith("127."):
        outside = "127.0.0.2"  # also loopback, and not the address it is bound to
    with pytest.raises(OSError), socket.create_connection((outside, publisher.port), timeout=2):  # noqa: PT011  any refusal
        pass
