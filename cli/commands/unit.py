"""`qafila unit …`: make this box a unit, and enrol it with a centre, by files only."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.commands import unit_online, unit_retire
from cli.options import AsJson, Home, PinStdin

app = typer.Typer(no_args_is_help=True)
unit_retire.register(app)
unit_online.register(app)


@app.command(
    epilog="Example: qafila unit init --realm training --id van-07 --user fatima --home ~/van-07",
)
def init(
    realm: Annotated[
        str,
        typer.Option(help="production for patients, training for exercise; fixed for ever.", metavar="REALM"),
    ],
    unit_id: Annotated[
        str, typer.Option("--id", help="What the centre will call this unit, such as van-07.")
    ],
    user: Annotated[str, typer.Option(help="The first person who may sign in; becomes supervisor.")],
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make this box a unit: store, keys, device secret, and a first supervisor."""
    from cli.output import emit, read_secrets
    from cli.unit_setup import check_new, make_unit
    from edge.config import Places

    places = Places.at(home)
    check_new(places, realm=realm, unit=unit_id, user=user)
    asked = f"PIN for {user}, at least 6 digits"
    (pin,) = read_secrets([asked], from_stdin=pin_stdin, new=asked)
    made = make_unit(places, realm=realm, unit=unit_id, user=user, pin=pin)
    emit(
        made,
        as_json=as_json,
        human=lambda: (
            f"Unit {unit_id} is made, in the {realm} realm, with supervisor {user}.\n"
            f"Device secret: {made['device_secret']}\n"
            "  Keep it on removable media: without it no PIN opens the store.\n"
            "  Make a second copy now: qafila unit copy-secret FILE, on a medium that is kept elsewhere.\n"
            f"Fingerprint of its enrolment request: {made['words']}\n"
            "Next: qafila unit csr request.cbor, and take that file to the centre.\n\n"
            f"{made['recovery_sheet']}"
        ),
    )


@app.command(epilog="Example: qafila unit show --json")
def show(home: Home = None, as_json: AsJson = False) -> None:
    """Who this unit is and whether a centre has enrolled it; needs no PIN."""
    from cli.output import emit
    from cli.unit_setup import describe
    from edge.config import Places

    about = describe(Places.at(home))
    emit(
        about,
        as_json=as_json,
        human=lambda: "\n".join(
            f"{name.replace('_', ' '):22}{_plain(value)}" for name, value in about.items()
        ),
    )


