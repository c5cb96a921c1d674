"""What a screen asks of the agent, and the real one at the other end of the socket."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias, TypeVar
from uuid import UUID

from pydantic import ValidationError

from edge.localapi.answers import (
    Encounter,
    EncounterClosed,
    EncounterOpened,
    GlassBroken,
    Patients,
    Registered,
    SignedIn,
    Snapshot,
    Status,
    Tray,
)
from edge.localapi.client import AgentUnreachable, Api, connect
from edge.localapi.messages import EVENTS
from edge.localapi.shapes import Message, PatientShown, Saved

Event: TypeAlias = tuple[str, Message]
"""The name of an event and what it says."""

M = TypeVar("M", bound=Message)

TOPICS: Final = ("readings", "saved", "streams", "devices", "link")
WAVES: Final = "waves"


class Agent(Protocol):
    """Everything a screen can ask for. Any call may raise a `QafilaError`.

    `CallRefused` is an answer: nothing was done. `AgentUnreachable` is none: a command that is given again
    with its ``request`` id is done at most once.
    """

    def connected(self) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """A connection, and the events that come over it until it ends with `AgentUnreachable`."""
        ...

    async def call(self, method: str, answer: type[M], request: str | None = None, /, **fields: object) -> M:
        """Any method of the local API, for a screen that needs one which no other does."""
        ...

    async def status(self) -> Status: ...
    async def sign_in(self, user: str, pin: str) -> SignedIn: ...
    async def sign_out(self) -> None: ...
    async def present(self) -> None: ...
    async def subscribe(self, topics: Sequence[str]) -> None: ...
    async def patients(self) -> Patients: ...
    async def tray(self) -> Tray: ...
    async def snapshot(self) -> Snapshot: ...
    async def register(self, request: str, fields: Mapping[str, Any]) -> Registered: ...
    async def likely(self, fields: Mapping[str, Any]) -> Patients: ...
    async def open_encounter(self, request: str, patient: UUID) -> EncounterOpened: ...
    async def close_encounter(self, request: str, encounter: UUID) -> EncounterClosed: ...
    async def encounter(self, encounter: UUID) -> Encounter: ...
    async def observe(
        self,
        request: str,
        encounter: UUID,
        values: Mapping[str, str],
        confirmed: Sequence[str],
        *,
        missing: Mapping[str, str] = ...,
        at: str | None = None,
    ) -> Saved: ...
    async def correct(
        self,
        request: str,
        encounter: UUID,
        observation: int,
        value: str | None,
        reason: str,
        confirmed: Sequence[str],
    ) -> Saved: ...
    async def assign(
        self, request: str, encounter: UUID, observations: Sequence[int], reason: str
    ) -> Saved: ...
    async def measure(self, device: str, mode: str) -> None: ...
    async def stop(self, device: str) -> None: ...
    async def break_glass(self, request: str, reason: str, minutes: int) -> GlassBroken: ...


class SocketAgent:
    """The agent that listens at a socket.

    Args:
        socket: where.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._api: Api | None = None

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[AsyncIterator[Event]]:
        async with connect(self._socket) as api:
            self._api = api
            try:
                yield _events(api)
            finally:
                self._api = None

    async def call(self, method: str, answer: type[M], request: str | None = None, /, **fields: object) -> M:
        return answer.model_validate(await self._ask(method, request, **fields))

    async def status(self) -> Status:
        return Status.model_validate(await self._ask("status"))

    async def sign_in(self, user: str, pin: str) -> SignedIn:
        return SignedIn.model_validate(await self._ask("sign-in", user=user, pin=pin))

    async def sign_out(self) -> None:
        await self._ask("sign-out")

    async def present(self) -> None:
        await self._ask("present")

    async def subscribe(self, topics: Sequence[str]) -> None:
        await self._ask("subscribe", topics=list(topics))

    async def patients(self) -> Patients:
        return Patients.model_validate(await self._ask("patient.list"))

    async def tray(self) -> Tray:
        return Tray.model_validate(await self._ask("tray.list"))

    async def snapshot(self) -> Snapshot:
        return Snapshot.model_validate(await self._ask("snapshot"))

    async def register(self, request: str, fields: Mapping[str, Any]) -> Registered:
        return Registered.model_validate(await self._ask("patient.register", request, **fields))

    async def likely(self, fields: Mapping[str, Any]) -> Patients:
        return Patients.model_validate(await self._ask("patient.likely", **fields))

    async def open_encounter(self, request: str, patient: UUID) -> EncounterOpened:
        return EncounterOpened.model_validate(
            await self._ask("encounter.open", request, patient=str(patient))
        )

    async def close_encounter(self, request: str, encounter: UUID) -> EncounterClosed:
        return EncounterClosed.model_validate(
            await self._ask("encounter.close", request, encounter=str(encounter))
        )

    async def encounter(self, encounter: UUID) -> Encounter:
        return Encounter.model_validate(await self._ask("encounter.show", encounter=str(encounter)))

    async def observe(
        self,
        request: str,
        encounter: UUID,
        values: Mapping[str, str],
        confirmed: Sequence[str],
        *,
        missing: Mapping[str, str] = MappingProxyType({}),
        at: str | None = None,
    ) -> Saved:
        fields: dict[str, Any] = {
            "encounter": str(encounter),
            "values": [
                *({"code": code, "value": value} for code, value in values.items()),
                *({"code": code, "missing": why} for code, why in missing.items()),
            ],
            "confirmed": list(confirmed),
        }
        if at is not None:
            fields |= {"source": "late", "at": at}
        return Saved.model_validate(await self._ask("observe", request, **fields))

    async def correct(
        self,
        request: str,
        encounter: UUID,
        observation: int,
        value: str | None,
        reason: str,
        confirmed: Sequence[str],
    ) -> Saved:
        fields: dict[str, Any] = {
            "encounter": str(encounter),
            "observation": observation,
            "value": value,
            "reason": reason,
            "confirmed": list(confirmed),
        }
        return Saved.model_validate(await self._ask("observation.correct", request, **fields))

    async def assign(self, request: str, encounter: UUID, observations: Sequence[int], reason: str) -> Saved:
        fields = {"encounter": str(encounter), "observations": list(observations), "reason": reason}
        return Saved.model_validate(await self._ask("tray.assign", request, **fields))

    async def measure(self, device: str, mode: str) -> None:
        await self._ask("device.measure", device=device, mode=mode)

    async def stop(self, device: str) -> None:
        await self._ask("device.stop", device=device)

    async def break_glass(self, request: str, reason: str, minutes: int) -> GlassBroken:
        answer = await self._ask("break-glass", request, reason=reason, minutes=minutes)
        return GlassBroken.model_validate(answer)

    async def _ask(self, method: str, request: str | None = None, /, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  as wide as JSON
        if self._api is None:
            raise AgentUnreachable("There is no agent.", next_step="Wait until it is back.")
        return await self._api.call(method, request_id=request, **fields)


def full_name(patient: PatientShown) -> str:
    return f"{patient.family} {patient.given}"


async def _events(api: Api) -> AsyncIterator[Event]:
    async for name, data in api.events():
        message = EVENTS.get(name)
        if message is None:
            continue  # of a later agent
        try:
            yield name, message.model_validate(data)
        except ValidationError:
            continue  # the same; what a screen cannot read it does not show
