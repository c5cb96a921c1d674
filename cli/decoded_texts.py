"""What bytes of a device mean, in lines for people."""

import itertools
from collections.abc import Mapping
from typing import Any, Final

WORDS: Final = {
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


def decoded_for_people(decoded: dict[str, Any], size: int) -> str:
    """What bytes meant: a line for each reading, alike ones joined, then places, waves, refusals."""
    lines = [f"{decoded['kind']}: {_count(len(decoded['readings']), 'reading')} in {_count(size, 'byte')}"]
    lines += readings_for_people(decoded)
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


def readings_for_people(decoded: dict[str, Any]) -> list[str]:
    """Readings and places, alike ones joined."""
    lines: list[str] = []
    number = 1
    for text, alike in itertools.groupby(_reading_for_people(reading) for reading in decoded["readings"]):
        last = number + len(list(alike)) - 1
        which = f"{number}" if last == number else f"{number} to {last}"
        lines.append(f"  {which:>9}  {text}")
        number = last + 1
    lines += [f"place {place_for_people(place)}" for place in decoded.get("places", [])]
    return lines


def place_for_people(place: Mapping[str, Any]) -> str:
    """A place as decode or the agent tells it: what is not said is left out."""
    if place.get("missing") is not None:
        parts = [f"— ({place['missing']})"]
    else:
        parts = [f"{place['latitude']} {place['longitude']}"]
    for name, before, after in (("altitude_m", "", " m"), ("hdop", "HDOP ", "")):
        if place.get(name) is not None:
            parts.append(f"{before}{place[name]}{after}")
    if place.get("satellites") is not None:
        parts.append(_count(place["satellites"], "satellite"))
    return "   ".join([*parts, *([place["at"]] if place["at"] else [])])


def _reading_for_people(reading: dict[str, Any]) -> str:
    parts = [reading["at"]] if reading["at"] else []
    for value in reading["values"]:
        word = WORDS.get(value["code"], value["code"])
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
