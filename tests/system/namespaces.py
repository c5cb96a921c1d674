"""Machines of a test that reach each other over a bridge and nothing else, by network namespaces."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self

import pytest

_NET: Final = "10.231.77"


def need_namespaces() -> None:
    """Skip, with the reason, where network namespaces cannot be made: it takes root and the program ip."""
    reason = None
    if os.geteuid() != 0:
        reason = "making network namespaces takes root"
    elif shutil.which("ip") is None:
        reason = "the program ip (iproute2) is not installed"
    elif (
        subprocess.run(_ip("netns", "add", "qafila-probe"), capture_output=True, check=False).returncode != 0
    ):
        reason = "this machine lets nobody make a network namespace"
    else:
        subprocess.run(_ip("netns", "del", "qafila-probe"), check=True)
    if reason is not None:
        pytest.skip(reason)


class Network:
    """A bridge in a namespace of its own, and a namespace for each machine, each with one address.

    Attributes:
        address: of each machine.
        into: the words that run a command on each machine.
    """

    def __init__(self, machines: Sequence[str]) -> None:
        self._tag = f"q{uuid.uuid4().hex[:6]}"
        self._machines = list(machines)
        self.address: Mapping[str, str] = {
            name: f"{_NET}.{number}" for number, name in enumerate(machines, start=1)
        }
        self.into: Mapping[str, list[str]] = {
            name: _ip("netns", "exec", self._named(name)) for name in machines
        }

    def __enter__(self) -> Self:
        _run("netns", "add", self._named("air"))
        self._in("air", "link", "add", "bridge", "type", "bridge")
        self._in("air", "link", "set", "bridge", "up")
        for number, name in enumerate(self._machines):
            _run("netns", "add", self._named(name))
            self._in(name, "link", "set", "lo", "up")
            far = f"port{number}"
            self._in(
                name, "link", "add", "eth0", "type", "veth", "peer", "name", far, "netns", self._named("air")
            )
            self._in("air", "link", "set", far, "master", "bridge", "up")
            self._in(name, "addr", "add", f"{self.address[name]}/24", "dev", "eth0")
            self._in(name, "link", "set", "eth0", "up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in (*self._machines, "air"):
            subprocess.run(_ip("netns", "del", self._named(name)), capture_output=True, check=False)

    def plug(self, machine: str, *, into: bool) -> None:
        """Put a machine's cable in, or pull it."""
        self._in(machine, "link", "set", "eth0", "up" if into else "down")

    def routes(self, machine: str) -> list[str]:
        """Where its packets may go."""
        words = _ip("-n", self._named(machine), "route", "show")
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()

    def _named(self, name: str) -> str:
        return f"{self._tag}-{name}"

    def _in(self, name: str, *words: str) -> None:
        _run("-n", self._named(name), *words)


def _ip(*words: str) -> list[str]:
    return [shutil.which("ip") or "ip", *words]


def _run(*words: str) -> None:
    subprocess.run(_ip(*words), check=True, capture_output=True)
