import json
from typing import Any

import pytest

from sync.uplink.settings import Broker, Patience, SettingsRefused, parse
from sync.wire import certificate
from sync.wire.certificate import Certificate
from tests.sync.uplink_rig import CentreKeys

CENTRE = CentreKeys()


def settings(**changes: object) -> dict[str, Any]:
    return {
        "unit": "van-07",
        "realm": "training",
        "spool_out": "/box/spool/out",
        "spool_in": "/box/spool/in",
        "notes": "/box/uplink",
        "brokers": [{"host": "127.0.0.1", "port": 1883, "tls": False}],
        "keyset": CENTRE.raw_keyset.hex(),
        "roots": [root.hex() for root in CENTRE.roots],
        **changes,
    }


def refusal(**changes: object) -> str:
    with pytest.raises(SettingsRefused) as refused:
        parse(json.dumps(settings(**changes)))
    assert refused.value.sentence.endswith(".")
    return refused.value.stable_code


def broker(host: str, *, tls: bool = False, port: int = 1883) -> list[dict[str, object]]:
    return [{"host": host, "port": port, "tls": tls}]


def test_plain_values_become_settings() -> None:
    read = parse(json.dumps(settings(patience={"backoff_max_s": 5})))
    assert read.brokers == (Broker("127.0.0.1", 1883),)
    assert read.keyset == CENTRE.keyset
    assert read.patience == Patience(backoff_max_s=5)


def test_the_name_localhost_is_never_looked_up() -> None:
    assert parse(json.dumps(settings(brokers=broker("localhost")))).brokers[0].host == "127.0.0.1"
    assert parse(json.dumps(settings(brokers=broker("::1")))).brokers[0].host == "::1"


@pytest.mark.parametrize("host", ["192.0.2.7", "broker.example", "0.0.0.0", "::", "127.0.0.1.example"])  # noqa: S104  hosts to refuse
def test_a_broker_elsewhere_is_never_reached_in_the_clear(host: str) -> None:
    assert refusal(brokers=broker(host)) == "broker-without-tls"


def test_a_production_unit_reaches_no_broker_in_the_clear() -> None:
    production = CentreKeys("production")
    changes: dict[str, object] = {
        "realm": "production",
        "keyset": production.raw_keyset.hex(),
        "roots": [root.hex() for root in production.roots],
    }
    assert refusal(**changes) == "broker-without-tls"
    assert refusal(**changes, brokers=broker("127.0.0.1", tls=True)) == "certificate-missing"


def test_one_bad_broker_among_good_ones_is_refused() -> None:
    assert refusal(brokers=[*broker("127.0.0.1"), *broker("192.0.2.7")]) == "broker-without-tls"


def certified(unit: str = "van-07", root: bytes = CENTRE.root) -> str:
    said = Certificate(unit, "training", 1, 2, bytes(8), (b"own",), (b"authority",))
    return certificate.sign(said, root).hex()


def test_a_broker_anywhere_is_reached_with_tls_and_a_certificate() -> None:
    elsewhere = broker("broker.example", tls=True, port=8883)
    read = parse(json.dumps(settings(brokers=elsewhere, certificate=certified())))
    assert read.brokers == (Broker("broker.example", 8883, tls=True),)
    assert read.certificate is not None
    assert refusal(brokers=elsewhere) == "certificate-missing"


def test_a_certificate_no_root_signed_for_this_unit_is_refused() -> None:
    for text in (certified("van-08"), certified(root=CentreKeys().root), "00"):
        assert refusal(certificate=text) == "certificate-refused"


@pytest.mark.parametrize(
    "changes",
    [
        {"keyset": CentreKeys().raw_keyset.hex()},
        {"keyset": CentreKeys("production").raw_keyset.hex()},
        {"keyset": "00"},
        {"roots": []},
    ],
)
def test_a_keyset_no_root_signed_for_this_realm_is_refused(changes: dict[str, object]) -> None:
    assert refusal(**changes) == "keyset-refused"


@pytest.mark.parametrize(
    "changes",
    [
        {"unit": "Van 07"},
        {"brokers": []},
        {"brokers": broker("127.0.0.1", port=0)},
        {"brokers": [{"host": "127.0.0.1"}]},
        {"brokers": "127.0.0.1"},
        {"spool_in": "relative"},
        {"keyset": "no hex"},
        {"surprise": 1},
        {"patience": {"surprise": 1}},
        {"patience": {"receipt_s": 0}},
        {"patience": {"receipt_s": "long"}},
        {"patience": []},
    ],
)
def test_values_that_make_no_sense_are_refused(changes: dict[str, object]) -> None:
    assert refusal(**changes) == "uplink-settings-refused"


@pytest.mark.parametrize("text", ["", "[]", "7", "{", '{"unit": "van-07"}'])
def test_what_is_no_settings_at_all_is_refused(text: str) -> None:
    with pytest.raises(SettingsRefused):
        parse(text)
