"""The ThingsBoard IoT Gateway, with its SQLite storage and a platform without limits behind it.

The platform is a broker with a sink that answers the one question a session asks: what its limits are. It
is told there are none, and up to 100 messages may be on their way.
"""

import contextlib
import json
import os
import shutil
import socket
import time
from pathlib import Path
from typing import Any, Final

from bench.peers.records import text
from bench.peers.world import Broker, Link, Process, Sink, until
from cli.rehearsal import broker

NAME: Final = "ThingsBoard gateway"
_LIMITS: Final = {
    "maxPayloadSize": 65536,
    "maxInflightMessages": 100,
    "rateLimits": {},
    "gatewayRateLimits": {},
}
_AT_ONCE: Final = 100
_REST_S: Final = 5.0
_RESTING: Final = 0.1
_REQUEST: Final = "v1/devices/me/rpc/request/"
_RESPONSE: Final = "v1/devices/me/rpc/response/"


class ThingsBoard:
    """One gateway below ``home``; ``environment`` is where it is installed."""

    def __init__(self, home: Path, environment: Path) -> None:
        self.far = Broker(home)
        self.link = Link(self.far.port)
        self.sink = Sink(self.far.port, "v1/gateway/telemetry", _numbers, _answer, more=(f"{_REQUEST}+",))
        self._port = broker.free_port()
        self._data = home / "data"
        self._data.mkdir()
        folder = home / "config"
        folder.mkdir()
        _configure(folder, self._data, self.link.port)
        extensions = (
            next((environment / "lib").glob("python3*")) / "site-packages/thingsboard_gateway/extensions"
        )
        (extensions / "feeder").mkdir(exist_ok=True)
        shutil.copy(
            Path(__file__).with_name("feeder_connector.py"), extensions / "feeder" / "feeder_connector.py"
        )
        self._process = Process(
            [
                str(environment / "bin" / "python"),
                "-c",
                "from thingsboard_gateway.tb_gateway import daemon; daemon()",
            ],
            home / "gateway.log",
            {
                **os.environ,
                "TB_GW_CONFIG_DIR": str(folder),
                "FEEDER_PORT": str(self._port),
                "TB_GW_LOGS_PATH": str(home),
            },
        )
        self._connect()

    @property
    def edge(self) -> list[Process]:
        """What runs in the van."""
        return [self._process]

    def feed(self, records: list[dict[str, Any]]) -> list[int]:
        """Hand records over; the numbers of those that it said it took."""
        acknowledged = 0
        with contextlib.suppress(OSError):
            for at in range(0, len(records), _AT_ONCE):
                some = records[at : at + _AT_ONCE]
                self._socket.sendall("".join(text(each) + "\n" for each in some).encode())
                while acknowledged < at + len(some):
                    got = self._socket.recv(65536)
                    if not got:
                        raise ConnectionError
                    acknowledged += got.count(b"\n")
        return [each["values"]["n"] for each in records[:acknowledged]]

    def is_stored(self, _wanted: int) -> bool:
        """Whether it has come to rest: what it keeps in memory before its disk is nobody's to see."""
        before_s = self._process.cpu_s
        time.sleep(_REST_S)
        return self._process.cpu_s - before_s < _REST_S * _RESTING

    def kill(self) -> None:
        """Kill it and start it again."""
        self._socket.close()
        self._process.kill()
        self._process.start()
        self._connect()

    def close(self) -> None:
        """End everything."""
        self._socket.close()
        self._process.kill()
        self.sink.close()
        self.link.close()
        self.far.process.kill()

    def _connect(self) -> None:
        def try_to() -> bool:
            try:
                self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
            except OSError:
                return False
            return True

        until(try_to, "the gateway", 120)


def _numbers(message: Any) -> list[int]:  # noqa: ANN401  JSON
    return [int(each["values"]["n"]) for rows in message.values() for each in rows if "n" in each["values"]]


def _answer(topic: str) -> tuple[str, str] | None:
    if not topic.startswith(_REQUEST):
        return None
    return _RESPONSE + topic.removeprefix(_REQUEST), json.dumps(_LIMITS)


def _configure(folder: Path, data: Path, port: int) -> None:
    settings = {
        "thingsboard": {
            "host": "127.0.0.1",
            "port": port,
            "remoteShell": False,
            "remoteConfiguration": False,
            "statistics": {"enable": False},
            "deviceFiltering": {"enable": False},
            "maxPayloadSizeBytes": 65536,
            "minPackSendDelayMS": 0,
            "minPackSizeToSend": 500,
            "checkConnectorsConfigurationInSeconds": 3600,
            "handleDeviceRenaming": False,
            "checkingDeviceActivity": {"checkDeviceInactivity": False},
            "security": {"type": "accessToken", "accessToken": "van"},
            "qos": 1,
            "reportStrategy": {"type": "ON_RECEIVED"},
            "rateLimits": "0:0,",
            "dpRateLimits": "0:0,",
            "messagesRateLimits": "0:0,",
            "deviceMessagesRateLimits": "0:0,",
            "deviceRateLimits": "0:0,",
            "deviceDpRateLimits": "0:0,",
        },
        "storage": {
            "type": "sqlite",
            "data_file_path": f"{data}/",
            "messages_ttl_check_in_hours": 1,
            "messages_ttl_in_days": 7,
            "max_read_records_count": 1000,
            "size_limit": 1024,
            "max_db_amount": 10,
            "oversize_check_period": 1,
            "writing_batch_size": 1000,
        },
        "grpc": {"enabled": False},
        "connectors": [
            {"type": "feeder", "name": "feeder", "configuration": "feeder.json", "class": "FeederConnector"}
        ],
    }
    (folder / "tb_gateway.json").write_text(json.dumps(settings))
    (folder / "feeder.json").write_text(json.dumps({"name": "feeder", "id": "feeder"}))
    quiet = {
        "class": "logging.StreamHandler",
        "level": "ERROR",
        "formatter": "plain",
        "stream": "ext://sys.stderr",
    }
    names = ("service", "tb_connection", "storage", "extension", "connector", "converter")
    logs = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"class": "logging.Formatter", "format": "%(message)s"}},
        "handlers": {"quiet": quiet},
        "loggers": {name: {"handlers": ["quiet"], "level": "ERROR", "propagate": False} for name in names},
        "root": {"level": "ERROR", "handlers": ["quiet"]},
        "ts": 1,
    }
    (folder / "logs.json").write_text(json.dumps(logs))
