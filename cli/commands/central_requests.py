"""`qafila central requests`, `reply`, `message`, `messages`: what units ask, and what they are told."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from uuid import UUID

import typer

from cli.options import AsJson, Home

if TYPE_CHECKING:
    from sync.central.home import CentreHome
    from sync.central.requests import Asked, Said

Sender = Annotated[
    str, typer.Option("--from", help="Who says it, as the unit reads it: a name and what they are.")
]
TextFile = Annotated[
    Path, typer.Option("--text", help="What to say: a text file, or - for standard input.", metavar="FILE")
]

_LOST: Final = (
    "\nrequest-unknown: the unit went back in time and does not have the request any more."
    "\nNext: write it with qafila central message UNIT"
)


class Answer(StrEnum):
    """What is answered."""

    REPLY = "reply"
    ACCEPT = "accept"
    DECLINE = "decline"


def register(app: typer.Typer) -> None:
    """Add the commands to `qafila central`."""
    app.command("requests", epilog="Example: qafila central requests --waiting --json")(requests)
    app.command(
        "reply",
        epilog="Example: qafila central reply ID --text answer.txt --from 'Dr Leila Amrani, cardiology'",
    )(reply)
    app.command(
        "message", epilog="Example: qafila central message van-07 --text - --from 'Coordination, Azilal'"
    )(message)
    app.command(
        "expect",
        epilog="Example: qafila central expect van-07 PATIENT --days 14 --note 'blood pressure again'",
    )(expect)
    app.command("messages", epilog="Example: qafila central messages --unit van-07 --json")(messages)


def requests(
    id_: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One request; all of them without.")
    ] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only what waits for an answer.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what units ask specialists, urgent ones first, and what became of it."""
    from cli.output import emit, inert, table
    from sync.central import requests as asking

    if id_ is not None:
        asked = asking.request(_centre(home), _uuid(id_))
        emit(asked.as_json(), as_json=as_json, human=lambda: _whole(asked))
        return
    found = asking.requests(_centre(home), waiting=waiting)

    def human() -> str:
        rows = [
            [
                *(str(UUID(hex=each.request)), each.unit, each.urgency, inert(each.specialty)),
                *(inert(each.name), each.state.value),
            ]
            for each in found
        ]
        if not rows:
            return "No unit asks anything."
        return table(rows, ["request", "unit", "urgency", "specialty", "patient", "state"])

    emit([each.as_json() for each in found], as_json=as_json, human=human)


