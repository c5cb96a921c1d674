"""`qafila central claim`, `central est`: enrolling boxes over the network."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AsJson, Home, JsonLog

if TYPE_CHECKING:
    from sync.central.home import CentreHome

Host = Annotated[str, typer.Option(help="The name or address by which boxes reach it.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Where boxes connect.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `qafila central`."""
    app.command(
        "claim",
        epilog="Example: qafila central claim van-07 --host est.example.org --out /media/stick/van-07.claim",
    )(claim)
    app.command("est", epilog="Example: qafila central est --host est.example.org")(serve)


def claim(
    unit: Annotated[str, typer.Argument(help="The one unit that it is for.")],
    host: Host,
    out: Annotated[
        Path, typer.Option(help="Where to write it; the file must not exist yet. It is a secret.")
    ],
    port: Port = 8443,
    hours: Annotated[int, typer.Option(min=1, max=720, help="For how long it is good.")] = 24,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a claim: the right to enrol this unit over the network, once; a former one for it ends."""
    from cli.files import write_new_file
    from cli.output import emit
    from edge.clock import SystemClock
    from sync.central import claims

    if out.exists():
        write_new_file(out, b"")  # refuses, before the former claim ends
    made = claims.make(_centre(home), unit, host, port, hours=hours, clock=SystemClock())
    write_new_file(out, made.line().encode(), mode=0o600)
    emit(
        {"unit": unit, "host": host, "port": port, "hours": hours, "claim": str(out)},
        as_json=as_json,
        human=lambda: (
            f"The claim for {unit} is in {out}, good for {hours} hours and one box.\n"
            "Hand it over as you would a key: until it is used, whoever has it can be that unit.\n"
            f"Next: qafila central est --host {host}, where it does not run; on the unit,\n"
            f"qafila unit enrol-online {out.name}"
        ),
    )


def serve(
    host: Host,
    port: Port = 8443,
    listen: Annotated[str, typer.Option(help="On which of this machine's addresses.")] = "0.0.0.0",  # noqa: S104  boxes come from anywhere
    home: Home = None,
    as_json: JsonLog = False,
) -> None:
    """Enrol boxes that have a claim, over HTTPS (EST, RFC 7030), until Ctrl-C or SIGTERM.

    It holds the root that signs bundles, so run it where you would run `central enrol`, and only while boxes
    are set up.
    """
    import logging
    import signal
    import threading

    from edge import logs
    from edge.clock import SystemClock
    from edge.errors import QafilaError
    from sync.central import est

    logs.to_stderr("centre", as_json=as_json)
    try:
        server = est.Server(_centre(home), (listen, port), host, SystemClock())
    except OSError as error:
        raise QafilaError(
            f"Nobody can listen at {listen}:{port}: {error.strerror}.",
            next_step="choose another --port, or end what listens there.",
            code="port-taken",
        ) from None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    with server:
        thread.start()
        logging.getLogger("qafila.central").info("enrolment-open", extra={"port": port})
        stop.wait()
        server.shutdown()
        thread.join()


def _centre(home: Path | None) -> "CentreHome":
    from edge.config import Places
    from sync.central.home import CentreHome

    return CentreHome(Places.at(home).central)
