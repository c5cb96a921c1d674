"""`qafila devices …`: what kinds there are, which devices this unit has, and what their bytes mean."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands import device_care, device_use
from cli.options import AsJson, Home

if TYPE_CHECKING:
    from drivers.decoding import Chunk
    from edge.config import Places

app = typer.Typer(no_args_is_help=True)
device_care.register(app)
device_use.register(app)


@app.command(epilog="Example: qafila devices kinds --json")
def kinds(home: Home = None, as_json: AsJson = False) -> None:  # noqa: ARG001  every command takes --home
    """The device kinds this software knows, and how sure we are of each."""
    from cli.output import emit, table, warn
    from drivers.registry import KINDS

    known = [
        {
            "kind": kind.kind,
            "title": kind.title,
            "transport": kind.transport.value,
            "evidence": kind.evidence.value,
            "models": list(kind.models),
            **(
                {}
                if kind.origin is None
                else {"from": {"package": kind.origin.name, "version": kind.origin.version}}
            ),
        }
        for kind in KINDS.values()
    ]
    rows = [
        [
            kind.kind,
            kind.transport.value,
            kind.evidence.value,
            f"{kind.title}: {', '.join(kind.models)}" + (f" (from {kind.origin})" if kind.origin else ""),
        ]
        for kind in KINDS.values()
    ]
    emit(
        known,
        as_json=as_json,
        human=lambda: (
            table(rows, ["kind", "transport", "evidence", "device"])
            + "\n\nEvidence: specification, from documents; recording, and decodes what a real device sent;"
            "\nbench, and was tried with a real device."
        ),
    )
    for refused in KINDS.refused:
        warn(refused)


@app.command("list", epilog="Example: qafila devices list --json")
def list_(home: Home = None, as_json: AsJson = False) -> None:
    """The devices of this unit, and how each does while the agent runs."""
    from cli.output import emit, table
    from edge.config import Places

    devices, agent = _devices(Places.at(home))
    rows = [[device["key"], device["kind"], _state_in_words(device), device["port"]] for device in devices]
    notes = [] if agent else ["", "The agent does not run: this is what unit.toml names. Next: qafila agent."]
    if not devices:
        notes = ["No device is configured. Next: add a [[device]] to unit.toml; qafila devices kinds."]
    emit(
        {"agent": agent, "devices": devices},
        as_json=as_json,
        human=lambda: "\n".join(
            [table(rows, ["device", "kind", "state", "port"]), *notes] if rows else notes
        ),
    )


@app.command(epilog="Example: qafila devices decode contec-cms50 01E085B396C1E1FFFF --json")
def decode(
    kind: Annotated[str, typer.Argument(help="A kind of `qafila devices kinds`.", metavar="KIND")],
    given: Annotated[
        list[str],
        typer.Argument(
            help="Bytes as the device sent them. Of a stream, any pieces; of Bluetooth, one value each.",
            metavar="[UUID=]HEX...",
        ),
    ],
    home: Home = None,  # noqa: ARG001  every command takes --home
    as_json: AsJson = False,
) -> None:
    """What bytes from a device mean; nothing is stored."""
    from cli.decoded_texts import decoded_for_people
    from cli.output import USAGE_EXIT, emit, fail
    from drivers.kinds import Medium
    from drivers.registry import KINDS
    from edge.errors import QafilaError

    try:
        if kind not in KINDS:
            raise KINDS.refusal(kind) or _unknown_kind(kind, list(KINDS))
        known = KINDS[kind]
        stream = known.transport is Medium.SERIAL
        chunks = [_chunk(text, place, stream=stream) for place, text in enumerate(given, 1)]
    except QafilaError as error:
        fail(error, exit_status=USAGE_EXIT)
    answer = known.decode(chunks).as_json(kind)
    size = sum(len(chunk.data) for chunk in chunks)
    emit(answer, as_json=as_json, human=lambda: decoded_for_people(answer, size))


def _chunk(text: str, place: int, *, stream: bool) -> "Chunk":
    from drivers.codec import uuids
    from drivers.decoding import Chunk
    from edge.errors import QafilaError

    name, equals, digits = text.rpartition("=")
    if equals and stream:
        raise QafilaError(
            f"Argument {place} names a characteristic, and this kind is a stream of bytes.",
            next_step="give the bytes alone, without UUID=.",
            code="characteristic-of-a-stream",
        )
    characteristic: str | None = None
    if equals:
        try:
            characteristic = uuids.full(name)
        except ValueError:
            raise QafilaError(
                f"What stands before = in argument {place} is no UUID.",
                next_step="write the characteristic as 2A35, or as its 128-bit UUID.",
                code="bad-uuid",
            ) from None
    try:
        return Chunk(bytes.fromhex(digits), characteristic)
    except ValueError:
        # The argument itself is not repeated: frames are health data, and standard error reaches logs.
        raise QafilaError(
            f"Argument {place} is not hexadecimal.",
            next_step="give bytes as pairs of 0-9 and a-f, such as 01E085B396C1E1FFFF.",
            code="bad-hex",
        ) from None


def _unknown_kind(kind: str, known: list[str]) -> Exception:
    import difflib

    from edge.errors import QafilaError

    near = difflib.get_close_matches(kind, known, n=1)
    return QafilaError(
        f"There is no device kind {kind}.",
        next_step=f"did you mean {near[0]}?" if near else "see qafila devices kinds.",
        code="unknown-kind",
    )


def _devices(places: "Places") -> tuple[list[dict[str, Any]], bool]:
    """Every configured device with what the agent says of it, and whether there is an agent."""
    import asyncio

    from edge.config import load
    from edge.localapi.client import AgentUnreachable, connect

    async def ask() -> list[dict[str, Any]]:
        async with connect(places.socket) as api:
            return list((await api.call("status"))["devices"])

    configured = load(places.config).device
    unknown: dict[str, Any] = {"state": None, "code": None}
    states: dict[str, dict[str, Any]] = {}
    try:
        states = {device["key"]: device for device in asyncio.run(ask())}
        # A device that came into unit.toml while the agent ran is not known to it.
        unknown = {"state": "not-loaded", "code": None}
        runs = True
    except AgentUnreachable:
        runs = False
    return [
        {
            "key": device.key,
            "kind": device.kind,
            "port": device.port,
            "simulated": device.simulated,
            "state": states.get(device.key, unknown)["state"],
            "code": states.get(device.key, unknown)["code"],
        }
        for device in configured
    ], runs


def _state_in_words(device: dict[str, Any]) -> str:
    if device["state"] is None:
        return "agent not running"
    if device["state"] == "not-loaded":
        return "not loaded: restart the agent"
    from cli.device_texts import state_for_people

    return state_for_people(device["state"], device["code"])