def reply(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The request's id.")],
    text: TextFile,
    sender: Sender,
    what: Annotated[
        Answer, typer.Option("--as", help="An answer, or that it is taken on, or declined.")
    ] = Answer.REPLY,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Answer a request. The unit shows it whole and signed, or not at all; here is seen when it was read."""
    from cli.files import read_text
    from edge.clock import SystemClock
    from edge.records.expertise import RequestEvent
    from sync.central import requests as asking

    said = asking.say_about(
        _centre(home),
        _uuid(id_),
        RequestEvent(what.value),
        sender=sender,
        text=read_text(text),
        clock=SystemClock(),
    )
    _tell(said, as_json=as_json)


def message(
    unit: Annotated[str, typer.Argument(help="To whom.")],
    text: TextFile,
    sender: Sender,
    patient: Annotated[
        str | None, typer.Option(help="Whom it is about, by the id that `central patients --json` shows.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write to whoever is in the van."""
    from cli.files import read_text
    from edge.clock import SystemClock
    from sync.central import requests as asking

    said = asking.say_to(
        _centre(home),
        unit,
        sender=sender,
        text=read_text(text),
        patient=None if patient is None else _uuid(patient),
        clock=SystemClock(),
    )
    _tell(said, as_json=as_json)


def expect(
    unit: Annotated[str, typer.Argument(help="Which unit.")],
    patients: Annotated[
        list[str] | None,
        typer.Argument(help="Whom to expect, by the id that `central patients --json` shows."),
    ] = None,
    no_more: Annotated[
        list[str] | None, typer.Option(help="Whom to expect no more; may be given often.", metavar="PATIENT")
    ] = None,
    days: Annotated[int, typer.Option(help="For how long.")] = 30,
    note: Annotated[str, typer.Option(help="Why, for the crew.")] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Tell a unit whom to expect; it finds them by name and enters them under their identity here."""
    from cli.output import emit
    from edge.clock import SystemClock
    from sync.central import expecting

    told = expecting.expect(
        _centre(home),
        unit,
        [_uuid(each) for each in patients or ()],
        no_more=[_uuid(each) for each in no_more or ()],
        days=days,
        note=note,
        clock=SystemClock(),
    )
    emit(
        {
            "message": str(told.message),
            "unit": told.unit,
            "expected": told.expected,
            "no_more": told.no_more,
            "until_ms": told.until_ms,
        },
        as_json=as_json,
        human=lambda: (
            f"{unit} is told to expect {told.expected}, and {told.no_more} no more."
            f"\nNext: qafila central messages --unit {unit}"
        ),
    )


def messages(
    unit: Annotated[str | None, typer.Option(help="Only to this unit.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what was said to units and how far it has got: waiting, sent, on-unit, read, or refused."""
    from cli.output import emit, inert, table
    from sync.central import requests as asking

    found = asking.messages(_centre(home), unit)

    def human() -> str:
        rows = [
            [
                *(str(UUID(hex=each.message)), each.unit, each.kind, inert(each.made_by)),
                each.state if each.outcome is None else f"{each.state}: {each.outcome}",
                inert(each.read_by or ""),
            ]
            for each in found
        ]
        if not rows:
            return "Nothing."
        lost = any(each.outcome == "request-unknown" for each in found)
        return table(rows, ["message", "unit", "kind", "from", "state", "read by"]) + (_LOST if lost else "")

    emit([each.as_json() for each in found], as_json=as_json, human=human)


def _tell(said: "Said", *, as_json: bool) -> None:
    from cli.output import emit

    def human() -> str:
        if said.state == "waiting":
            return f"Kept: it is sealed as soon as {said.unit} has sent something that could be opened."
        return (
            f"Sealed for {said.unit}; the exploder sends it, or central export-receipts takes it along."
            f"\nNext: qafila central messages --unit {said.unit}"
        )

    emit(said.as_json(), as_json=as_json, human=human)


def _whole(asked: "Asked") -> str:
    from cli.attachment_texts import in_words
    from cli.output import inert

    lines = [
        f"{asked.unit}: {asked.urgency}, {inert(asked.specialty)}, {asked.state.value}",
        f"{inert(asked.name)}  {asked.sex or ''}  {asked.birth or ''}",
        *(f"  {inert(line)}" for line in asked.question.splitlines()),
    ]
    lines += [
        f"  {inert(code)}  {inert(value) if value is not None else inert(why or '')}"
        for code, value, why, _ in asked.values
    ]
    if asked.missing:
        lines.append(f"  {asked.missing} values have not come yet")
    lines += [f"  recording {each}: qafila central waves" for each in asked.recordings]
    lines += [f"  {in_words(each.as_json())}" for each in asked.attachments]
    if any(each.complete for each in asked.attachments):
        lines.append("  Look at one with qafila central attachment ID --out FILE")
    for each in asked.said:
        lines += ["", f"{each.kind} from {inert(each.made_by)}: {each.state}"]
        lines += [f"  {inert(line)}" for line in (each.text or "").splitlines()]
    return "\n".join(lines)


def _uuid(text: str) -> UUID:
    from sync.central.requests import RequestRefused

    try:
        return UUID(text)
    except ValueError:
        raise RequestRefused(
            "This is no id.", next_step="copy it from what the centre shows.", code="id-refused"
        ) from None


def _centre(home: Path | None) -> "CentreHome":
    from edge.config import Places
    from sync.central.home import CentreHome

    return CentreHome(Places.at(home).central)
