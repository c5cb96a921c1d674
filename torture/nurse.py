"""Somebody who asks without pause, and remembers what she was told is saved.

Every visit has marks that no other has (its family name, five different temperatures, one alert), so that
a request done twice is seen in the store whoever looks.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, TypeAlias

from edge.localapi.client import AgentUnreachable, Api, new_request_id

Identity: TypeAlias = tuple[str, str, str, int]
"""Unit, epoch in hex, stream, seq; what stands under ``saved``."""

ALERT = "news2.7"
"""One is raised in every visit."""
_CLOSED_WITH = 10


def identities(saved: list[list[Any]]) -> set[Identity]:
    """What an answer or an event names under ``saved``."""
    return {(str(unit), str(epoch), str(stream), int(seq)) for unit, epoch, stream, seq in saved}


class Nurse:
    """Asks; what stays unanswered is asked again under its id, as a screen does after a restart.

    Attributes:
        acknowledged: every entry that an answer said is saved.
        visits: how many were brought to their end.
        request: the id of the last request.
    """

    def __init__(self) -> None:
        self.acknowledged: set[Identity] = set()
        self.visits = 0
        self.request = ""
        self.pending: tuple[str, dict[str, Any]] | None = None
        self._next = self._work()
        self._answer: dict[str, Any] = {}

    def _work(self) -> Iterator[tuple[str, dict[str, Any]]]:
        while True:
            yield "patient.register", {"family": f"Family {self.visits}", "given": "Zahra", "sex": "female"}
            patient = self._answer["patient"]
            yield "encounter.open", {"patient": patient}
            encounter = self._answer["encounter"]
            for tenth in range(5):
                values = [{"code": "temp", "value": f"36.{tenth}"}, {"code": "pain", "value": str(tenth)}]
                yield "observe", {"encounter": encounter, "values": values}
            yield "alert.raise", {"patient": patient, "encounter": encounter, "code": ALERT}
            yield "encounter.close", {"encounter": encounter}
            if self._answer["count"] != _CLOSED_WITH:
                raise AssertionError(f"a visit was closed with {self._answer['count']} observations")
            self.visits += 1

    async def ask(self, api: Api) -> None:
        """One request, to its answer."""
        if self.pending is None:
            method, fields = next(self._next)
            self.pending = (method, {**fields, "request_id": new_request_id()})
        method, fields = self.pending
        self.request = fields["request_id"]
        self._answer = await api.call(method, **fields)
        self.acknowledged |= identities(self._answer["saved"])
        self.pending = None

    async def ask_what_is_open(self, api: Api) -> None:
        """Ask again what was not answered, if anything was not."""
        if self.pending is not None:
            await self.ask(api)

    async def ask_until_it_dies(self, api: Api) -> None:
        """Ask without pause until the agent is gone."""
        with contextlib.suppress(AgentUnreachable):
            while True:
                await self.ask(api)
