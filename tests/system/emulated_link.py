"""A thin, long or broken link between two network namespaces: real TCP over an emulated wire.

``python -m tests.system.emulated_link`` makes two namespaces without any way out, joins them by two TUN
devices and carries every IP packet from one to the other through a queue of its own: rate, delay, loss,
length of the queue, black hole. What retransmits, backs off and gives up is the kernel's TCP.

*near* is where the uplink lives, *far* where the broker listens on `BROKER`: an address of loopback, routed
over the wire, because without TLS an uplink speaks to loopback only. The process says one JSON line when it
is ready, with the pids whose namespaces to enter, then one after each JSON line it reads::

    {"rate_bps": 40000, "delay_ms": 350, "loss": 0.02, "queue_bytes": 20000}    both directions
    {"hole": true}          every packet is swallowed, in both directions, until {"hole": false}
    {}                      change nothing

Each answer counts since the start, for ``up`` and ``down``: packets and bytes offered (IP headers included),
bytes delivered, packets lost, packets that found the queue full, packets swallowed. The end of stdin ends it.
"""

import ctypes
import dataclasses
import fcntl
import json
import math
import os
import random
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, Final

BROKER: Final = "127.0.0.9"
NEAR_ADDRESS: Final = "10.99.0.1"
FAR_ADDRESS: Final = "10.99.0.2"
_NEWUSER: Final = 0x10000000
_NEWNET: Final = 0x40000000
_TUNSETIFF: Final = 0x400454CA
_TUN_WITHOUT_HEADER: Final = 0x0001 | 0x1000
_PR_SET_PDEATHSIG: Final = 1
_MOST_PACKET: Final = 2048
IP: Final = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass(slots=True)
class Counts:
    """What was offered to one direction, and what became of it."""

    packets: int = 0
    bytes: int = 0
    delivered: int = 0
    lost: int = 0
    dropped: int = 0
    swallowed: int = 0


class Direction:
    """A wire with a queue in front of it, one way.

    Args:
        seed: of the losses.
    """

    def __init__(self, seed: int) -> None:
        self.rate_bps = 0.0
        self.delay_s = 0.0
        self.loss = 0.0
        self.queue_bytes = 256 * 1024
        self.hole = False
        self.counts = Counts()
        self._random = random.Random(seed)  # noqa: S311  decides which packets are lost
        self._free_s = 0.0
        self._wire: deque[tuple[float, bytes]] = deque()

    def offer(self, packet: bytes, now_s: float) -> None:
        """Take a packet: onto the wire behind what is queued, or lost."""
        self.counts.packets += 1
        self.counts.bytes += len(packet)
        if self.hole:
            self.counts.swallowed += 1
            return
        begin_s = max(now_s, self._free_s)
        if self.rate_bps:
            if (begin_s - now_s) * self.rate_bps / 8 + len(packet) > self.queue_bytes:
                self.counts.dropped += 1
                return
            begin_s += len(packet) * 8 / self.rate_bps
        self._free_s = begin_s
        if self._random.random() < self.loss:  # it has taken its time on the wire and does not arrive
            self.counts.lost += 1
            return
        self._wire.append((begin_s + self.delay_s, packet))

    def due(self, now_s: float) -> list[bytes]:
        """What has come to the other end."""
        arrived: list[bytes] = []
        while self._wire and self._wire[0][0] <= now_s:
            packet = self._wire.popleft()[1]
            if self.hole:
                self.counts.swallowed += 1
            else:
                self.counts.delivered += len(packet)
                arrived.append(packet)
        return arrived

    def next_s(self) -> float:
        """When the next packet arrives, or never."""
        return self._wire[0][0] if self._wire else math.inf


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _leave_the_network(*, as_user: bool) -> None:
    uid, gid = os.getuid(), os.getgid()
    _check(_LIBC.unshare((_NEWUSER if as_user else 0) | _NEWNET))
    if as_user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def _ip(words: str) -> None:
    subprocess.run([IP or "ip", *words.split()], check=True)


def _tun(name: str, own: str, to: str) -> int:
    """A TUN device in the present namespace: ``own`` is its address, ``to`` lies behind it."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _TUN_WITHOUT_HEADER))
    for words in (
        f"addr add {own}/32 dev {name}",
        f"link set {name} up",
        f"route add {to}/32 dev {name} src {own}",
    ):
        _ip(words)
    Path(f"/proc/sys/net/ipv4/conf/{name}/route_localnet").write_text("1")
    return descriptor


def _stay() -> int:
    """A child that keeps the present namespace and ends with this process."""
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _check(_LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL)))
        while os.getppid() == parent:
            time.sleep(3600)
        os._exit(0)
    return child


class EmulatedLink:
    """Both namespaces and the wire between them."""

    def __init__(self, seed: int) -> None:
        as_user = os.geteuid() != 0
        try:
            _leave_the_network(as_user=as_user)
        except PermissionError:
            as_user = True
            _leave_the_network(as_user=True)
        # Without loopback of its own, the broker's address leads over the wire.
        near = _tun("near", NEAR_ADDRESS, BROKER)
        self.near_pid = _stay()
        _leave_the_network(as_user=False)
        _ip("link set lo up")
        far = _tun("far", FAR_ADDRESS, NEAR_ADDRESS)
        self.as_user = as_user
        self.up, self.down = Direction(seed), Direction(seed + 1)
        self._ways = ((near, far, self.up), (far, near, self.down))

    def run(self) -> None:
        poller = select.poll()
        for descriptor in (self._ways[0][0], self._ways[1][0], sys.stdin.fileno()):
            poller.register(descriptor, select.POLLIN)
        while True:
            due_s = min(way.next_s() for _, _, way in self._ways)
            wait_ms = None if due_s == math.inf else max(0.0, (due_s - time.monotonic()) * 1000)
            ready = dict(poller.poll(wait_ms))
            for source, target, way in self._ways:
                if source in ready:
                    self._read(source, way)
                for packet in way.due(time.monotonic()):
                    _write(target, packet)
            if sys.stdin.fileno() in ready and not self._obey(sys.stdin.readline()):
                return

    def _read(self, source: int, way: Direction) -> None:
        for _ in range(64):
            try:
                packet = os.read(source, _MOST_PACKET)
            except BlockingIOError:
                return
            if packet[0] >> 4 == 4:  # the kernel's own IPv6 chatter is nobody's traffic
                way.offer(packet, time.monotonic())

    def _obey(self, line: str) -> bool:
        if not line:
            return False
        wanted: dict[str, Any] = json.loads(line)
        for way in (self.up, self.down):
            way.rate_bps = float(wanted.get("rate_bps", way.rate_bps))
            way.delay_s = float(wanted.get("delay_ms", way.delay_s * 1000)) / 1000
            way.loss = float(wanted.get("loss", way.loss))
            way.queue_bytes = int(wanted.get("queue_bytes", way.queue_bytes))
            way.hole = bool(wanted.get("hole", way.hole))
        self.say()
        return True

    def say(self, **more: object) -> None:
        counts = {"up": dataclasses.asdict(self.up.counts), "down": dataclasses.asdict(self.down.counts)}
        _say({**counts, **more})


def _write(target: int, packet: bytes) -> None:
    try:
        os.write(target, packet)
    except BlockingIOError:
        return  # the kernel takes no more for now: one more packet lost


def _say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    try:
        link = EmulatedLink(seed)
    except (OSError, subprocess.CalledProcessError) as error:
        _say({"impossible": f"no network namespaces with TUN devices here: {error}"})
        return
    link.say(near=link.near_pid, far=os.getpid(), as_user=link.as_user)
    link.run()


if __name__ == "__main__":
    main()
