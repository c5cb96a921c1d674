"""`qafila sync …`: how far everything has come, asking to go on now, and what the centre could not open."""

from typing import Annotated, Any

import typer

from cli.options import AsJson, Home, PinStdin

app = typer.Typer(no_args_is_help=True)
quarantine = typer.Typer(no_args_is_help=True)
app.add_typer(quarantine, name="quarantine", help="What the centre has and could not open as it is.")

User = Annotated[str, typer.Option(help="Who signs in for it.")]


@app.callback()
def group() -> None:
    """What leaves this unit, and how far it has come."""


@quarantine.callback()
def quarantine_group() -> None:
    """What the centre has and could not open as it is."""


@app.command(epilog="Example: qafila sync status --json")
def status(home: Home = None, as_json: AsJson = False) -> None:
    """Show the link, how far each stream has come, and what waits in the spool; needs no PIN.

    Saved is on this unit, arrived is what the centre has signed for as sealed, received what it has opened
    and committed. How far the streams are is known while somebody is signed in.
    """
    from cli.asking import ask_agent
    from cli.output import emit
    from cli.sync_texts import status_text, waiting
    from edge.config import Places

    places = Places.at(home)
    asked = ask_agent(places, "status")
    answer: dict[str, Any] = {
        "unit": asked["unit"],
        "enrolled": asked["enrolled"],
        "link": asked["link"],
        "locked": asked["locked"],
        "streams": asked["streams"],
        "refusals": asked["refusals"],
        "problem": asked["problem"],
        "keyset_version": _keyset_version(places),
        "waiting": waiting(places.spool_out),
    }
    emit(answer, as_json=as_json, human=lambda: status_text(answer))


@app.command(epilog="Example: qafila sync now --user amina --wait 120")
def now(
    user: User,
    wait: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=3600,
            metavar="SECONDS",
            help="Wait so long until the centre has received everything that is saved by now.",
        ),
    ] = None,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Seal what waits for its hour, and have the uplink try at once instead of waiting for its next attempt.

    Without --wait it does not wait for the answer: `qafila sync status` shows how far it has come. With it,
    exit 0 only when the centre has received all that was saved when it was given.
    """
    from cli.output import emit, read_secrets
    from cli.sync_now import sync_now
    from edge.config import Places

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    answer = sync_now(Places.at(home), user, pin, wait)
    emit(
        answer,
        as_json=as_json,
        human=lambda: (
            "Sealed, and the uplink is asked to try now.\nNext: qafila sync status"
            if wait is None
            else f"Received: the centre has opened, checked and committed all {answer['received']} entries"
            " that were saved by now."
        ),
    )


@quarantine.command("list", epilog="Example: qafila sync quarantine list --user amina")
def list_(user: User, pin_stdin: PinStdin = False, home: Home = None, as_json: AsJson = False) -> None:
    """Show which entries the centre has and could not open, and why, by its last receipt."""
    from cli.asking import ask_agent_as
    from cli.output import emit, read_secrets
    from cli.sync_texts import quarantine_text
    from edge.config import Places

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    answer = ask_agent_as(Places.at(home), user, pin, "sync.quarantine")
    emit(answer, as_json=as_json, human=lambda: quarantine_text(answer["ranges"]))


@quarantine.command(epilog="Example: qafila sync quarantine retry --user tariq")
def retry(user: User, pin_stdin: PinStdin = False, home: Home = None, as_json: AsJson = False) -> None:
    """Seal once more what the centre could not open; for technicians and supervisors.

    The agent does it once by itself for each session. What only an update of the centre helps is left as it
    is: the centre keeps it, and opens it then.
    """
    from cli.asking import ask_agent_as
    from cli.output import emit, read_secrets
    from edge.config import Places

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    answer = ask_agent_as(Places.at(home), user, pin, "sync.retry")
    emit(
        answer,
        as_json=as_json,
        human=lambda: (
            f"{answer['again']} ranges sealed once more; {answer['waiting']} wait for an update of the "
            "centre.\n"
            "Next: qafila sync quarantine list, when the centre has answered"
        ),
    )


def _keyset_version(places: Any) -> int | None:  # noqa: ANN401  a Places, imported when it is needed
    from cli.unit_setup import installed

    enrolled = installed(places)
    return None if enrolled is None else enrolled.keyset.version
