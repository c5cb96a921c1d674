"""`qafila patients …`: find somebody, see what is known of them, put right who was entered twice."""

from typing import Annotated

import typer

from cli.commands import sheet
from cli.options import AsJson, Home, PinStdin

app = typer.Typer(no_args_is_help=True)
sheet.register(app)

Patient = Annotated[str, typer.Argument(help="The patient's id, as `patients find` shows it.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the entry and reaches the centre.")]
User = Annotated[str, typer.Option(help="Who signs in for it; what is shown is in the audit trail.")]
By = Annotated[str, typer.Option(help="The supervisor who signs in for it.", metavar="SUPERVISOR")]


@app.command(epilog="Example: qafila patients find benali --user amina")
def find(
    text: Annotated[str, typer.Argument(help="Part of a name, a village or a phone, or an identifier.")],
    user: User,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Find patients by part of a name in either script, by village or phone, or by a whole identifier."""
    from cli.asking import ask_agent_as
    from cli.output import emit, read_secrets, table
    from cli.patient_texts import HEADER, line
    from edge.config import Places

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    answer = ask_agent_as(Places.at(home), user, pin, "patient.find", text=text)

    def human() -> str:
        if not answer["patients"]:
            return "Nobody was found."
        more = "\nThere are more: say more of the name." if answer["more"] else ""
        return table([line(each) for each in answer["patients"]], HEADER) + more

    emit(answer, as_json=as_json, human=human)


@app.command(epilog="Example: qafila patients show 0192f0c1-2345-7abc-8def-0123456789ab --user amina")
def show(
    patient: Patient,
    user: User,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what is known of one patient: both scripts, consent, visits, and who was merged into them."""
    from cli.asking import ask_agent_as
    from cli.output import emit, read_secrets
    from cli.patient_texts import record
    from edge.config import Places

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    answer = ask_agent_as(Places.at(home), user, pin, "patient.show", patient=patient)
    emit(answer, as_json=as_json, human=lambda: record(answer))


@app.command(epilog="Example: qafila patients merge ID DUPLICATE --reason 'same card' --by fatima")
def merge(
    patient: Annotated[str, typer.Argument(help="The id that stays.")],
    duplicate: Annotated[str, typer.Argument(help="The id under which the same person was entered as well.")],
    reason: Reason,
    by: By,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Say that two patients are one person, entered twice. `patients unmerge` takes it back.

    Nothing of either is moved or lost: they are found under every name and identifier of both.
    """
    _link(
        ("patient.merge", {"patient": patient, "duplicate": duplicate, "reason": reason}),
        (by, pin_stdin, home),
        "They are one person here from now on, and at the centre once it has received this.",
        as_json=as_json,
    )


@app.command(epilog="Example: qafila patients unmerge DUPLICATE --reason 'two sisters' --by fatima")
def unmerge(
    duplicate: Annotated[str, typer.Argument(help="The id that is somebody else after all.")],
    reason: Reason,
    by: By,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Say that two patients who were merged are two persons after all."""
    _link(
        ("patient.unmerge", {"duplicate": duplicate, "reason": reason}),
        (by, pin_stdin, home),
        "They are two persons again, each with what was written for them.",
        as_json=as_json,
    )


def _link(
    asked: tuple[str, dict[str, str]], signed: tuple[str, bool, Home], told: str, *, as_json: bool
) -> None:
    from cli.asking import ask_agent_as
    from cli.output import emit, read_secrets
    from edge.config import Places

    (method, fields), (by, pin_stdin, home) = asked, signed
    (pin,) = read_secrets([f"PIN of {by}"], from_stdin=pin_stdin)
    answer = ask_agent_as(Places.at(home), by, pin, method, **fields)
    emit(answer, as_json=as_json, human=lambda: f"Saved. {told}")
