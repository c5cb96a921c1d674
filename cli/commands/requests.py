"""`qafila requests …`: what specialists are asked about patients, and what became of it."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import AsJson, Home, PinStdin

app = typer.Typer(no_args_is_help=True)

User = Annotated[str, typer.Option(help="Who signs in for it; what is shown is in the audit trail.")]
Request = Annotated[str, typer.Argument(help="The request's id, as `requests list` shows it.")]


class Urgency(StrEnum):
    """How soon an answer is needed."""

    ROUTINE = "routine"
    URGENT = "urgent"
    STAT = "stat"


@app.command(
    epilog="Example: qafila requests ask PATIENT --visit ID --specialty cardiology --urgency urgent"
    " --question-file - --attach wound.jpg --user amina"
)
def ask(
    patient: Annotated[str, typer.Argument(help="The patient's id, as `patients find` shows it.")],
    specialty: Annotated[str, typer.Option(help="Whom to ask, such as cardiology.")],
    question_file: Annotated[
        Path, typer.Option(help="The question: a text file, or - for standard input.", metavar="FILE")
    ],
    user: User,
    visit: Annotated[
        str | None, typer.Option(help="The visit whose values and recordings it is about.")
    ] = None,
    urgency: Annotated[Urgency, typer.Option(help="How soon an answer is needed.")] = Urgency.ROUTINE,
    emergency: Annotated[
        bool, typer.Option("--emergency", help="There was no time to ask the patient; not with routine.")
    ] = False,
    with_: Annotated[
        list[Path] | None,
        typer.Option(
            "--attach", help="A photo or document to go with it; may be given often.", metavar="FILE"
        ),
    ] = None,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Ask a specialist. The patient has to have agreed to tele-expertise, or it is an emergency."""
    from cli import attaching
    from cli.attachment_texts import in_words
    from cli.files import read_text
    from cli.output import emit, read_secrets
    from edge.config import Places

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    fields = {
        "patient": patient,
        "encounter": visit,
        "specialty": specialty,
        "urgency": urgency.value,
        "question": read_text(question_file),
        "emergency": emergency,
    }
    if with_:
        answer = attaching.ask_with(Places.at(home), user, pin, with_, fields)
    else:
        answer = _ask(home, user, pin, "request.ask", **fields)
    with_it = "".join(f"\nWith it: {in_words(each)}" for each in answer.get("attachments", ()))
    emit(
        answer,
        as_json=as_json,
        human=lambda: (
            f"Asked: {answer['request']}{with_it}\nIt is saved here, and leaves with the next link."
            f"\nNext: qafila requests show {answer['request']} --user {user}"
        ),
    )


