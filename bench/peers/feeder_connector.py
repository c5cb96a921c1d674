r"""A connector for the ThingsBoard IoT Gateway, installed in its environment by the bench.

It listens on a socket, hands every line to the gateway's storage and answers ``1\n`` once the gateway has
said that it took it: the least that a device's driver can do. Nothing here imports it: the gateway does.
"""

import json
import os
import socket
from threading import Thread
from typing import Any, BinaryIO

from thingsboard_gateway.connectors.connector import Connector  # type: ignore[import-not-found]
from thingsboard_gateway.gateway.entities.converted_data import ConvertedData  # type: ignore[import-not-found]
from thingsboard_gateway.gateway.entities.datapoint_key import DatapointKey  # type: ignore[import-not-found]
from thingsboard_gateway.gateway.entities.telemetry_entry import TelemetryEntry  # type: ignore[import-not-found]


class FeederConnector(Connector, Thread):  # type: ignore[misc]  # it is installed elsewhere
    """Records from a socket, one JSON object a line. Its methods are those that the gateway calls."""

    def __init__(self, gateway: Any, config: dict[str, Any], connector_type: str) -> None:  # noqa: ANN401  theirs
        super().__init__(daemon=True)
        self._gateway, self._config, self._type = gateway, config, connector_type
        self._id = config.get("id", "feeder")

    def open(self) -> None:
        self.start()

    def run(self) -> None:
        """Take one feeder after another."""
        with socket.create_server(("127.0.0.1", int(os.environ["FEEDER_PORT"]))) as server:
            while True:
                connection, _ = server.accept()
                with connection, connection.makefile("rb") as lines:
                    self._take(connection, lines)

    def _take(self, connection: socket.socket, lines: BinaryIO) -> None:
        for line in lines:
            record = json.loads(line)
            data = ConvertedData("van", "van")
            values = {DatapointKey(key): value for key, value in record["values"].items()}
            data.add_to_telemetry(TelemetryEntry(values, ts=record["ts"]))
            status = self._gateway.send_to_storage(self.get_name(), self._id, data)
            if "SUCCESS" in str(status):
                connection.sendall(b"1\n")

    def close(self) -> None:
        """Nothing is to be done: it ends with the gateway."""

    def get_id(self) -> str:
        return str(self._id)

    def get_name(self) -> str:
        return "feeder"

    def get_type(self) -> str:
        return self._type

    def get_config(self) -> dict[str, Any]:
        return self._config

    def is_connected(self) -> bool:
        return True

    def is_stopped(self) -> bool:
        return False

    def on_attributes_update(self, content: object) -> None:
        """Nothing comes down."""

    def server_side_rpc_handler(self, content: object) -> None:
        """Nothing comes down."""
