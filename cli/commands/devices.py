"""`qafila devices …`: what kinds there are, which devices this unit has, and what their bytes mean."""

import itertools
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.options import AsJson, Home

if TYPE_CHECKING:
    from drivers.decoding import Chunk
    from edge.config import Places

app = typer.Typer(no_args_is_help=True)

_WORDS: Final = {
    "spo2": "SpO2",
    "pulse.spo2": "pulse",
    "pi": "perfusion index",
    "bp.sys": "systolic",
    "bp.dia": "diastolic",
    "bp.map": "mean",
    "bp.cuff": "cuff",
    "pulse.nibp": "pulse",
    "hr": "heart rate",
}
"""What a person reads for a code; a code without a word stands for itself."""
_NO_NUMBER: Final = {"above-range": "HI", "below-range": "LO"}
"""What meters themselves show where they can measure no more or no less."""
_REFUSALS: Final = {
    "frame-too-short": "ends before what it promised",
    "not-a-frame": "no frame begins like this",
    "bad-checksum": "its sum says that a byte of it is wrong",
    "bad-field": "a field of it has another form than it should",
    "unknown-status": "a status that has no meaning here",
    "other-generation": "a whole frame, but of this device's other generation",
    "unknown-characteristic": "nothing is known of this characteristic here",
    "partial-interval": "the list of intervals ends within one",
    "partial-sample": "the samples end within one",
    "compressed-frame": "samples in a form that is not read here",
    "unknown-frame-type": "samples in a form that is not known",
    "not-ecg": "a measurement other than ECG",
    "not-a-response": "no answer of a control point",
    "not-a-request": "nothing that a control point is asked",
}
_SAMPLES_SHOWN: Final = 20


@app.command(epilog="Example: qafila devices kinds --json")
def kinds(home: Home = None, as_json: AsJson = False) -> None:  # noqa: ARG001  every command takes --home
    """The device kinds this software knows, and how sure we are of each."""
    from cli.output import emit, table
    from drivers.registry import KINDS

    known = [
        {
            "kind": kind.kind,
            "title": kind.title,
            "transport": kind.transport.value,
            "evidence": kind.evidence.value,
            "models": list(kind.models),
        }
        for kind in KINDS.values()
    ]
    rows = [
        [kind.kind, kind.transport.value, kind.evidence.value, f"{kind.title}: {', '.join(kind.models)}"]
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
    from cli.output import USAGE_EXIT, emit, fail
    from drivers.kinds import Medium
    from drivers.registry import KINDS
    from edge.errors import QafilaError

    try:
        if kind not in KINDS:
            raise _unknown_kind(kind, list(KINDS))
        known = KINDS[kind]
        stream = known.transport is Medium.SERIAL
        chunks = [_chunk(text, place, stream=stream) for place, text in enumerate(given, 1)]
    except QafilaError as error:
        fail(error, exit_status=USAGE_EXIT)
    answer = known.decode(chunks).as_json(kind)
    size = sum(len(chunk.data) for chunk in chunks)
    emit(answer, as_json=as_json, human=lambda: _decoded_for_people(answer, size))


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
    state = "not loaded: restart the agent" if device["state"] == "not-loaded" else str(device["state"])
    return f"{state} ({device['code']})" if device["code"] else state


def _decoded_for_people(decoded: dict[str, Any], size: int) -> str:
    lines = [f"{decoded['kind']}: {_count(len(decoded['readings']), 'reading')} in {_count(size, 'byte')}"]
    number = 1
    for text, alike in itertools.groupby(_reading_for_people(reading) for reading in decoded["readings"]):
        last = number + len(list(alike)) - 1
        which = f"{number}" if last == number else f"{number} to {last}"
        lines.append(f"  {which:>9}  {text}")
        number = last + 1
    lines += [f"place {_place_for_people(place)}" for place in decoded.get("places", [])]
    for wave in decoded["waves"]:
        samples = wave["samples"]
        shown = " ".join(map(str, samples[:_SAMPLES_SHOWN]))
        more = " …" if len(samples) > _SAMPLES_SHOWN else ""
        count = _count(len(samples), "sample")
        lead = f" ({wave['lead']})" if wave["lead"] else ""
        unit = "" if wave["unit"] == "1" else f" {wave['unit']}"
        lines.append(f"wave {wave['code']}{lead}: {count}, {wave['rate']} a second:{unit} {shown}{more}")
    for refused in decoded["refused"]:
        why = _REFUSALS.get(refused["code"], "")
        what = (
            f"refused: {_count(refused['length'], 'byte')} at offset {refused['offset']}, {refused['code']}"
        )
        lines.append(f"{what}: {why}" if why else what)
    if len(lines) == 1:
        lines.append(
            "  The bytes are whole frames, and none of them carries a reading." if size else "  Nothing."
        )
    return "\n".join(lines)


def _place_for_people(place: dict[str, Any]) -> str:
    if "missing" in place:
        parts = [f"— ({place['missing']})"]
    else:
        parts = [f"{place['latitude']} {place['longitude']}"]
    parts += [f"{place['altitude_m']} m"] if "altitude_m" in place else []
    parts += [f"HDOP {place['hdop']}"] if "hdop" in place else []
    parts += [_count(place["satellites"], "satellite")] if "satellites" in place else []
    return "   ".join([*parts, *([place["at"]] if place["at"] else [])])


def _reading_for_people(reading: dict[str, Any]) -> str:
    parts = [reading["at"]] if reading["at"] else []
    for value in reading["values"]:
        word = _WORDS.get(value["code"], value["code"])
        if "missing" in value:
            parts.append(f"{word} {_NO_NUMBER.get(value['missing'], '—')} ({value['missing']})")
        else:
            as_sent = (
                f" (sent as {value['device_value']} {value['device_unit']})"
                if "device_value" in value
                else ""
            )
            parts.append(f"{word} {value['value']} {value['unit']}{as_sent}")
    if "intervals_ms" in reading:
        parts.append(f"between beats {', '.join(reading['intervals_ms'])} ms")
    return "   ".join(parts) + "".join(f"   [{flag}]" for flag in reading["flags"])


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
