"""What Mosquitto needs to be this centre's broker: configuration, rights, certificates, revocations.

Two listeners. That for units believes the units' authority and makes the certificate's name both the user
and the client id, so there is one living connection of a unit and its rights are its name's. That for the
centre believes the hosts' authority, and is for this machine unless somebody opens it.

A revoked unit cannot come back (the revocation list, read again on SIGHUP together with new session
tickets), and its living connection is ended by taking its client id over on the centre's listener.
"""

import contextlib
import os
import pwd
import signal
import time
from pathlib import Path
from typing import Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from sync.central import authorities
from sync.central.home import CentreHome
from sync.wire import topics

PORT: Final = 8883
CENTRE_PORT: Final = 8884
CENTRE_HOST: Final = "127.0.0.1"
_KICK_S: Final = 10.0

_CONFIGURATION: Final = """\
# Written by `qafila central broker mosquitto`, which writes it anew: put what you add into {folder}/extra.
# Run it: mosquitto -c {folder}/mosquitto.conf

user {user}
pid_file {folder}/mosquitto.pid
persistence false
set_tcp_nodelay true
max_inflight_messages 20
max_queued_messages 1000
max_packet_size 300000
allow_anonymous false
acl_file {folder}/acl
connection_messages true
log_type error
log_type warning
log_type notice
log_dest stderr
include_dir {folder}/extra

# Units: the certificate's name is user and client id, so a second connection ends the first.
listener {port}
cafile {folder}/units.crt
crlfile {folder}/units.crl
certfile {folder}/server.crt
keyfile {folder}/server.key
tls_version tlsv1.3
require_certificate true
use_identity_as_username true
use_username_as_clientid true

# The centre's own processes.
listener {centre_port} {centre_host}
cafile {folder}/hosts.crt
certfile {folder}/server.crt
keyfile {folder}/server.key
tls_version tlsv1.3
require_certificate true
use_identity_as_username true
"""

_RIGHTS: Final = """\
# Written by `qafila central broker mosquitto`. %u is the name in the certificate.
# A process of the centre, on the listener that believes its authority alone:
user {collect}
topic read {prefix}/+/up/#
topic read {prefix}/+/state
topic write {prefix}/+/receipt/landed
topic write {prefix}/+/keyset
topic write {prefix}/+/certificate

user {explode}
topic read {prefix}/+/state
topic write {prefix}/+/receipt/opened
topic write {prefix}/+/down/#
topic write {prefix}/+/keyset
topic write {prefix}/+/certificate

# A unit, under its own name and no other:
pattern write {prefix}/%u/up/#
pattern write {prefix}/%u/state
pattern read {prefix}/%u/state
pattern read {prefix}/%u/receipt/#
pattern read {prefix}/%u/down/#
pattern read {prefix}/%u/keyset
pattern read {prefix}/%u/certificate
"""


def folder(home: CentreHome) -> Path:
    return home.directory / "mosquitto"


def write(
    home: CentreHome,
    realm: str,
    host: str,
    now_ms: int,
    *,
    port: int = PORT,
    centre_port: int = CENTRE_PORT,
    lies_at: Path | None = None,
) -> None:
    """Write everything that the broker reads, with a new certificate of its own.

    Args:
        home: the centre, which has authorities.
        realm: the centre's.
        host: the name or address by which units know the broker.
        now_ms: when certificates begin.
        port: where units connect.
        centre_port: where the centre's processes connect, on this machine.
        lies_at: where the centre's folder will be, where that is not where it is being made.
    """
    there = folder(home)
    final = (lies_at or home.directory).absolute() / "mosquitto"
    for directory in (there, there / "extra"):
        directory.mkdir(mode=0o700, exist_ok=True)
    names = list(dict.fromkeys([host, "localhost", CENTRE_HOST]))
    key, made = authorities.issue_server(home, realm, names, now_ms)
    user = pwd.getpwuid(os.getuid()).pw_name
    configuration = _CONFIGURATION.format(
        folder=final, user=user, port=port, centre_port=centre_port, centre_host=CENTRE_HOST
    )
    rights = _RIGHTS.format(prefix=topics.PREFIX, collect=authorities.COLLECT, explode=authorities.EXPLODE)
    authorities.replace(there / "server.key", key)
    authorities.replace(there / "server.crt", made)
    authorities.replace(there / "mosquitto.conf", configuration.encode())
    authorities.replace(there / "acl", rights.encode())
    refresh(home, now_ms)


def refresh(home: CentreHome, now_ms: int) -> None:
    """Write whom the broker believes and whom no longer, as the authorities have it now."""
    there = folder(home)
    authorities.replace(there / "units.crt", authorities.pem(authorities.believed(home, authorities.UNITS)))
    authorities.replace(there / "hosts.crt", authorities.pem(authorities.believed(home, authorities.HOSTS)))
    authorities.replace(there / "units.crl", authorities.revocations(home, now_ms))


def reload(home: CentreHome) -> bool:
    """Have a broker that runs on this machine read its files again; False where none does."""
    try:
        number = int((folder(home) / "mosquitto.pid").read_text())
        if b"mosquitto" not in Path(f"/proc/{number}/cmdline").read_bytes():
            return False  # the number is somebody else's by now
        os.kill(number, signal.SIGHUP)
    except (OSError, ValueError):
        return False
    return True


def end_connection(home: CentreHome, unit: str, host: str, port: int) -> bool:
    """End a unit's living connection by taking its client id over; False where the broker is not reached.

    Whoever holds the hosts' authority may use any client id; MQTT has one living connection under each.
    """
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=unit,
        protocol=MQTTProtocolVersion.MQTTv5,
        reconnect_on_failure=False,
    )
    client.tls_set_context(authorities.context(home, "explode"))
    client.connect_timeout = _KICK_S
    accepted: list[bool] = []
    client.on_connect = lambda _client, _data, _flags, reason, _said: accepted.append(not reason.is_failure)
    with contextlib.suppress(OSError, ValueError):
        client.connect(host, port)
        end_s = time.monotonic() + _KICK_S
        while not accepted and time.monotonic() < end_s and client.loop(0.1) == mqtt.MQTT_ERR_SUCCESS:
            pass
        client.disconnect()
    return accepted == [True]
