"""Turns `qafila uplink` into the process that faces the network."""

import json
import os
import sys
from typing import Any, NoReturn

from cli.unit_setup import BUNDLE_FILE, installed
from edge.config import Places, UnitConfig, effective
from edge.config.keeper import Effective
from edge.config.slots import STATE
from edge.errors import QafilaError
from sync.boxend.pinned import Enrolment


def link_settings(config: UnitConfig) -> dict[str, Any]:
    """What the uplink is told of the kind of link and its bytes."""
    megabytes = config.link.day_mb
    return {
        "profile": config.link.profile,
        "day_bytes": None if megabytes is None else megabytes * 1_000_000,
    }


def brokers(holds: Effective, enrolled: Enrolment) -> list[dict[str, Any]]:
    """Where to knock, in turn: what the centre names, then what enrolment did.

    The latter stay, so that no configuration can cut a unit off.
    """
    named = () if holds.centre is None else holds.centre.broker
    both = [(b.host, b.port, b.tls) for b in named] + [(b.host, b.port, b.tls) for b in enrolled.brokers]
    return [{"host": host, "port": port, "tls": tls} for host, port, tls in dict.fromkeys(both)]


def become_uplink(places: Places, *, backoff_max_s: float, json_log: bool = False) -> NoReturn:
    """Check the configuration, then replace this process by the uplink with plain values on a descriptor.

    The uplink itself loads neither the models that check a configuration nor the command line: the
    process that faces the network stays small enough to read.

    Raises:
        QafilaError: ``not-enrolled`` before a bundle is installed; what `load` raises.
    """
    holds = effective(places)
    config, enrolled = holds.config, installed(places)
    if enrolled is None:
        raise QafilaError(
            "This unit is not enrolled, so there is no broker to speak to and no centre to believe.",
            next_step="Run qafila unit csr, have the centre sign it, then qafila unit enrol.",
            code="not-enrolled",
        )
    places.uplink.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = {
        "unit": config.unit.id,
        "realm": config.unit.realm,
        "spool_out": str(places.spool_out),
        "spool_in": str(places.spool_in),
        "notes": str(places.uplink),
        "brokers": brokers(holds, enrolled),
        "configuration": str(places.configuration / STATE),
        "keyset": enrolled.keyset_raw.hex(),
        "bundle": str(places.pinned / BUNDLE_FILE),
        "again": [sys.executable, *sys.orig_argv[1:]],
        "certificate": enrolled.certificate_raw.hex(),
        "roots": [root.hex() for root in enrolled.roots],
        **link_settings(config),
        "metrics_port": config.metrics.port,
        "patience": {"backoff_max_s": backoff_max_s, "backoff_min_s": min(1.0, backoff_max_s)},
    }
    # A sealed memory file: nothing on disk, nothing in arguments, and no pipe that could fill up.
    descriptor = os.memfd_create("uplink-settings", 0)
    os.write(descriptor, json.dumps(settings).encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.set_inheritable(descriptor, True)  # noqa: FBT003  the standard library takes it only so
    words = [
        sys.executable,
        "-P",
        "-m",
        "sync.uplink",
        "--fd",
        str(descriptor),
        *(["--json"] if json_log else []),
    ]
    os.execv(sys.executable, words)  # noqa: S606  a list, no shell
