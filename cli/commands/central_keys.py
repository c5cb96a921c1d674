"""`qafila central keys …` and `central quarantine …`: the centre's keys, and what it could not open."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AsJson, Home

if TYPE_CHECKING:
    from sync.central.home import CentreHome

keys = typer.Typer(no_args_is_help=True)
quarantine = typer.Typer(no_args_is_help=True)


class UseName(StrEnum):
    """What a key is for."""

    LANDED = "landed"
    OPENED = "opened"
    ADVICE = "advice"
    CONFIG = "config"
    RECORDS = "records"
    COMMAND = "command"
    SEAL_TO = "seal-to"
    RECOVERY = "recovery"


WhichUse = Annotated[UseName, typer.Argument(help="What the key is for.")]
Root = Annotated[
    Path | None, typer.Option(help="The private root to sign with; the hot one of the centre if left out.")
]


def register(app: typer.Typer) -> None:
    """Add the groups to `qafila central`."""
    app.add_typer(keys, name="keys", help="The centre's keys: show, renew, take out of use.")
    app.add_typer(quarantine, name="quarantine", help="What was validly signed and could not be opened.")


@keys.callback()
def keys_group() -> None:
    """The centre's keys: show, renew, take out of use."""


@quarantine.callback()
def quarantine_group() -> None:
    """What was validly signed and could not be opened."""


@keys.command("list", epilog="Example: qafila central keys list --json")
def list_keys(home: Home = None, as_json: AsJson = False) -> None:
    """Show the keys that the keyset names, where their private halves lie, and which keyset each unit has."""
    from cli.output import emit, table
    from sync.central import keyring

    ring = keyring.look(_centre(home))

    def human() -> str:
        rows = [
            [
                *(each.use, each.kid, "believed" if each.named else "taken out of use"),
                "taken away" if each.file is None else str(each.file),
                str(each.waiting) if each.use == "seal-to" else "",
            ]
            for each in ring.keys
        ]
        lines = [f"keyset    version {ring.version}", ""]
        lines.append(table(rows, ["use", "key", "state", "private half", "only it opens"]))
        for unit, version in ring.units.items():
            told = "has not said yet which keyset it has" if version is None else f"has keyset {version}"
            lines.append(
                f"{unit} {told}" + ("" if version in {None, ring.version} else "; it comes by itself")
            )
        lines += [
            f"Nothing waits for {each.file} any more: take it away or destroy it."
            for each in ring.keys
            if not each.named and each.file is not None and not each.waiting
        ]
        return "\n".join(lines)

    emit(ring.as_json(), as_json=as_json, human=human)


@keys.command(epilog="Example: qafila central keys rotate landed")
def rotate(use: WhichUse, root: Root = None, home: Home = None, as_json: AsJson = False) -> None:
    """Make a new key for a use, named beside the ones there are. Units learn of it by themselves.

    The running processes take it up within seconds. Take the former one out of use with `central keys
    retire` once `central keys list` shows that every unit has the new keyset.
    """
    from sync.central import keyring
    from sync.wire.keyset import Use

    made = keyring.rotate(_centre(home), Use(use.value), root)
    _tell(_centre(home), use, [each.kid.hex() for each in made], as_json=as_json)


@keys.command(epilog="Example: qafila central keys add records")
def add(use: WhichUse, root: Root = None, home: Home = None, as_json: AsJson = False) -> None:
    """Make the first key for a use that this centre was made without."""
    from sync.central import keyring
    from sync.wire.keyset import Use

    made = keyring.add(_centre(home), Use(use.value), root)
    _tell(_centre(home), use, [each.kid.hex() for each in made], as_json=as_json)


@keys.command(epilog="Example: qafila central keys retire 3f9a0c51d2e8b764")
def retire(
    key: Annotated[str, typer.Argument(help="Which key, as `central keys list` shows it.")],
    compromised: Annotated[
        bool, typer.Option("--compromised", help="Others have it: it goes even when it is the only one.")
    ] = False,
    root: Root = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take a key out of use: a unit believes it no more as soon as it has the new keyset.

    What was sealed to a former key is still opened as long as its private half lies here.
    """
    from cli.output import emit
    from sync.central import keyring

    keyset = keyring.retire(_centre(home), key, root, compromised=compromised)
    emit(
        {"version": keyset.version, "key": key},
        as_json=as_json,
        human=lambda: (
            f"Keyset {keyset.version} names {key} no more.\n"
            "Next: qafila central keys list shows which units have it."
        ),
    )


@quarantine.command("list", epilog="Example: qafila central quarantine list --unit van-07")
def list_quarantined(
    unit: Annotated[str | None, typer.Option(help="Of this unit only.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the batches that could not be opened as they are, and why. They are kept, and never *received*."""
    from cli.output import emit, table
    from sync.central import quarantine as kept
    from sync.central import sentences

    found = kept.batches(_centre(home), unit)

    def human() -> str:
        if not found:
            return "Nothing is quarantined."
        rows = [
            [*(each.unit, each.epoch, each.stream, str(each.first), str(each.last), each.reason, each.code)]
            for each in found
        ]
        lines = [table(rows, ["unit", "epoch", "stream", "first", "last", "reason", "code"])]
        for code in sorted({each.code for each in found}):
            sentence, next_step = sentences.QUARANTINED[code]
            lines += ["", f"{code}: {sentence}", f"  Next: {next_step}"]
        return "\n".join(lines)

    emit([each.as_json() for each in found], as_json=as_json, human=human)


@quarantine.command("retry", epilog="Example: qafila central quarantine retry --unit van-07")
def retry_quarantined(
    unit: Annotated[str | None, typer.Option(help="Of this unit only.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Have the exploder try them once more, as it does by itself when it starts."""
    from cli.output import emit
    from sync.central import quarantine as kept

    n = kept.retry(_centre(home), unit)
    emit(
        {"batches": n},
        as_json=as_json,
        human=lambda: (
            f"{n} batches are tried again by the running exploder, or by qafila central explode --once.\n"
            "Next: qafila central quarantine list"
        ),
    )


def _tell(centre: "CentreHome", use: UseName, made: list[str], *, as_json: bool) -> None:
    from cli.output import emit

    version = centre.read_keyset(centre.read_settings().realm).version
    away = use in {UseName.RECORDS, UseName.RECOVERY}
    files = centre.records_keys if use is UseName.RECORDS else (centre.recovery_key,)
    emit(
        {
            "version": version,
            "use": use.value,
            "keys": made,
            "take_away": [str(f) for f in files] if away else [],
        },
        as_json=as_json,
        human=lambda: (
            f"Keyset {version} names the new key for {use.value}: {', '.join(made)}.\n"
            + (f"Take away now, as when the centre was made: {', '.join(map(str, files))}\n" if away else "")
            + "Next: qafila central keys list shows which units have it."
        ),
    )


def _centre(home: Path | None) -> "CentreHome":
    from edge.config import Places
    from sync.central.home import CentreHome

    return CentreHome(Places.at(home).central)