@app.command("list", epilog="Example: qafila requests list --waiting --user amina")
def list_(
    user: User,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only what waits for an answer.")] = False,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What specialists were asked, the latest first: how far it has come, and what came back."""
    from cli.output import emit, inert, read_secrets, table

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    answer = _ask(home, user, pin, "request.list", waiting=waiting)

    def human() -> str:
        rows = [
            [
                *(each["request"], each["urgency"], inert(each["specialty"]), each["state"], each["sent"]),
                f"{each['answers']} ({each['unread']} unread)" if each["unread"] else str(each["answers"]),
            ]
            for each in answer["requests"]
        ]
        if not rows:
            return "Nothing was asked, or nothing waits."
        return table(rows, ["request", "urgency", "specialty", "state", "on its way", "answers"])

    emit(answer, as_json=as_json, human=human)


@app.command(epilog="Example: qafila requests show ID --user amina")
def show(
    request: Request, user: User, pin_stdin: PinStdin = False, home: Home = None, as_json: AsJson = False
) -> None:
    """One request and what came to it; `inbox read` shows the words of an answer."""
    from cli.attachment_texts import in_words
    from cli.output import emit, inert, read_secrets

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    answer = _ask(home, user, pin, "request.show", request=request)

    def human() -> str:
        shown = answer["request"]
        lines = [
            f"{shown['urgency']}, {inert(shown['specialty'])}, {shown['state']}; on its way: {shown['sent']}",
            *(f"  {inert(line)}" for line in shown["question"].splitlines()),
            f"about {shown['observations']} values and {len(shown['recordings'])} recordings",
            *(f"with {in_words(each)}" for each in shown["attachments"]),
        ]
        for each in answer["messages"]:
            read = "unread" if each["read_ms"] is None else f"read by {inert(each['read_by'])}"
            lines.append(f"{each['message']}  {each['kind']} from {inert(each['sender'])}, {read}")
        return "\n".join(lines)

    emit(answer, as_json=as_json, human=human)


@app.command(epilog="Example: qafila requests attach ID /media/stick/wound.jpg --user amina")
def attach(
    request: Request,
    files: Annotated[
        list[Path], typer.Argument(help="JPEG, PNG or PDF, each of 10 MB at most.", metavar="FILE…")
    ],
    user: User,
    caption: Annotated[str | None, typer.Option(help="What it shows; a specialist reads it.")] = None,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Attach photos or documents from a stick or a camera to a request.

    What a file says of camera, place and people is left out; a document with a program or another file
    in it is refused. It leaves with its request, in parts, and goes on where it was after any interruption.
    """
    from cli import attaching
    from cli.attachment_texts import in_words
    from cli.output import emit, read_secrets
    from edge.config import Places

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    answer = attaching.attach(Places.at(home), user, pin, request, files, caption)

    def human() -> str:
        lines = [f"Attached: {in_words(each)}" for each in answer["attachments"]]
        return "\n".join([*lines, "It is saved here; the file on the stick is not needed any more.",
                          f"Next: qafila requests show {request} --user {user}"])  # fmt: skip

    emit(answer, as_json=as_json, human=human)


@app.command(epilog="Example: qafila requests attachment ID --out wound.jpg --user amina")
def attachment(
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="The attachment's id, as `requests show` shows it.")
    ],
    out: Annotated[Path, typer.Option(help="Where to write it; the file must not exist yet.")],
    user: User,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write what was attached into a file, in the clear, as long as it is kept here."""
    from cli import attaching
    from cli.attachment_texts import in_words
    from cli.exporting import check_absent
    from cli.output import emit, read_secrets
    from edge.config import Places

    check_absent(out)
    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    shown = attaching.fetch(Places.at(home), user, pin, id_, out)
    emit(
        {**shown, "file": str(out)},
        as_json=as_json,
        human=lambda: f"Wrote {out}: {in_words(shown)}.\nNext: delete it when you have looked at it.",
    )


@app.command(epilog="Example: qafila requests withdraw ID --reason 'went by themselves' --user amina")
def withdraw(
    request: Request,
    user: User,
    reason: Annotated[str | None, typer.Option(help="Why; it reaches the centre.")] = None,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Say that nobody has to answer any more."""
    _end("request.withdraw", request, (user, pin_stdin, home), reason, as_json=as_json)


@app.command(epilog="Example: qafila requests close ID --user amina")
def close(
    request: Request,
    user: User,
    reason: Annotated[str | None, typer.Option(help="What was done; it reaches the centre.")] = None,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Say that what was answered is done. Everything that came to it has to be read before."""
    _end("request.close", request, (user, pin_stdin, home), reason, as_json=as_json)


def _end(
    method: str, request: str, signed: tuple[str, bool, Home], reason: str | None, *, as_json: bool
) -> None:
    from cli.output import emit, read_secrets

    user, pin_stdin, home = signed
    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    answer = _ask(home, user, pin, method, request=request, reason=reason)
    emit(answer, as_json=as_json, human=lambda: "Saved; the centre learns it.")


def _ask(home: Home, user: str, pin: str, method: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    from cli.asking import ask_agent_as
    from edge.config import Places

    return ask_agent_as(Places.at(home), user, pin, method, **fields)
