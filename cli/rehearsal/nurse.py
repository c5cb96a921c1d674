"""The scripted nurse: what a person at the screen would ask for, in the order she would."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ClassVar, Final, TypeAlias

from cli.rehearsal.people import IDENTIFIER_SYSTEM
from cli.rehearsal.processes import RehearsalFailed
from cli.rehearsal.recorder import RecorderLog
from cli.rehearsal.script import CUFF, STRAP, Pause, Visit
from cli.rehearsal.seat import Seat
from edge.localapi.client import AgentUnreachable, new_request_id
from edge.ports.caller import CallRefused

READING_WITHIN_S: Final = 15.0

Interrupt: TypeAlias = Callable[[Visit, Pause], Coroutine[Any, Any, None]]
"""Called at every pause of a visit; whatever breaks, breaks in it."""


class UnitMisbehaved(RehearsalFailed):
    """The unit answered what it must not answer, or kept silent where it must speak."""

    code: ClassVar[str] = "unit-misbehaved"


class Nurse:
    """Takes patients through their visits.

    Args:
        seat: her place at the socket, subscribed to ``saved``.
        tell: says an order to a simulated device, by its key; she puts it on a patient.
        interrupt: what happens at the pauses.
    """

    def __init__(
        self, seat: Seat, log: RecorderLog, tell: Callable[[str, str], None], interrupt: Interrupt
    ) -> None:
        self._seat = seat
        self._log = log
        self._tell = tell
        self._interrupt = interrupt
        self._told: set[tuple[str | int, ...]] = set()
        self.slips_refused = 0
        """Values that could not be true, and were not taken."""
        self.confirmed = 0
        """Rare values that were taken only after a second yes."""
        self.repeats_agreed = 0
        """Requests asked again under their id after a kill that got their first answer."""

    async def visit(self, visit: Visit) -> None:
        """One patient from the door to the door.

        Raises:
            UnitMisbehaved: something was answered that must not be.
        """
        person = visit.person
        if visit.early:
            await self._put_on_the_oximeter(visit)
        register_id = new_request_id()
        fields: dict[str, Any] = {
            "family": person.family,
            "given": person.given,
            "sex": person.sex,
            "birth": person.birth,
            "identifiers": [{"system": IDENTIFIER_SYSTEM, "value": person.identifier}],
            "phone": person.phone,
            "village": person.village,
        }
        registered = await self._ask("patient.register", request_id=register_id, **fields)
        patient = registered["patient"]
        encounter = (await self._ask("encounter.open", patient=patient))["encounter"]
        await self._interrupt(visit, Pause.OPENED)

        if visit.early:
            await self._assign_tray(encounter)
        else:
            await self._put_on_the_oximeter(visit)
        if visit.cuff is not None:
            await self._measure(CUFF, ["measure {} {} {}".format(*visit.cuff)])
        if visit.ecg:
            await self._measure(STRAP, ["contact on"], then="contact off")
        await self._interrupt(visit, Pause.MEASURED)

        await self._type(visit, encounter)
        if any(pause is Pause.TYPING for pause, _ in visit.faults):
            await self._again(registered, "patient.register", request_id=register_id, **fields)
        if visit.weight is not None:
            await self._ask("observe", encounter=encounter, values=_values([("weight", visit.weight)]))
        if visit.alert is not None:
            await self._ask("alert.raise", patient=patient, encounter=encounter, code=visit.alert)
        await self._interrupt(visit, Pause.TYPED)

        await self._ask("encounter.close", encounter=encounter)
        await self._interrupt(visit, Pause.CLOSED)

    async def _ask(self, method: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  fields as the local API has them
        answer = await self._seat.ask(method, **fields)
        self._hear("answer", answer)
        return answer

    def _hear(self, said_in: str, message: dict[str, Any]) -> bool:
        """Note what was said to be saved; whether any of it was news."""
        saved = [tuple(identity) for identity in message.get("saved", ())]
        self._log.note(said_in, saved)
        news = not self._told.issuperset(saved)
        self._told.update(saved)
        return news

    async def _put_on_the_oximeter(self, visit: Visit) -> None:
        orders = [f"spo2 {visit.spo2}", f"pulse {visit.pulse}", "finger on"]
        await self._measure(visit.oximeter, orders, then="finger off")

    async def _measure(self, device: str, orders: Sequence[str], *, then: str = "") -> None:
        """Put a device on the patient and wait until the unit has kept what it says."""
        for order in orders:
            self._tell(device, order)
        try:
            async with asyncio.timeout(READING_WITHIN_S):
                await self._news()
        except TimeoutError:
            raise UnitMisbehaved(
                f"{device} was on the patient and nothing was saved of it.",
                next_step=f"run it again with --keep DIR and read agent.log and {device}.log in DIR/log.",
            ) from None
        finally:
            if then:
                self._tell(device, then)

    async def _news(self) -> None:
        """Until something is saved that none of our own answers named: a device's reading."""
        while True:
            try:
                async for name, data in self._seat.events():
                    if name == "saved" and self._hear("event", data) and data["what"] == "reading":
                        return  # and not a stretch of wave, nor a note about the unit itself
                    if name == "not-saved":
                        raise UnitMisbehaved(f"A reading was not saved ({data['code']}).")
            except AgentUnreachable:
                await self._seat.sit()

    async def _assign_tray(self, encounter: str) -> None:
        """What was measured before the visit was open belongs to it; says the nurse, with a reason."""
        tray = (await self._seat.ask("tray.list"))["observations"]
        if not tray:
            raise UnitMisbehaved("A reading came while no visit was open, and it is not in the tray.")
        await self._ask(
            "tray.assign",
            encounter=encounter,
            observations=[observation["seq"] for observation in tray],
            reason="measured while the patient was being registered",
        )

    async def _type(self, visit: Visit, encounter: str) -> None:
        """Type the values: first the slip that must be refused, then what must be confirmed."""
        if visit.slip is not None:
            await self._refused("value-refused", encounter=encounter, values=_values([visit.slip]))
            self.slips_refused += 1
        fields: dict[str, Any] = {"encounter": encounter, "values": _values(visit.manual)}
        if visit.rare is not None:
            refusal = await self._refused("value-needs-confirmation", **fields)
            fields["confirmed"] = refusal.about
            self.confirmed += 1
        request_id = new_request_id()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._interrupt(visit, Pause.TYPING))
            typed = await self._ask("observe", request_id=request_id, **fields)
        if any(pause is Pause.TYPING for pause, _ in visit.faults):
            await self._again(typed, "observe", request_id=request_id, **fields)

    async def _refused(self, code: str, **fields: Any) -> CallRefused:  # noqa: ANN401  fields as the local API has them
        try:
            await self._ask("observe", **fields)
        except CallRefused as refusal:
            if refusal.stable_code == code:
                return refusal
            raise
        raise UnitMisbehaved(f"A value that calls for {code} was taken as it is.")

    async def _again(self, first: dict[str, Any], method: str, **fields: Any) -> None:  # noqa: ANN401  fields as the local API has them
        """Ask what was answered already, as if the answer had been lost: it must be the same answer."""
        if await self._ask(method, **fields) != first:
            raise UnitMisbehaved(f"{method}, asked again under its id, was answered differently.")
        self.repeats_agreed += 1


def _values(pairs: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"code": code, "value": value} for code, value in pairs]