@app.command(epilog="Example: qafila unit recover --user amina --reason forgotten-pin")
def recover(
    user: Annotated[str, typer.Option(help="Who shall get a new PIN.")],
    reason: Annotated[str, typer.Option(help="forgotten-pin, supervisor-left or handover.")],
    only_ask: Annotated[bool, typer.Option("--ask", help="Only show the challenge, and end.")] = False,
    code_stdin: Annotated[
        bool,
        typer.Option("--code-stdin", help="Read the centre's code and the new PIN as two lines of input."),
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Get back in by telephone, where no supervisor can help: a challenge, the centre's code, a new PIN."""
    from cli.asking import ask_agent
    from cli.output import emit, read_secrets
    from edge.config import Places
    from edge.records.people import checked_user_id

    places, id_ = Places.at(home), checked_user_id(user)
    if only_ask or not code_stdin:
        asked = ask_agent(places, "recover.ask", user=id_, reason=reason)
        said = (
            f"Call the centre and say: unit {asked['unit']}, user {id_}, reason {reason}. Then read out:\n\n"
            f"    {asked['challenge']}\n"
        )
        if only_ask:
            emit({**asked, "user": id_, "reason": reason}, as_json=as_json, human=lambda: said)
            return
        print(said, file=sys.stderr)
    new = f"New PIN for {user}, at least 6 digits"
    code, pin = read_secrets(["Code from the centre", new], from_stdin=code_stdin, new=new)
    done = ask_agent(places, "recover", user=id_, reason=reason, code=code, pin=pin)
    emit(
        {"user": id_, **done},
        as_json=as_json,
        human=lambda: (
            f"{user} has a new PIN; the centre will see that this happened.\n"
            + (
                "The store has a new key. Sign in to go on."
                if done["rotated"]
                else "The store's key could not be changed: free space, then qafila store new-key."
            )
        ),
    )


@app.command("copy-secret", epilog="Example: qafila unit copy-secret /media/blue/device.secret")
def copy_secret(
    file: Annotated[Path, typer.Argument(help="Where to write it, on another medium; nothing is there yet.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make the second copy of the device secret, and note in unit.toml where it is."""
    from cli.output import emit
    from cli.unit_secret import beside_the_store, make_copy
    from edge.config import Places

    places = Places.at(home)
    made = make_copy(places, file)
    emit(
        made,
        as_json=as_json,
        human=lambda: (
            f"The second copy is {made['device_secret_copy']}.\n"
            f"{beside_the_store(places, Path(made['device_secret_copy']))}"
            "Keep its medium away from the unit, and put it in once a month: qafila status says when it was\n"
            "not seen for 30 days. A running agent takes it up at its next start."
        ),
    )


@app.command(
    "renew-secret",
    epilog="Example: qafila unit renew-secret /media/new/device.secret --user fatima --remove sami",
)
def renew_secret(
    file: Annotated[Path, typer.Argument(help="Where to write it, on a new medium; nothing is there yet.")],
    user: Annotated[str, typer.Option(help="The supervisor who signs in for this.")],
    copy: Annotated[
        Path | None, typer.Option(help="Where its second copy goes, on another new medium.")
    ] = None,
    remove: Annotated[str | None, typer.Option(help="Who shall sign in no more, if it is for that.")] = None,
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a new device secret and a new key of the store, for cause: the old medium opens nothing any more.

    The agent must be stopped and both media in. Nobody's PIN changes. It needs as much free space as the
    store takes. Cut short, the unit opens as long as both media are in; the same command goes on.
    """
    from cli.output import emit, read_secrets, warn
    from cli.secret_renewal import renew
    from cli.unit_secret import beside_the_store, check_copy, make_copy
    from edge.config import Places
    from edge.errors import QafilaError

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    places = Places.at(home)
    if copy is not None:
        check_copy(copy, file)
    done = renew(places, user, pin, file, remove)
    not_copied: QafilaError | None = None
    if copy is not None:
        try:
            done |= make_copy(places, copy)
        except QafilaError as error:  # the renewal is done, and has to be told as that
            not_copied = error
            done["copy_refused"] = error.stable_code

    def human() -> str:
        lines = [f"The device secret is {done['device_secret']}, and the store has a new key."]
        secrets = [Path(done[each]) for each in ("device_secret", "device_secret_copy") if each in done]
        lines += [line for each in secrets for line in beside_the_store(places, each).splitlines()]
        if done["removed"]:
            lines.append(f"{done['removed']} signs in no more.")
        elif remove is not None:
            lines.append(f"{remove} may still sign in: qafila users disable {remove} --by {user}.")
        lines.append(f"Destroy what holds the old one: {', '.join(done['former']) or 'the old medium'}.")
        if "device_secret_copy" not in done:
            lines.append("Next: make its second copy with qafila unit copy-secret, on another new medium.")
        lines.append(
            "Backups made before still open with the old medium and a PIN of then: make a new one with"
        )
        lines.append("qafila store backup, and destroy them. A systemd credential has to be encrypted anew.")
        return "\n".join(lines)

    emit(done, as_json=as_json, human=human)
    if not_copied is not None:
        warn(not_copied)
        raise SystemExit(1)


@app.command("renew-link", epilog="Example: qafila unit renew-link /media/usb/van-07.request --user fatima")
def renew_link(
    file: Annotated[Path, typer.Argument(help="Where to write the request; it holds public keys only.")],
    user: Annotated[str, typer.Option(help="Who signs in for it, a technician or a supervisor.")],
    pin_stdin: PinStdin = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a new key for the link, where there is none or somebody else may have it; stop the agent first.

    What was there serves until the answer is installed. A certificate that only ends needs a new answer to
    the old request: qafila unit csr.
    """
    from cli.link_renewal import renew
    from cli.output import emit, read_secrets
    from edge.config import Places

    (pin,) = read_secrets([f"PIN of {user}"], from_stdin=pin_stdin)
    done = renew(Places.at(home), user, pin, file)
    emit(
        done,
        as_json=as_json,
        human=lambda: (
            f"The request is in {file}.\nFingerprint: {done['words']}\n"
            f"Next: at the centre, qafila central enrol {file.name} --out bundle.cbor; then here, "
            "qafila unit enrol bundle.cbor. The agent may run again meanwhile."
        ),
    )


@app.command(epilog="Example: qafila unit csr /media/usb/van-07.request")
def csr(
    file: Annotated[Path, typer.Argument(help="Where to write the request; it holds public keys only.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write the enrolment request for the centre."""
    from cli.output import emit
    from cli.unit_setup import copy_request
    from edge.config import Places

    written = copy_request(Places.at(home), file)
    emit(
        written,
        as_json=as_json,
        human=lambda: (
            f"The request is in {file}.\nFingerprint: {written['words']}\n"
            f"Next: at the centre, compare the fingerprint and run "
            f"qafila central enrol {file.name} --out bundle.cbor."
        ),
    )


@app.command(epilog="Example: qafila unit enrol /media/usb/van-07.bundle")
def enrol(
    bundle: Annotated[
        Path, typer.Argument(help="What the centre wrote: roots, keyset, broker address, signed.")
    ],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Check and install the centre's bundle; a running agent takes it up by itself."""
    from cli.output import emit
    from cli.unit_setup import install_bundle
    from edge.config import Places

    installed = install_bundle(Places.at(home), bundle)
    emit(
        installed,
        as_json=as_json,
        human=lambda: (
            f"Unit {installed['unit']} is enrolled: keyset version {installed['keyset_version']}, "
            f"broker {', '.join(installed['brokers'])}.\n"
            f"Fingerprint of the centre: {installed['centre_words']}\n"
            "Next: qafila uplink carries what the agent sealed; qafila status shows what arrived."
        ),
    )


def _plain(value: object) -> str:
    match value:
        case None:
            return "no"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value)) or "none"  # pyright: ignore[reportUnknownArgumentType]  # str takes all
        case _:
            return str(value)
