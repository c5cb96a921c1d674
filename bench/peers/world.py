"""What every contestant is given: a link that is cut and counted, a broker behind it, a sink that counts."""

import asyncio
import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from cli.rehearsal import broker
from cli.rehearsal.link_cutter import LinkCutter, State

LONGEST_S: Final = 600.0
SETTLED_S: Final = 20.0
"""Nothing more comes when nothing has come for so long."""
_TICKS: Final = 100


class Link:
    """The stretch of network between contestant and broker, in a thread of its own."""

    def __init__(self, to: int) -> None:
        self._cutter = LinkCutter(to)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = self._run(self._cutter.listen())

    def cut(self) -> None:
        """Pull the cable."""
        self._run(self._cutter.turn(State.CUT))

    def open(self) -> None:
        """Plug it in again."""
        self._run(self._cutter.turn(State.OPEN))

    @property
    def bytes(self) -> int:
        """Everything that went through, both ways, without TCP's own."""
        return self._cutter.counts.up + self._cutter.counts.down

    def close(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._cutter.close)
        time.sleep(0.1)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401  as the work
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class Process:
    """One process of a contestant, killed and started again, with what it costs."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self._command = command
        self._log = log.open("ab")
        self._environment = environment
        self._spent_s = 0.0
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL, env=self._environment
        )

    def kill(self) -> None:
        """As a power cut ends it."""
        if self.process.poll() is None:
            self._spent_s += cpu_s(self.process.pid)
            self.process.kill()
        self.process.wait()

    @property
    def cpu_s(self) -> float:
        """Of all its lives."""
        return self._spent_s + (cpu_s(self.process.pid) if self.process.poll() is None else 0.0)

    @property
    def pss_mib(self) -> float:
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(text.split("Pss:")[1].split()[0]) / 1024

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._log.close()


class Broker:
    """A Mosquitto on loopback.

    Args:
        home: where its files lie.
        more: further lines of its configuration; a line for a key that stands there already replaces it.
        name: tells two of them apart.
    """

    def __init__(self, home: Path, more: str = "", name: str = "far") -> None:
        self.port = broker.free_port()
        folder = home / f"broker-{name}"
        folder.mkdir(exist_ok=True)
        command = broker.command("mosquitto", self.port, folder)
        replaced = {"log_type", *(line.split()[0] for line in more.splitlines())}
        configuration = folder / "mosquitto.conf"
        kept = [line for line in configuration.read_text().splitlines() if line.split()[0] not in replaced]
        configuration.write_text("\n".join([*kept, "log_type error", more]))
        self.process = Process(command, home / f"broker-{name}.log")
        self.wait()

    def wait(self) -> None:
        """Until it listens."""
        until(lambda: broker.listening(self.port), "the broker")


class Sink:
    """Counts the records that come to a broker, in memory, which costs less than what our centre does.

    Args:
        topics: what to subscribe to.
        numbers: the records' numbers in one message.
        answers: topics that are answered, as the platform would: what to, and with what.
    """

    def __init__(
        self,
        port: int,
        topics: str,
        numbers: Callable[[Any], list[int]],
        answer: Callable[[str], tuple[str, str] | None] = lambda _: None,
        more: tuple[str, ...] = (),
    ) -> None:
        self.seen: Counter[int] = Counter()
        self.first_s: float | None = None
        self.last_s = 0.0
        self._numbers = numbers
        self._answer = answer
        self._topics = [(each, 1) for each in (topics, *more)]
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
        self._client.on_connect = self._subscribe
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def forget(self) -> None:
        """Begin to count anew."""
        self.seen.clear()
        self.first_s = None

    def wait(self, wanted: int) -> None:
        """Until so many different records are there, or none has come for a while."""
        began_s = time.monotonic()
        while len(self.seen) < wanted:
            now_s = time.monotonic()
            if now_s - max(self.last_s, began_s) > SETTLED_S * (1 if self.seen else 8):
                return
            time.sleep(0.02)

    def close(self) -> None:
        """End it."""
        self._client.loop_stop()
        self._client.disconnect()

    def _subscribe(self, *_: object) -> None:
        self._client.subscribe(self._topics)

    def _take(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        if (answer := self._answer(message.topic)) is not None:
            self._client.publish(*answer, qos=1)
            return
        now_s = time.monotonic()
        numbers = self._numbers(json.loads(message.payload))
        if numbers and self.first_s is None:
            self.first_s = now_s
        self.last_s = now_s
        self.seen.update(numbers)


def cpu_s(pid: int) -> float:
    """Processor time that a process has spent, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def until(ready: Callable[[], object], what: str, longest_s: float = LONGEST_S) -> None:
    """Wait for something.

    Raises:
        RuntimeError: it did not come in time.
    """
    give_up_s = time.monotonic() + longest_s
    while not ready():
        if time.monotonic() > give_up_s:
            raise RuntimeError(f"{what} did not come in {longest_s:.0f} s")
        time.sleep(0.02)
