"""The rehearsal's broker: the real Mosquitto where there is one, the embedded one otherwise.

Either keeps nothing on disk, so that killing it loses whatever it had acknowledged: the promise under
test must hold without it.
"""

import contextlib
import random
import shutil
import socket
import sys
from pathlib import Path
from typing import ClassVar, Final, Literal, TypeAlias

from edge.errors import QafilaError

BrokerKind: TypeAlias = Literal["mosquitto", "embedded"]
BrokerChoice: TypeAlias = Literal["auto", "mosquitto", "embedded"]
LOOPBACK: Final = "127.0.0.1"

_CONFIGURATION: Final = """\
listener {port} {host}
allow_anonymous true
persistence false
set_tcp_nodelay true
log_dest stderr
log_type all
connection_messages true
"""
"""``log_type all`` has every connection logged with its client id, which a subscriber cannot see: the
scanner looks for canaries in this log too."""


class BrokerMissing(QafilaError):
    """The broker that was asked for is not on this machine."""

    code: ClassVar[str] = "broker-missing"


def free_port() -> int:
    """A port on loopback that nobody listens on just now.

    From below the range that outgoing connections take theirs from (32768 to 60999 on Linux): one of those
    could otherwise sit on the broker's port while the rehearsal has the broker down.
    """
    while True:
        port = random.randrange(26_000, 32_000)  # noqa: S311  any will do
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port


def listening(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def choose(wanted: BrokerChoice) -> BrokerKind:
    """What ``auto`` means on this machine.

    Raises:
        BrokerMissing: Mosquitto was asked for by name and is not here.
    """
    if wanted == "embedded":
        return "embedded"
    if _mosquitto() is not None:
        return "mosquitto"
    if wanted == "mosquitto":
        raise BrokerMissing(
            "Mosquitto is not installed here.",
            next_step="install it (Debian: apt install mosquitto), or use --broker embedded.",
        )
    return "embedded"


def own_command(centre: Path) -> list[str]:
    """The command line that runs Mosquitto as the centre's own command has set it up, over TLS."""
    program = _mosquitto()
    assert program is not None  # noqa: S101  `choose` has found it
    return [program, "-c", str(centre / "mosquitto" / "mosquitto.conf")]


def command(kind: BrokerKind, port: int, folder: Path) -> list[str]:
    """The command line that runs this broker on ``port``; its configuration is written to ``folder``."""
    program = _mosquitto() if kind == "mosquitto" else None
    if program is None:
        return [sys.executable, "-m", "cli.rehearsal.embedded_broker", "--port", str(port)]
    configuration = folder / "mosquitto.conf"
    configuration.write_text(_CONFIGURATION.format(port=port, host=LOOPBACK))
    return [program, "-c", str(configuration)]


def _mosquitto() -> str | None:
    """On PATH, or where Debian puts it: /usr/sbin is not on everybody's PATH."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
