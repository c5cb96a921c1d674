"""The status as OpenMetrics text, for whoever watches many units; it names no patient.

Source: OpenMetrics 1.0.0, section 5 (text format): a TYPE and a HELP line for each family, labels with
backslash, quote and line feed escaped, an EOF line.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

Labels = Mapping[str, str]
Sample = tuple[Labels, float]

_STATES: Final = ("present", "starting", "gone")


def text(status: Mapping[str, Any]) -> str:
    """What `status` answered, as metrics; what is not known has no line."""
    lines: list[str] = []
    for name, kind, help_, unit, samples in _families(status):
        found = list(samples)
        if not found:
            continue
        lines += [f"# TYPE {name} {kind}", f"# HELP {name} {help_}"]
        if unit:
            lines.insert(len(lines) - 1, f"# UNIT {name} {unit}")
        suffix = {"counter": "_total", "info": "_info"}.get(kind, "")
        lines += [f"{name}{suffix}{_labels(labels)} {_number(value)}" for labels, value in found]
    return "\n".join([*lines, "# EOF", ""])


def _families(status: Mapping[str, Any]) -> Iterable[tuple[str, str, str, str, Iterable[Sample]]]:
    unit = {"unit": status["unit"]}
    streams: Mapping[str, Any] = status["streams"]
    disk = status.get("disk") or {}
    wall_ms = status["clock"]["wall_ms"]
    yield (
        *("qafila", "info", "This unit and its version.", ""),
        [({**unit, "realm": status["realm"], "version": status["version"]}, 1)],
    )
    yield "qafila_store_locked", "gauge", "1 while nobody is signed in.", "", [(unit, status["locked"])]
    yield (
        "qafila_enrolled",
        "gauge",
        "1 once a centre has signed this unit.",
        "",
        [(unit, status["enrolled"])],
    )
    connected = status["link"]["connected"]
    yield "qafila_link_connected", "gauge", "1 while the uplink is connected.", "", [(unit, connected)]
    waiting = status["link"].get("waiting") or {}
    yield (
        *("qafila_link_waiting_bytes", "gauge", "What has no receipt yet, as it is sent.", "bytes"),
        [
            ({**unit, "class": each}, waiting[f"{each}_bytes"])
            for each in ("urgent", "backlog", "held")
            if f"{each}_bytes" in waiting
        ],
    )
    for name, help_ in (
        ("saved", "Entries saved, by stream."),
        ("arrived", "Entries of which the centre has signed that it has them."),
        ("received", "Entries of which the centre has signed that it opened them."),
    ):
        key = {"saved": "tip", "arrived": "landed", "received": "opened"}[name]
        samples = [({**unit, "stream": word}, each[key]) for word, each in streams.items()]
        yield f"qafila_entries_{name}", "gauge", help_, "", samples
    waits = [
        ({**unit, "stream": word}, max(0, wall_ms - each["oldest_ms"]) / 1000)
        for word, each in streams.items()
        if each.get("oldest_ms") is not None
    ]
    yield "qafila_queue_age_seconds", "gauge", "Age of the oldest entry not received.", "seconds", waits
    stopped = [({**unit, "stream": word}, each["stopped"] is not None) for word, each in streams.items()]
    yield "qafila_stream_stopped", "gauge", "1 where a stream no longer moves.", "", stopped
    receipt = status.get("receipt_ms")
    yield (
        *("qafila_receipt_timestamp_seconds", "gauge", "When a receipt last moved something.", "seconds"),
        [] if receipt is None else [(unit, receipt / 1000)],
    )
    for name, help_, key in (
        ("qafila_store_bytes", "Size of the store.", "store_bytes"),
        ("qafila_disk_free_bytes", "Room on the store's disk.", "free_bytes"),
    ):
        yield name, "gauge", help_, "bytes", [] if key not in disk else [(unit, disk[key])]
    left = disk.get("days")
    yield (
        *("qafila_disk_days", "gauge", "Days of work the disk has room for.", ""),
        [] if left is None else [(unit, left)],
    )
    ends = status.get("certificate_days")
    yield (
        *("qafila_certificate_days", "gauge", "Days until the certificate ends.", ""),
        [] if ends is None else [(unit, ends)],
    )
    quality = status["clock"]["quality"]
    yield "qafila_clock_quality", "gauge", "What tells the time.", "", [({**unit, "quality": quality}, 1)]
    yield (
        *("qafila_device_state", "gauge", "How each device does.", ""),
        [
            ({**unit, "device": each["key"], "kind": each["kind"], "state": state}, each["state"] == state)
            for each in status["devices"]
            for state in dict.fromkeys((*_STATES, each["state"]))
        ],
    )
    refusals = [({**unit, "code": code}, count) for code, count in status["refusals"].items()]
    yield "qafila_refused", "counter", "What came from outside and was not believed.", "", refusals
    problem = status.get("problem")
    wrong = [*([problem] if problem else []), *status.get("notes", ())]
    yield (
        *("qafila_problem", "gauge", "What somebody has to look after, by stable code.", ""),
        [({**unit, "code": code}, 1) for code in wrong],
    )


def _labels(labels: Labels) -> str:
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{float(value):.3f}"
