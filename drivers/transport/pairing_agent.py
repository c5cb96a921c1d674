"""The pairing agent: bluetoothd asks somebody before it pairs, and bleak offers nobody.

Without an agent a headless box can never bond a cuff: bluetoothd answers `AuthenticationFailed`. Ours has
neither display nor keys, so devices pair Just Works; it says yes to enrolled devices only, and only
while a pairing window is open. While a technician stands by it has keys: a device with a display then
shows a passkey, and the technician types it. It never has a display, for nobody could compare numbers
here, and what is not compared must not pass for it. Any other question is refused.
"""

import logging
from typing import Final

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from drivers.transport.pairing import PairingWindow

BLUEZ: Final = "org.bluez"
AGENT_PATH: Final = "/org/qafila/agent"
ALONE: Final = "NoInputNoOutput"
ATTENDED: Final = "KeyboardOnly"
_INTERFACE: Final = "org.bluez.Agent1"
_MANAGER: Final = "org.bluez.AgentManager1"
_REJECTED: Final = "org.bluez.Error.Rejected"
_EXISTS: Final = "org.bluez.Error.AlreadyExists"
_PASSKEY: Final = "RequestPasskey"
_NOTICES: Final = frozenset({"Release", "Cancel"})
_QUESTIONS: Final = frozenset({"RequestAuthorization", "RequestConfirmation", "AuthorizeService"})
"""Just Works asks the first when the other side begins, the second when it can compare numbers."""
_LOG: Final = logging.getLogger(__name__)


class PairingAgent:
    """org.bluez.Agent1 on one bus connection."""

    def __init__(self, window: PairingWindow) -> None:
        self._window = window
        self._capability = ""
        self._bus: MessageBus | None = None
        self._question: Message | None = None

    async def register(self, bus: MessageBus) -> str | None:
        """Become the agent for everything that nobody else is asked about; again after a restart.

        Returns the D-Bus error that refused it, or None.
        """
        bus.remove_message_handler(self.answer)
        bus.add_message_handler(self.answer)
        capability = ALONE if self._window.ask_passkey is None else ATTENDED
        if bus is self._bus and capability != self._capability:
            await self._ask(bus, "UnregisterAgent", "o", [AGENT_PATH])
        refused = await self._ask(bus, "RegisterAgent", "os", [AGENT_PATH, capability])
        if refused is not None and refused != _EXISTS:
            return refused
        self._bus, self._capability = bus, capability
        # bleak pairs from connections of its own, whose questions come to the default agent
        return await self._ask(bus, "RequestDefaultAgent", "o", [AGENT_PATH])

    def answer(self, message: Message) -> Message | bool | None:
        """What bluetoothd gets for a call; None for what is not ours, True for what is answered later."""
        if (
            message.message_type is not MessageType.METHOD_CALL
            or message.path != AGENT_PATH
            or message.interface != _INTERFACE
        ):
            return None
        if message.member in _NOTICES:
            self._question = None  # it waits no longer
            return Message.new_method_return(message)
        if message.member == _PASSKEY:
            return self._ask_passkey(message)
        if message.member in _QUESTIONS:
            address = address_of(str(message.body[0]) if message.body else "")
            if self._window.is_open(address):
                _LOG.info("pairing allowed", extra={"device": address})
                return Message.new_method_return(message)
            _LOG.warning("pairing refused", extra={"device": address})
        return _rejected(message)

    def _ask_passkey(self, message: Message) -> Message | bool:
        """Have the technician type what the device shows; bluetoothd waits for that by itself."""
        address = address_of(str(message.body[0]) if message.body else "")
        ask = self._window.ask_passkey
        if ask is None or not self._window.is_open(address):
            _LOG.warning("pairing refused", extra={"device": address})
            return _rejected(message)
        self._question = message
        _LOG.info("passkey asked", extra={"device": address})
        ask(address, lambda passkey: self._told(message, passkey))
        return True

    def _told(self, question: Message, passkey: int | None) -> None:
        if question is not self._question or self._bus is None:
            return  # bluetoothd has stopped waiting, or has been told
        self._question = None
        told = _rejected(question) if passkey is None else Message.new_method_return(question, "u", [passkey])
        if self._bus.connected:
            self._bus.send(told)

    async def _ask(self, bus: MessageBus, member: str, signature: str, body: list[str]) -> str | None:
        reply = await bus.call(
            Message(
                destination=BLUEZ,
                path="/org/bluez",
                interface=_MANAGER,
                member=member,
                signature=signature,
                body=body,
            )
        )
        return reply.error_name if reply.message_type is MessageType.ERROR else None


def _rejected(message: Message) -> Message:
    return Message.new_error(message, _REJECTED, "Not enrolled, or no pairing window is open.")


def address_of(path: str) -> str:
    """The address in ``/org/bluez/hci0/dev_AA_BB_CC_DD_EE_FF``; empty when there is none."""
    _, found, tail = path.rpartition("/dev_")
    return tail.replace("_", ":") if found else ""
