"""`qafila central …`: make a centre, enrol units, take and open what they send, show what came."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.commands import (
    central_attachments,
    central_configuring,
    central_copies,
    central_courier,
    central_erasing,
    central_est,
    central_health,
    central_keys,
    central_links,
    central_requests,
    central_trust,
    central_waves,
)
from cli.options import AsJson, Home, JsonLog

if TYPE_CHECKING:
    import threading

    from sync.central.home import CentreHome
    from sync.central.received import ReceivedPatient

app = typer.Typer(no_args_is_help=True)
central_courier.register(app)
central_erasing.register(app)
central_copies.register(app)
central_configuring.register(app)
central_keys.register(app)
central_trust.register(app)
central_links.register(app)
central_est.register(app)
central_waves.register(app)
central_attachments.register(app)
central_requests.register(app)
central_health.register(app)

_BROKER_HELP: Final = "Where the broker listens, as HOST:PORT, with TLS tls://HOST:PORT."
_NO_BROKER_YET: Final = (
    "Its processes, collect and explode, need a broker with TLS: qafila central broker mosquitto.\n"
)


class RealmName(StrEnum):
    """Real patients, or none."""

    PRODUCTION = "production"
    TRAINING = "training"


class RecoveryReason(StrEnum):
    """Why somebody has to be let in by telephone."""

    FORGOTTEN_PIN = "forgotten-pin"
    SUPERVISOR_LEFT = "supervisor-left"
    HANDOVER = "handover"


class GrantReason(StrEnum):
    """Why another box gets a unit's backup."""

    UNIT_LOST = "unit-lost"
    UNIT_BROKEN = "unit-broken"
    HANDOVER = "handover"


BackoffMax = Annotated[
    float, typer.Option("--backoff-max", min=0.05, help="Longest wait between attempts to reach it, seconds.")
]
OtherBroker = Annotated[
    str | None,
    typer.Option("--broker", metavar="HOST:PORT", help=f"{_BROKER_HELP} Instead of the centre's settings."),
]


@app.callback()
def group() -> None:
    """The centre: enrol units, take and open what they send."""


