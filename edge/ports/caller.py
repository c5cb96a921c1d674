"""The port through which the agent meets a connected screen."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar, Protocol, TypeAlias

from edge.errors import QafilaError

Json: TypeAlias = "str | int | bool | Sequence[Json] | Mapping[str, Json] | None"
Answer: TypeAlias = Mapping[str, Json]


class CallRefused(QafilaError):
    """A request is refused for a reason its caller can act on; nothing of it was done.

    ``about`` names what the refusal is about, such as the limits a nurse has to confirm.
    """

    code: ClassVar[str] = "call-refused"

    def __init__(
        self, sentence: str, *, next_step: str = "", code: str | None = None, about: tuple[str, ...] = ()
    ) -> None:
        super().__init__(sentence, next_step=next_step, code=code)
        self.about = about


@dataclasses.dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in: the id that is stored, the name people read, the role that decides."""

    user: str
    name: str
    role: str


class Caller(Protocol):
    """One connection of a screen or a command. Its session ends with it."""

    person: Person | None
    """Who signed in on this connection, or None."""

    @property
    def uid(self) -> int:
        """The user of the process at the other end, as the kernel says."""
        ...

    @property
    def closed(self) -> bool:
        """Nothing posted from now on arrives."""
        ...

    def post(self, event: str, data: Mapping[str, Json]) -> None:
        """Send an event; never waits. A caller that cannot keep up is disconnected."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One request as a handler meets it.

    Attributes:
        request: the client's id for it, a UUIDv7 in its one canonical spelling.
        method: what is asked, such as ``observe``.
        caller: who asks.
    """

    request: str
    method: str
    caller: Caller


Handler: TypeAlias = Callable[..., Awaitable[Answer]]
"""Called as ``handler(call, **fields)``, with the fields of the method's message as keywords."""
