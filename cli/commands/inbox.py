"""`qafila inbox …`: what came from the centre for people to read, and whom it expects."""

from typing import Annotated, Any

import typer

from cli.options import AsJson, Home, PinStdin

app = typer.Typer(no_args_is_help=True)

User = Annotated[str, typer.Option(help="Who signs in for it; what is shown is in the audit trail.")]


@app.command("list", epilog="Example: qafila inbox list --user amina")
def list_(user: User, pin_stdin: PinStdin = False, home: Home = None, as_json: AsJson = False) -> None:
    """Replies and messages, the latest first, without their words."""
    from cli.output import emit, inert, read_secrets, table

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    answer = _ask(home, user, pin, "inbox.list")

    def human() -> str:
        rows = [
            [
                *(each["message"], each["kind"], inert(each["sender"])),
                f"{each['request']} (not here any more)" if each["lost"] else each["request"] or "-",
                "unread" if each["read_ms"] is None else f"read by {inert(each['read_by'])}",
            ]
            for each in answer["messages"]
        ]
        if not rows:
            return "Nothing has come."
        return table(rows, ["message", "kind", "from", "request", ""])

    emit(answer, as_json=as_json, human=human)


@app.command(epilog="Example: qafila inbox read ID --user amina")
def read(
    message: Annotated[str, typer.Argument(help="The message's id, as `inbox list` shows it.")],
    user: User,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show one message, whole as it was signed or not at all. The centre learns that it was read."""
    from cli.output import emit, inert, read_secrets

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    answer = _ask(home, user, pin, "inbox.read", message=message)

    def human() -> str:
        shown = answer["message"]
        words = "\n".join(inert(line) for line in answer["text"].splitlines())
        said = f"{shown['kind']} from {inert(shown['sender'])}, signed with key {answer['signer']}\n"
        if shown["lost"]:
            said += f"It answers request {shown['request']}, which is not on this unit any more.\n"
            who = "" if shown["patient"] else "Whom it is about is not here either: ask the centre. "
            said += f"{who}Next: compare with paper, and ask again if something is open.\n"
        return f"{said}\n{words}"

    emit(answer, as_json=as_json, human=human)


@app.command(epilog="Example: qafila inbox expected --user amina")
def expected(
    user: User,
    text: Annotated[str, typer.Option(help="Part of a name or identifier.")] = "",
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Whom the centre expects at this unit. Nobody of them is a patient here before they are entered."""
    from cli.output import emit, inert, read_secrets, table

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    answer = _ask(home, user, pin, "expected.list", text=text)

    def human() -> str:
        rows = [
            [
                *(inert(f"{each['family']} {each['given']}".strip()), each["birth"] or "", each["sex"]),
                inert(", ".join(f"{one['system']} {one['value']}" for one in each["identifiers"])),
                inert(each["note"]),
            ]
            for each in answer["expected"]
        ]
        return table(rows, ["name", "born", "sex", "identifiers", "note"]) if rows else "Nobody is expected."

    emit(answer, as_json=as_json, human=human)


def _ask(home: Home, user: str, pin: str, method: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    from cli.asking import ask_agent_as
    from edge.config import Places

    return ask_agent_as(Places.at(home), user, pin, method, **fields)