@app.command(
    epilog="Example: qafila central init --realm training --broker mosquitto --host broker.example.org"
)
def init(
    realm: Annotated[RealmName, typer.Option(help="Fixed for ever: training never meets production.")],
    broker: Annotated[
        str | None,
        typer.Option(
            metavar="WHICH",
            help="mosquitto has all its files written, for TLS; or where one listens, as tls://HOST:PORT,"
            " without TLS as HOST:PORT, which is for training on this machine. 127.0.0.1:1883 if left out.",
        ),
    ] = None,
    host: central_links.Host = "127.0.0.1",
    port: central_links.Port = 8883,
    centre_port: central_links.CentrePort = 8884,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="postgresql://USER@HOST/NAME, an empty database; without a password, which belongs into"
            " ~/.pgpass. A file in the home if left out.",
        ),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a centre: two roots, the signed keyset, the keys of its processes, an empty database."""
    from cli.output import emit
    from sync.central import mosquitto, setup
    from sync.central.home import parse_broker

    place = _centre(home)
    own = setup.Mosquitto(host, port, centre_port) if broker == "mosquitto" else None
    named = () if broker is None or own is not None else (parse_broker(broker),)
    setup.init(place, realm.value, named, own=own, place=database)
    first = place.read_settings().brokers[0]
    runs = realm is RealmName.TRAINING or first.tls
    configuration = None if own is None else str(mosquitto.folder(place) / "mosquitto.conf")
    answer = {
        "centre": str(place.directory),
        "realm": realm.value,
        "generation": setup.FIRST_GENERATION,
        "broker": f"{first.host}:{first.port}",
        "tls": first.tls,
        "broker_configuration": configuration,
        "database": "sqlite" if database is None else "postgresql",
        "processes_run": runs,
        "cold_root": str(place.cold_key),
        "recovery_key": str(place.recovery_key),
        "records_keys": [str(path) for path in place.records_keys],
    }
    emit(
        answer,
        as_json=as_json,
        human=lambda: (
            f"Made a {realm.value} centre in {place.directory}.\n"
            f"Take {place.cold_key} away now: copy it to two media that are kept apart and under lock, then\n"
            "delete it here. It is needed only when the other root is lost or stolen.\n"
            f"Do the same with {place.recovery_key}: it lets people back into a unit by telephone, and\n"
            "whoever holds it can read every backup of this centre's units, and together with a unit\n"
            "and its device secret that unit's store.\n"
            "Give records-1.key and records-2.key to one person each, and delete them here: it takes both\n"
            "to have a patient erased.\n"
            f"{'' if runs else _NO_BROKER_YET}"
            + (f"Start the broker: mosquitto -c {configuration}\n" if configuration else "")
            + "Next: qafila central enrol REQUEST --out BUNDLE"
        ),
    )


@app.command(epilog="Example: qafila central enrol van-07.request --out van-07.bundle")
def enrol(
    request: Annotated[Path, typer.Argument(help="The file that `qafila unit csr` wrote.")],
    out: Annotated[Path, typer.Option(help="Where to write the bundle; the file must not exist yet.")],
    broker: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="What this unit shall use instead of the centre's broker."),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Register a unit's public keys and write the bundle that `qafila unit enrol` takes.

    Compare the fingerprint by telephone with the one `qafila unit show` gives on the unit.
    """
    from cli.files import read_small_file, write_new_file
    from cli.output import emit
    from edge.clock import SystemClock
    from sync.central import setup
    from sync.central.home import parse_broker
    from sync.wire.enrolment import fingerprint, fingerprint_words, roots_words

    brokers = None if broker is None else (parse_broker(broker),)
    raw = read_small_file(request)
    enrolled, bundle = setup.enrol(_centre(home), raw, SystemClock(), brokers)
    write_new_file(out, bundle)
    answer = {
        "unit": enrolled.unit,
        "realm": enrolled.realm,
        "fingerprint": fingerprint(raw),
        "words": fingerprint_words(raw),
        "centre_words": roots_words(_centre(home).read_roots()),
        "bundle": str(out),
    }
    emit(
        answer,
        as_json=as_json,
        human=lambda: (
            f"Enrolled {enrolled.unit} ({enrolled.realm}); the bundle is {out}.\n"
            f"Fingerprint of the request: {answer['words']}\n"
            f"Fingerprint of this centre: {answer['centre_words']}\n"
            "Next: on the unit, qafila unit enrol BUNDLE"
        ),
    )


@app.command(epilog="Example: qafila central collect --home /srv/qafila")
def collect(
    broker: OtherBroker = None, backoff_max: BackoffMax = 30.0, home: Home = None, as_json: JsonLog = False
) -> None:
    """Run the collector: verify and land what units send, answer *landed*. Needs no decryption key."""
    from edge.clock import SystemClock
    from sync.central import collect as collector
    from sync.central.home import parse_broker

    place, other = _centre(home), None if broker is None else parse_broker(broker)
    _serve(
        lambda stop: collector.run(place, SystemClock(), stop, broker=other, backoff_max_s=backoff_max),
        json_log=as_json,
    )


@app.command(epilog="Example: qafila central explode --home /srv/qafila")
def explode(
    broker: OtherBroker = None,
    backoff_max: BackoffMax = 30.0,
    home: Home = None,
    as_json: JsonLog = False,
    once: Annotated[
        bool, typer.Option("--once", help="Open what has landed and end; no broker is needed.")
    ] = False,
) -> None:
    """Run the exploder: open what landed, check it against its chain, commit rows, answer *opened*."""
    from edge.clock import SystemClock
    from sync.central import explode as exploder
    from sync.central.home import parse_broker

    if once:
        _explode_once(_centre(home), as_json=as_json)
        return
    place, other = _centre(home), None if broker is None else parse_broker(broker)
    _serve(
        lambda stop: exploder.run(place, SystemClock(), stop, broker=other, backoff_max_s=backoff_max),
        json_log=as_json,
    )


