"""Fixtures of the system tests: real brokers, fresh for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.brokers import Broker, EmbeddedBroker, Mosquitto


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture(params=["mosquitto", "embedded"])
def any_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """Both brokers in turn."""
    broker: Mosquitto | EmbeddedBroker = (
        Mosquitto(tmp_path) if request.param == "mosquitto" else EmbeddedBroker()
    )
    with broker:
        yield broker
