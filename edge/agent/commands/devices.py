"""What a technician does with devices: look around, pair, forget."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from typing import Final

from edge.agent import view
from edge.agent.capture import Capture
from edge.agent.commands.secrets import Secrets
from edge.agent.ledger import Ledger
from edge.agent.parts import Device
from edge.agent.refusals import (
    DeviceBusy,
    DeviceTaken,
    NoWorkshop,
    PairingFailed,
    SimulatedRefused,
    Unknown,
    VisitRefused,
)
from edge.agent.supervisor import Look, Supervisor
from edge.errors import QafilaError
from edge.ports.caller import Answer, Call, Json
from edge.ports.driver import DeviceUnavailable
from edge.ports.workshop import Nearby, Reply, Workshop

LOOK_EVERY_S: Final = 0.05
IDENTITY_WITHIN_S: Final = 2.0
"""A device that is met has said who it is by then, or never says it."""
USELESS: Final = frozenset(
    {
        "ble-pairing-failed",
        "device-not-understood",
        "ble-characteristic-missing",
        "port-missing",
        "port-denied",
        "port-busy",
        "port-not-real",
        "port-unusable",
        "radio-missing",
        "radio-down",
        "key-missing",
        "key-refused",
    }
)
"""How a first meeting ends that another try would not end otherwise."""


class DeviceCommands:
    """Commands on the devices themselves; what other commands on devices need too is open to them."""

    def __init__(
        self,
        ledger: Ledger,
        capture: Capture,
        supervisor: Supervisor,
        devices: dict[str, Device],
        workshop: Workshop | None,
        secrets: Secrets,
        *,
        production: bool,
    ) -> None:
        self._ledger = ledger
        self.capture = capture
        self.supervisor = supervisor
        self.devices = devices
        self._shop = workshop
        self._secrets = secrets
        self._production = production
        self._replies: dict[str, Reply] = {}
        self._pairing: str | None = None

    @property
    def workshop(self) -> Workshop:
        if self._shop is None:
            raise NoWorkshop
        return self._shop

    def known(self, device: str) -> Device:
        """The device of this key.

        Raises:
            Unknown: there is none.
        """
        found = self.devices.get(device)
        if found is None:
            raise no_such_device()
        return found

    async def scan(self, call: Call, *, seconds: int, air: bool, cables: bool) -> Answer:
        """What is near, and whether it is configured already."""
        await self._ledger.audit(call, call.method)
        scanned = await self.workshop.scan(seconds, air=air, cables=cables)
        found: list[Json] = [self._nearby(each) for each in scanned.found]
        return {"found": found, "blind": dict(scanned.blind)}

    async def pair(
        self,
        call: Call,
        *,
        device: str,
        kind: str | None,
        port: str | None,
        options: Mapping[str, str],
        simulated: bool,
        seconds: int,
    ) -> Answer:
        """Meet a new device, or one that has lost its pairing; while this lasts it may be paired.

        Raises:
            DeviceTaken: the key or the port belongs to another device.
            DeviceBusy: another device is being paired.
            PairingFailed: it was not met in time, or not as what it was said to be; nothing was kept.
        """
        await self._ledger.audit(call, call.method, device)
        new = await self._checked_new(device, kind, port, options, simulated=simulated)
        known = self.devices[device] if new is None else new
        size = self.workshop.secret_size(known.driver.kind)
        async with self._one_at_a_time(device):
            try:
                async with self.workshop.pairing(
                    known.port, lambda reply: self._ask(call, device, reply), again=new is None
                ):
                    try:
                        if size is None:
                            await self._until_met(device, await self._begin(new, device), seconds)
                        else:
                            async with self.supervisor.paused(device):
                                await self._give_secret(call, known, size, seconds)
                            await self._begin(new, device)
                    except BaseException:
                        if new is not None:
                            with contextlib.suppress(QafilaError):  # why it was not met is what counts
                                await self._drop(device, new.port)
                        raise
            finally:
                self._answer(device, None)
        if new is not None and call.caller.closed:
            # nobody is left to write it down: as if it had not been
            await self._drop(device, new.port)
        await self._until_it_has_said_who_it_is(device)
        return {
            "device": device,
            "kind": known.driver.kind,
            "port": known.port,
            "simulated": known.simulated,
            "paired": size is not None or await self.workshop.paired(known.port),
            "identity": self._identity(device),
        }

    async def passkey(self, _call: Call, *, device: str, passkey: int | None) -> Answer:
        """What somebody read off the device that is being paired; None when it shows none."""
        if not self._answer(device, passkey):
            raise PairingFailed(
                "No device waits for a passkey.",
                next_step="Start to pair it again; a passkey is good for half a minute.",
                code="no-passkey-asked",
            )
        return {}

    async def forget(self, call: Call, *, device: str, port: str | None) -> Answer:
        """Give up the keys for a device and listen to it no more."""
        known = self.devices.get(device)
        where = known.port if known is not None else port
        if where is None:
            raise no_such_device()
        self.refuse_during_visit()
        await self._ledger.audit(call, call.method, device)
        had_keys = await self._drop(device, where)
        if device in await self._ledger.read(lambda store: store.device_secrets()):
            await self._secrets.keep(call, self.workshop, device, None)
            had_keys = True
        return {"device": device, "port": where, "had_keys": had_keys}

    async def secret(self, call: Call, *, device: str, secret: str | None) -> Answer:
        """What unlocks a device, where somebody knows it; at pairing it is made."""
        kind = self.known(device).driver.kind
        return await self._secrets.typed(call, self.workshop, device, kind, secret)

    def refuse_during_visit(self) -> None:
        """Nothing is taken away from a nurse who is measuring.

        Raises:
            VisitRefused: a visit is open.
        """
        if self.capture.visit is not None:
            raise VisitRefused(
                "A visit is open, and the device may be on the patient.",
                next_step="Wait until the visit is closed.",
                code="visit-is-open",
            )

    # ── pairing ──────────────────────────────────────────────────────────────────────────────────

    async def _checked_new(
        self,
        device: str,
        kind: str | None,
        port: str | None,
        options: Mapping[str, str],
        *,
        simulated: bool,
    ) -> Device | None:
        """The device to be added, or None when it is there already and is to be paired again."""
        if kind is None or port is None:
            if device not in self.devices:
                raise no_such_device()
            return None
        if simulated and self._production:
            raise SimulatedRefused(
                "A simulated device has no place in production.", next_step="Pair the device itself."
            )
        taken = next((key for key, each in self.devices.items() if each.port == port), None)
        if device in self.devices or taken is not None:
            whose = device if device in self.devices else taken
            raise DeviceTaken(
                f"There is a device {whose} already at {self.devices[str(whose)].port}.",
                next_step="To pair it again give its key alone; otherwise give another key and another port.",
            )
        return Device(await self.workshop.make(device, kind, port, options), simulated, port)

    @contextlib.asynccontextmanager
    async def _one_at_a_time(self, device: str) -> AsyncGenerator[None]:
        if self._pairing is not None:
            raise DeviceBusy(
                f"The device {self._pairing} is being paired.", next_step="Wait until that is over."
            )
        self._pairing = device
        try:
            yield
        finally:
            self._pairing = None

    async def _begin(self, new: Device | None, device: str) -> Look:
        if new is not None:
            self.devices[device] = new
            self.capture.add(new)
            self.supervisor.add(new.driver)
            return self.supervisor.look(device)
        return await self.supervisor.reopen(device)

    async def _give_secret(self, call: Call, known: Device, size: int, seconds: int) -> None:
        """Make what unlocks the device, and keep it once the device has taken it.

        In this order: one that takes none keeps the one it has, and so do we.
        """
        device, secret, last = known.driver.key, self._secrets.make(size), None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        await self.workshop.give_secret(device, known.driver.kind, known.port, secret)
                        break
                    except DeviceUnavailable as error:
                        if error.stable_code in USELESS:
                            raise
                        last = error
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            raise last or _not_heard(seconds) from None
        await self._secrets.keep(call, self.workshop, device, secret)

    async def _until_met(self, device: str, look: Look, seconds: int) -> None:
        """Wait for the first meeting.

        A device in its pairing mode often hangs up as soon as it is paired; then it has been met.
        """
        try:
            async with asyncio.timeout(seconds):
                ended = 0
                while not self._met(device, look):
                    if look.ended > ended:
                        ended = look.ended
                        if await self._is_paired_by_air(device):
                            return
                        if look.error is not None and look.error.stable_code in USELESS:
                            raise look.error
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            if look.error is not None:
                raise look.error from None
            raise _not_heard(seconds) from None

    def _met(self, device: str, look: Look) -> bool:
        return look.events > 0 or self.supervisor.ready(device)

    async def _is_paired_by_air(self, device: str) -> bool:
        port = self.devices[device].port
        return is_bluetooth(port) and await self.workshop.paired(port)

    async def _until_it_has_said_who_it_is(self, device: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDENTITY_WITHIN_S):
                while device in self.devices:
                    if self.supervisor.identity(device) is not None:
                        return
                    await asyncio.sleep(LOOK_EVERY_S)

    def _ask(self, call: Call, device: str, reply: Reply) -> None:
        """A device shows a passkey: whoever pairs it is asked to read it."""
        self._answer(device, None)
        self._replies[device] = reply
        call.caller.post("passkey-asked", {"device": device})

    def _answer(self, device: str, passkey: int | None) -> bool:
        reply = self._replies.pop(device, None)
        if reply is not None:
            reply(passkey)
        return reply is not None

    async def _drop(self, device: str, port: str) -> bool:
        if device in self.devices:
            del self.devices[device]
            await self.supervisor.remove(device)
            self.capture.remove(device)
        return await self.workshop.forget(port)

    # ── showing ──────────────────────────────────────────────────────────────────────────────────

    def _identity(self, device: str) -> Json:
        said = self.supervisor.identity(device) if device in self.devices else None
        return None if said is None else view.identity(said)

    def _nearby(self, each: Nearby) -> Json:
        configured = next(
            (key for key, known in self.devices.items() if known.port in {each.port, *each.also}), None
        )
        return {
            "port": each.port,
            "also": list(each.also),
            "name": each.name,
            "kinds": list(each.kinds),
            "rssi": each.rssi,
            "paired": each.paired,
            "device": configured,
        }


def _not_heard(seconds: int) -> PairingFailed:
    return PairingFailed(
        f"The device was not heard within {seconds} s.",
        next_step="Put it into its pairing mode close to the box, see its batteries, and try again.",
        code="not-heard",
    )


def no_such_device() -> Unknown:
    return Unknown(
        "There is no such device.", next_step="`qafila devices list` lists them.", code="no-device"
    )


def is_bluetooth(port: str) -> bool:
    """Whether a port names something in the air."""
    return port.startswith("ble:")