@app.command(
    epilog="Example: qafila central recover --unit van-07 --user amina --reason forgotten-pin"
    " --key /media/safe/recovery.key --by hakim"
)
def recover(
    unit: Annotated[str, typer.Option(help="Which unit calls.")],
    user: Annotated[str, typer.Option(help="Who shall get a new PIN there.")],
    reason: Annotated[RecoveryReason, typer.Option(help="Why.")],
    key: Annotated[Path, typer.Option(help="The recovery key, from where it is kept offline.")],
    by: Annotated[str, typer.Option(help="Who answers the call here, and knows the caller.")],
    challenge: Annotated[
        str | None, typer.Option(help="What the caller reads out; asked for when left out.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Answer a unit's challenge with the code that gives somebody there a new PIN.

    It is logged before the code is shown. Be sure of who calls: the code opens that unit.
    """
    from cli.output import emit
    from edge.clock import SystemClock
    from sync.central import recover as recovering

    said = challenge if challenge is not None else str(typer.prompt("Challenge"))
    asked = recovering.Asked(unit, user, reason.value, by)
    code = recovering.answer(_centre(home), asked, said, key, SystemClock())
    emit(
        {"unit": unit, "user": user, "reason": reason.value, "code": code},
        as_json=as_json,
        human=lambda: (
            f"Code for {user} on {unit}:\n\n    {code}\n\nThis is in the log. Take the key away again."
        ),
    )


@app.command(
    epilog="Example: qafila central grant /media/stick/van-07-….backup --to van-19 --reason unit-lost"
    " --key /media/safe/recovery.key --by hakim --out van-19.grant"
)
def grant(
    backup: Annotated[Path, typer.Argument(help="The backup's folder, or its manifest alone.")],
    to: Annotated[str, typer.Option(help="The enrolled unit that takes the lost one's place.")],
    reason: Annotated[GrantReason, typer.Option(help="Why.")],
    key: Annotated[Path, typer.Option(help="The recovery key, from where it is kept offline.")],
    by: Annotated[str, typer.Option(help="Who answers for it.")],
    out: Annotated[Path, typer.Option(help="Where to write the grant; the file must not exist yet.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Let another box have a lost unit's backup, and go on with what that unit wrote.

    It is noted before it is written. Be sure that the lost unit is: whoever holds the grant's box reads all
    that the backup holds.
    """
    from uuid import UUID

    from cli.files import read_small_file, write_new_file
    from cli.output import emit
    from cli.patient_texts import day
    from edge.clock import SystemClock
    from sync.central import grants

    manifest = read_small_file(backup / "manifest" if backup.is_dir() else backup)
    wanted = grants.Wanted(manifest, to, reason.value, by)
    noted = grants.give(_centre(home), wanted, key, SystemClock())
    given = noted.grant
    owed, again = ([str(UUID(hex=each)) for each in some] for some in (noted.owed, noted.again))
    write_new_file(out, noted.raw, mode=0o600)

    def human() -> str:
        told = (
            f"{given.unit} may have what the backup of {given.former} holds; the grant is {out}.\n"
            "Take the recovery key away again.\n"
        )
        if noted.repeated:
            told += "It was given before; this is the same one once more.\n"
        for unit, granted_ms in noted.before:
            told += f"{unit} was let have a backup of {given.former} before, on {day(granted_ms)}. If both"
            told += " go on, the centre\nholds both branches and says cloned: use one of them only.\n"
        if owed:
            told += f"{given.former} was ordered to erase {len(owed)} who may stand in the backup;"
            told += f" {given.unit} does it by\nthis grant, which carries the orders.\n"
        if again:
            told += f"Of {len(again)} of them it does not hear so: have two people order it again, once for"
            told += f" any of\nthem: qafila central erase {again[0]}\n"
        return told + f"Next: on {given.unit}, qafila store restore BACKUP --grant GRANT"

    told = {"former": given.former, "unit": given.unit, "backup": given.backup.hex(), "grant": str(out)}
    before = [{"unit": unit, "granted_ms": granted_ms} for unit, granted_ms in noted.before]
    erase = {"to_erase": owed, "to_erase_again": again, "repeated": noted.repeated}
    emit(told | erase | {"granted_before": before}, as_json=as_json, human=human)


@app.command(epilog="Example: qafila central patients --json")
def patients(home: Home = None, as_json: AsJson = False) -> None:
    """Show the patients that were received, by name, with what came of each."""
    from cli.output import emit, table
    from sync.central import received

    found = received.patients(_centre(home))

    def human() -> str:
        if not found:
            return "Nobody has been received yet."
        header = ["name", "born", "sex", "identifiers", "unit", "visits", "values", "alerts"]
        return table([_cells(patient) for patient in found], header)

    emit([patient.as_json() for patient in found], as_json=as_json, human=human)


@app.command(epilog="Example: qafila central units --json")
def units(home: Home = None, as_json: AsJson = False) -> None:
    """Show how each unit stands: stores that went back in time, cards that were copied, contradictions."""
    from cli.output import emit, table
    from cli.patient_texts import day
    from sync.central import sentences, standing

    found = standing.units(_centre(home))

    def human() -> str:
        if not found:
            return "No unit is enrolled yet."
        header = [
            "unit",
            "epochs",
            "went back",
            "copies alive",
            "conflicts",
            "quarantined",
            "lost",
            "received",
            "state",
        ]
        rows = [
            [
                each.unit,
                *(str(n) for n in (each.epochs, each.went_back, len(each.cloned))),
                *(str(n) for n in (each.conflicts, each.quarantined, each.lost)),
                str(each.received),
                each.revoked or "",
            ]
            for each in found
        ]
        lines = [table(rows, header)]
        for each in found:
            if each.cloned:
                sentence, next_step = sentences.HISTORY["cloned"]
                lines += ["", f"{each.unit}: cloned", f"  {sentence} Next: {next_step}"]
            if each.second_sessions:
                sentence, next_step = sentences.HISTORY["second-session"]
                last = "" if each.second_session_ms is None else f", last on {day(each.second_session_ms)}"
                lines += ["", f"{each.unit}: second-session, said {each.second_sessions} times{last}"]
                lines += [f"  {sentence} Next: {next_step}"]
        return "\n".join(lines)

    emit([each.as_json() for each in found], as_json=as_json, human=human)


def _cells(patient: "ReceivedPatient") -> list[str]:
    from cli.output import inert

    cells = [
        f"{patient.family or ''} {patient.given or ''}".strip()
        or f"{patient.family_arabic or ''} {patient.given_arabic or ''}".strip(),
        patient.birth or "",
        patient.sex or "",
        ", ".join(f"{system} {value}" for system, value in patient.identifiers),
        patient.unit,
        str(patient.encounters),
        str(patient.observations),
        str(patient.alerts),
    ]
    return [inert(cell) for cell in cells]


def _centre(home: Path | None) -> "CentreHome":
    from edge.config import Places
    from sync.central.home import CentreHome

    return CentreHome(Places.at(home).central)


def _explode_once(centre: "CentreHome", *, as_json: bool) -> None:
    from cli.output import emit
    from edge import logs
    from edge.clock import SystemClock
    from sync.central import explode

    logs.to_stderr("centre", as_json=as_json)
    written = explode.once(centre, SystemClock())
    emit(
        {"receipts": written},
        as_json=as_json,
        human=lambda: (
            f"What could be opened is opened; {written} receipts written.\n"
            "Next: qafila central export-receipts DIR, or qafila central explode to send them."
        ),
    )


def _serve(run: "Callable[[threading.Event], None]", *, json_log: bool) -> None:
    """Run until SIGTERM or Ctrl-C, then end cleanly."""
    import signal
    import threading

    from edge import logs

    logs.to_stderr("centre", as_json=json_log)
    stop = threading.Event()

    def end(_number: int, _frame: object) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    run(stop)
