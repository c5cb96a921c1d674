"""An Omron cuff with Omron's own protocol: unlocked with a key, its memory is read from end to end.

Nothing is written to its memory, so the cuff goes on counting what it has as not yet sent.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from typing import Final

from drivers.devices.omron_hem.codec import (
    BEGIN,
    END,
    FROM_CUFF,
    IN_PAIRING_MODE,
    KEY_SET,
    PAIRING_MODE,
    SERVICE,
    TO_CUFF,
    UNLOCK,
    UNLOCKED,
    Assembler,
    Packet,
    Type,
    read,
    set_key,
    split,
    unlock,
)
from drivers.devices.omron_hem.readings import collected, records_of
from drivers.devices.omron_hem.records import MODELS, Model, Record, model_called, time_of
from drivers.kinds import DriverContext
from drivers.setup.conversation import Conversation
from drivers.setup.ear import Done, Ear, Heard, Manner, Said, Send, Words
from drivers.setup.interpreter import Interpreter
from drivers.setup.known import Known
from drivers.setup.line import BleOpening
from drivers.setup.opening import DeviceLines
from drivers.setup.session import Family, SetUpDriver
from drivers.setup.steps import Ask, ReadIdentity, Require, Step, Subscribe
from edge.ports.driver import DeviceError, DeviceEvent, DeviceMisbehaved, DeviceUnavailable

ANSWER_WITHIN_S: Final = 2.0
TRIES: Final = 5
"""So often a request is sent in all; open drivers do the same."""
SILENCE_S: Final = 15.0

WORDS: Final = Words(
    "cuff",
    silent="press its Bluetooth button again, near the box.",
    wrong="see that the address in unit.toml is that of an Omron cuff of a model that is known.",
)
_OPENING: Final = BleOpening(service=SERVICE)


class MemoryEar(Ear):
    """Reads the memory, block after block, and gives what stood in it, oldest first."""

    def __init__(self, known: Known, model: Model) -> None:
        self._known = known
        self._model = model
        self._assembler = Assembler()
        self._blocks = model.blocks()
        self._waits_for: tuple[Type, int] | None = None
        self._asked = b""
        self._asked_s = 0.0
        self._tries = 0
        self._found: list[tuple[Record, bytes]] = []

    def begin(self, now_s: float) -> Iterable[Said]:
        return self._ask((Type.BEGIN, 0), BEGIN, now_s)

    def hear(self, heard: Heard) -> Iterable[Said]:
        packet = self._assembled(heard)
        if packet is None or self._waits_for is None or not packet.answers(self._waits_for[0]):
            return ()
        asked, address = self._waits_for
        match asked:
            case Type.READ if (packet.address, len(packet.data)) == (address, self._model.layout.block):
                return self._keep(packet, heard.at_s)
            case Type.BEGIN:
                return self._next(heard.at_s)
            case Type.END:
                self._waits_for = None
                return (*self._give(), Done())
            case _:
                return ()

    def tick(self, now_s: float) -> Iterable[Said]:
        if self._waits_for is None or now_s - self._asked_s < ANSWER_WITHIN_S:
            return ()
        if self._tries == TRIES:
            return (*self._give(), self._no_answer())
        self._assembler.forget()
        return self._send(now_s)

    def end(self) -> Iterable[Said]:
        return self._give()

    def _assembled(self, heard: Heard) -> Packet | None:
        if heard.channel not in FROM_CUFF:
            return None
        try:
            return self._assembler.take(FROM_CUFF.index(heard.channel), heard.raw)
        except DeviceMisbehaved:
            return None  # it is asked again

    def _keep(self, packet: Packet, now_s: float) -> Iterable[Said]:
        self._found += records_of(packet.data, self._model.layout)
        self._blocks.pop(0)
        return self._next(now_s)

    def _next(self, now_s: float) -> Iterable[Said]:
        if not self._blocks:
            return self._ask((Type.END, 0), END, now_s)
        address = self._blocks[0]
        return self._ask((Type.READ, address), read(address, self._model.layout.block), now_s)

    def _ask(self, waits_for: tuple[Type, int], packet: bytes, now_s: float) -> Iterable[Said]:
        self._waits_for, self._asked, self._tries = waits_for, packet, 0
        return self._send(now_s)

    def _send(self, now_s: float) -> Iterable[Said]:
        self._asked_s = now_s
        self._tries += 1
        return tuple(
            Send(part, channel, response=False)
            for part, channel in zip(split(self._asked), TO_CUFF, strict=False)
        )

    def _give(self) -> list[Said]:
        found, self._found = sorted(self._found, key=lambda each: time_of(each[0])), []
        wall = self._known.wall()
        return [collected(record, raw, wall) for record, raw in found]

    def _no_answer(self) -> DeviceError:
        return DeviceUnavailable(
            f"The cuff at {self._known.port} stopped answering.",
            next_step=WORDS.silent,
            code="device-silent",
        )


class OmronHem(SetUpDriver):
    """One configured cuff.

    Its key, the 16 bytes that unlock it, is looked up at each meeting (`DriverContext.secret`); without it
    a session is refused before the cuff is waited for. It is `pair` that gives a cuff its key.
    """

    def __init__(self, context: DriverContext) -> None:
        def ear(known: Known) -> Ear:
            return MemoryEar(known, _model(known, context.options.get("model", "")))

        super().__init__(
            context,
            Family(
                kind="omron-hem",
                words=WORDS,
                opening=_OPENING,
                steps=unlocking(lambda: _key(context)),
                ear=ear,
                manner=Manner(patience_s=SILENCE_S, tick_s=ANSWER_WITHIN_S / 4),
            ),
        )

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncGenerator[AsyncIterator[DeviceEvent]]:
        """See `SetUpDriver.session`; without a key a person is needed, not the cuff."""
        _key(self._context)
        async with super().session() as events:
            yield events


def unlocking(key: Callable[[], bytes]) -> tuple[Step, ...]:
    """What there is to do before the memory can be read."""
    return (
        Require(UNLOCK, "is no Omron cuff of this kind"),
        ReadIdentity(),
        Subscribe(UNLOCK),
        Ask(
            "unlock",
            lambda _: unlock(key()),
            _is_answer,
            channel=UNLOCK,
            learn=_unlocked,
            within_s=ANSWER_WITHIN_S,
        ),
        *(Subscribe(channel) for channel in FROM_CUFF),
    )


def giving(key: bytes) -> tuple[Step, ...]:
    """What there is to do to give a cuff in pairing mode its key."""
    return (
        Require(UNLOCK, "is no Omron cuff of this kind"),
        Subscribe(UNLOCK),
        Ask(
            "pairing mode", PAIRING_MODE, _is_answer, channel=UNLOCK, learn=_in_mode, within_s=ANSWER_WITHIN_S
        ),
        Ask("key", set_key(key), _is_answer, channel=UNLOCK, learn=_key_set, within_s=ANSWER_WITHIN_S),
    )


async def pair(context: DriverContext, key: bytes) -> None:
    """Give a cuff its key. The cuff must show *P*: only a person can put it there.

    Raises:
        DeviceUnavailable: it cannot be reached.
        DeviceMisbehaved: it is not in pairing mode (``not-in-pairing-mode``), or did not take the key.
        ValueError: the key has not 16 bytes.
    """
    steps = giving(key)
    lines = context.lines or DeviceLines(context.radio)
    now_s = asyncio.get_running_loop().time
    async with lines.open(context.port, _OPENING, bond=False) as line:
        known = Known(context.port, context.wall, now_s, line.address, line.mtu)
        await Interpreter(Conversation(line, now_s), known, WORDS, {}).run(steps)


def _key(context: DriverContext) -> bytes:
    key = context.secret()
    if key is None:
        raise DeviceUnavailable(
            f"No key is kept for the cuff at {context.port}.",
            next_step="hold its Bluetooth button until it shows P, and pair it.",
            code="key-missing",
        )
    return key


def _is_answer(raw: bytes) -> bool:
    return len(raw) >= len(UNLOCKED)


def _unlocked(known: Known, raw: bytes) -> None:
    if not raw.startswith(UNLOCKED):
        raise DeviceMisbehaved(
            f"The cuff at {known.port} does not take our key.",
            next_step="another box has paired with it: hold its button until it shows P, and pair it again.",
            code="key-refused",
        )


def _in_mode(known: Known, raw: bytes) -> None:
    if not raw.startswith(IN_PAIRING_MODE):
        raise DeviceMisbehaved(
            f"The cuff at {known.port} is not in pairing mode.",
            next_step="hold its Bluetooth button until it shows P, and try again.",
            code="not-in-pairing-mode",
        )


def _key_set(known: Known, raw: bytes) -> None:
    if not raw.startswith(KEY_SET):
        raise DeviceMisbehaved(
            f"The cuff at {known.port} did not take the key.",
            next_step="switch it off and on, hold its button until it shows P, and try again.",
            code="key-not-set",
        )


def _model(known: Known, configured: str) -> Model:
    model = model_called(configured or known.identity.model)
    if model is None:
        names = ", ".join(each.name for each in MODELS)
        raise DeviceMisbehaved(
            f"It is not known how the cuff at {known.port} keeps its records.",
            next_step=f"only {names} are understood; use sig-bp for a cuff that offers it.",
            code="model-not-supported",
        )
    return model
