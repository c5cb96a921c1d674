"""The small parts of the radio: ports, windows, the pairing agent, whose trouble an error is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)
from dbus_fast import Message, MessageType

import drivers
from drivers.radio.bumble_backend import address_for
from drivers.transport.backend import Trouble, trouble_of
from drivers.transport.link import Wanted
from drivers.transport.pairing import PairingWindow
from drivers.transport.pairing_agent import AGENT_PATH, PairingAgent, address_of

CUFF = "C0:FF:EE:00:00:01"
PATH = "/org/bluez/hci0/dev_C0_FF_EE_00_00_01"
SERVICE = "00001810-0000-1000-8000-00805f9b34fb"


class Hour:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def call(member: str, path: str = PATH) -> Message:
    message = Message(
        destination=":1.7",
        path=AGENT_PATH,
        interface="org.bluez.Agent1",
        member=member,
        signature="o",
        body=[path],
        serial=1,
        sender=":1.1",
    )
    assert message.message_type is MessageType.METHOD_CALL
    return message


def test_bumble_stays_in_the_simulated_air_and_the_simulators() -> None:
    root = Path(drivers.__file__).parents[1]
    found = set()
    for package in ("edge", "drivers", "sync", "cli", "tui"):
        for path in (root / package).rglob("*.py"):
            if re.search(r"^\s*(from|import) bumble", path.read_text(), re.MULTILINE):
                found.add(str(path.relative_to(root)))
    allowed = re.compile(r"drivers/(radio/[a-z_]+|simulation/[a-z_]+|devices/[a-z0-9_]+/simulator)\.py")
    assert {path for path in found if not allowed.fullmatch(path)} == set()


def test_the_real_adapter_is_made_without_bumble_and_the_registry_without_bleak() -> None:
    for module, absent in (("drivers.transport.bluez", "bumble"), ("drivers.registry", "bleak")):
        script = f"import sys, {module}, drivers.transport.link; sys.exit({absent!r} in sys.modules)"
        subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    ("port", "wanted"),
    [
        ("ble:c0:ff:ee:00:00:01", Wanted(address=CUFF)),
        ("ble:any", Wanted(service=SERVICE)),
        ("ble:name:Polar H10", Wanted(service=SERVICE, name_prefix="Polar H10")),
    ],
)
def test_a_port_says_which_device(port: str, wanted: Wanted) -> None:
    assert Wanted.at(port, service=SERVICE) == wanted


@pytest.mark.parametrize("port", ["/dev/ttyUSB0", "ble:", "ble:C0:FF", "ble:name:", "C0:FF:EE:00:00:01"])
def test_what_names_no_device_is_no_port(port: str) -> None:
    with pytest.raises(ValueError, match="ble:"):
        Wanted.at(port, service=SERVICE)


def test_any_device_needs_a_service_to_be_known_by() -> None:
    with pytest.raises(ValueError, match="ble:"):
        Wanted.at("ble:any")


def test_a_window_is_for_enrolled_devices_and_closes_by_itself() -> None:
    hour = Hour()
    window = PairingWindow([CUFF.lower()], hour)
    assert not window.is_open(CUFF)
    window.open(CUFF, 60)
    window.open("C0:FF:EE:00:00:02", 60)
    assert window.is_open(CUFF)
    assert not window.is_open("C0:FF:EE:00:00:02")
    hour.now_s = 60
    assert not window.is_open(CUFF)
    window.open_all(0)
    assert not window.is_open(CUFF)
    window.open_all(10)
    window.close()
    assert not window.is_open(CUFF)
    assert PairingWindow([], hour, any_device=True).is_open("C0:FF:EE:00:00:09")


@pytest.mark.parametrize("question", ["RequestAuthorization", "RequestConfirmation", "AuthorizeService"])
def test_the_agent_says_yes_only_while_the_window_is_open(question: str) -> None:
    window = PairingWindow([CUFF], Hour())
    agent = PairingAgent(window)
    refused = agent.answer(call(question))
    assert isinstance(refused, Message)
    assert refused.error_name == "org.bluez.Error.Rejected"
    window.open(CUFF, 60)
    allowed = agent.answer(call(question))
    assert isinstance(allowed, Message)
    assert allowed.message_type is MessageType.METHOD_RETURN
    stranger = agent.answer(call(question, PATH.replace("_01", "_02")))
    assert isinstance(stranger, Message)
    assert stranger.message_type is MessageType.ERROR


@pytest.mark.parametrize("question", ["RequestPasskey", "RequestPinCode", "DisplayPasskey", "Anything"])
def test_the_agent_answers_no_question_that_needs_keys_or_eyes(question: str) -> None:
    window = PairingWindow([CUFF], Hour())
    window.open(CUFF, 60)
    answer = PairingAgent(window).answer(call(question))
    assert isinstance(answer, Message)
    assert answer.message_type is MessageType.ERROR


def test_the_agent_answers_only_for_itself() -> None:
    agent = PairingAgent(PairingWindow([CUFF], Hour()))
    for notice in ("Release", "Cancel"):
        answer = agent.answer(call(notice))
        assert isinstance(answer, Message)
        assert answer.message_type is MessageType.METHOD_RETURN
    other = call("RequestAuthorization")
    other.path = "/somebody/else"
    assert agent.answer(other) is None


def test_a_path_names_a_device_or_nobody() -> None:
    assert address_of(PATH) == CUFF
    assert address_of("/org/bluez/hci0") == ""


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (BleakDBusError("org.bluez.Error.InProgress", []), Trouble.ADAPTER),
        (BleakDBusError("org.bluez.Error.NotReady", []), Trouble.ADAPTER),
        (
            BleakBluetoothNotAvailableError("off", BleakBluetoothNotAvailableReason.POWERED_OFF),
            Trouble.ADAPTER,
        ),
        (BleakDBusError("org.freedesktop.DBus.Error.ServiceUnknown", []), Trouble.DAEMON),
        (ConnectionRefusedError(), Trouble.DAEMON),
        (EOFError(), Trouble.DAEMON),
        (BleakDBusError("org.bluez.Error.AuthenticationFailed", []), Trouble.KEYS),
        (BleakDBusError("org.bluez.Error.NotPermitted", ["Not paired"]), Trouble.KEYS),
        (BleakDBusError("org.bluez.Error.NotPermitted", ["Read not permitted"]), Trouble.DEVICE),
        (BleakGATTProtocolError(0x05), Trouble.KEYS),
        (BleakGATTProtocolError(0x0F), Trouble.KEYS),
        (BleakGATTProtocolError(0x80), Trouble.DEVICE),
        (BleakDBusError("org.bluez.Error.Failed", ["le-connection-abort-by-local"]), Trouble.DEVICE),
        (BleakDeviceNotFoundError(CUFF), Trouble.DEVICE),
        (BleakError("failed to discover services, device disconnected"), Trouble.DEVICE),
        (TimeoutError(), Trouble.DEVICE),
    ],
    ids=str,
)
def test_whose_trouble_an_error_is(error: Exception, trouble: Trouble) -> None:
    assert trouble_of(error) is trouble


def test_a_units_virtual_address_is_its_own_and_stays() -> None:
    assert address_for("van-07") == address_for("van-07")
    assert address_for("van-07") != address_for("van-08")
    assert int(address_for("van-07")[:2], 16) >= 0xC0  # a random static address begins with two ones
