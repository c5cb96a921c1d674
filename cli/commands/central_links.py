"""`qafila central broker`, `renew`, `certificates`, `disconnect`: who may connect, and to what."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AsJson, Home

if TYPE_CHECKING:
    from sync.central.home import CentreHome
    from sync.central.renewing import Revoked


class BrokerKind(StrEnum):
    """The brokers that are set up here; any other works with `--broker tls://HOST:PORT`."""

    MOSQUITTO = "mosquitto"


Host = Annotated[str, typer.Option(help="By which name or address units reach it.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Where units connect.")]
CentrePort = Annotated[
    int, typer.Option(min=1, max=65535, help="Where the centre's own processes connect, on this machine.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to `qafila central`."""
    example = "Example: qafila central broker mosquitto --host broker.example.org"
    app.command("broker", epilog=example)(broker)
    app.command("renew", epilog="Example: qafila central renew --due")(renew)
    app.command("certificates", epilog="Example: qafila central certificates --json")(certificates)
    app.command("disconnect", epilog="Example: qafila central disconnect van-07")(disconnect)


def broker(
    kind: Annotated[BrokerKind, typer.Argument(help="mosquitto")],
    host: Host = "127.0.0.1",
    port: Port = 8883,
    centre_port: CentrePort = 8884,
    new_authority: Annotated[
        bool,
        typer.Option(
            "--new-authority", help="First make the next certificate authorities; the old stay believed."
        ),
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write all that a broker reads: configuration, rights, certificates, revocations; nothing is started.

    Run it again for a new certificate of the broker's own. To change authorities: with --new-authority,
    then `central renew` until every unit has its new certificate.
    """
    from cli.output import emit
    from edge.clock import SystemClock
    from sync.central import mosquitto, setup

    assert kind is BrokerKind.MOSQUITTO  # noqa: S101  the only one there is
    place = _centre(home)
    setup.set_up(place, setup.Mosquitto(host, port, centre_port), SystemClock(), new_authority=new_authority)
    configuration = mosquitto.folder(place) / "mosquitto.conf"
    told = mosquitto.reload(place)
    emit(
        {"configuration": str(configuration), "host": host, "port": port, "reloaded": told},
        as_json=as_json,
        human=lambda: (
            f"The broker's files are in {configuration.parent}.\n"
            + ("A broker that runs here has read them again.\n" if told else "")
            + f"Next: mosquitto -c {configuration}"
        ),
    )


def renew(
    units: Annotated[list[str] | None, typer.Argument(help="Whose; all when none is named.")] = None,
    due: Annotated[
        bool, typer.Option("--due", help="Only where most of the certificate's life has passed.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make new certificates for units; `central explode` sends them, and units take them by themselves."""
    from cli.output import emit
    from edge.clock import SystemClock
    from sync.central import renewing

    done = renewing.renew(_centre(home), units or [], SystemClock(), only_due=due)
    emit(
        {"renewed": done},
        as_json=as_json,
        human=lambda: (
            f"New certificates for {', '.join(done)}; `qafila central explode` sends them."
            if done
            else "No certificate is due."
        ),
    )


def certificates(home: Home = None, as_json: AsJson = False) -> None:
    """Show until when each unit may connect, what is due for renewal and who is revoked."""
    import datetime

    from cli.output import emit, table
    from edge.clock import SystemClock
    from sync.central import renewing

    found = renewing.held(_centre(home), SystemClock())

    def until(at_ms: int | None) -> str:
        return (
            "none"
            if at_ms is None
            else f"{datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC):%Y-%m-%d}"
        )

    def human() -> str:
        if not found:
            return "No unit is enrolled yet."
        rows = [
            [each.unit, until(each.until_ms), "revoked" if each.revoked else "due" if each.due else "good"]
            for each in found
        ]
        return table(rows, ["unit", "until", "state"])

    emit([each.as_json() for each in found], as_json=as_json, human=human)


def disconnect(
    unit: Annotated[str, typer.Argument(help="Whose right to connect ends, for ever.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a unit's certificates and end its living connection.

    This is about connecting only. What the unit signed is judged by `central revoke`.
    """
    from cli.output import emit
    from edge.clock import SystemClock
    from sync.central import renewing

    done = renewing.revoke(_centre(home), unit, SystemClock())

    emit(done.as_json(), as_json=as_json, human=lambda: what_became_of_it(done).rstrip())


def what_became_of_it(done: "Revoked") -> str:
    """What is said of a unit that was put out."""
    said = f"{done.unit} may not connect any more: {done.certificates} certificates are revoked.\n"
    if done.ended:
        return said + "If it was connected, it is so no longer.\n"
    return (
        said + "No broker runs here that reads the list by itself.\n"
        "Next: give units.crl to your broker, and have it read it again and end the unit's connection.\n"
    )


def _centre(home: Path | None) -> "CentreHome":
    from edge.config import Places
    from sync.central.home import CentreHome

    return CentreHome(Places.at(home).central)
