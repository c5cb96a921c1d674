"""What the device commands print for people: short lines for a terminal of eighty, the next step last."""

from collections.abc import Mapping, Sequence
from typing import Any

from cli.decoded_texts import WORDS, place_for_people, readings_for_people
from cli.output import table

_STATES = {"starting": "waited for"}
_HUNG_UP = "device-ended"
_MARKS = {"passed": "ok  ", "failed": "FAIL", "unknown": "--  "}


def near_for_people(answer: Mapping[str, Any], user: str) -> str:
    """What is near, what is known first."""
    found: Sequence[Mapping[str, Any]] = answer["found"]
    known = [each for each in found if each["kinds"] or each["device"]]
    others = [each for each in found if not (each["kinds"] or each["device"])]
    lines: list[str] = []
    if known:
        rows = [
            [each["device"] or "new", ", ".join(each["kinds"]) or "?", _strength(each), each["port"]]
            for each in known
        ]
        lines += [table(rows, ["device", "looks like", "signal", "port"])]
    if others:
        lines += ["", "Not like any kind known here:"] if lines else ["Not like any kind known here:"]
        rows = [[_strength(each), each["port"], each["name"]] for each in others]
        lines += [table(rows, ["signal", "port", "name"])]
    if not found:
        lines += ["Nothing was found."]
        lines += ["Next: switch the devices on, close to the box, and look again for longer: --seconds 30."]
        return "\n".join(lines)
    first = next((each for each in known if each["device"] is None and each["kinds"]), None)
    if first is not None:
        kind = first["kinds"][0]
        lines += ["", f"Next: qafila devices pair KEY {kind} {first['port']} --user {user}"]
        lines += ["KEY is what people will call it, such as cuff-1."]
    return "\n".join(lines)


def paired_for_people(answer: Mapping[str, Any]) -> str:
    """What was paired, and what is left to do."""
    bluetooth = answer["port"].startswith("ble:")
    done = "is paired" if bluetooth else "answers"
    lines = [f"{answer['device']} ({answer['kind']}) {done} at {answer['port']}.{_who(answer['identity'])}"]
    lines += ["It is in unit.toml, and the agent listens to it from now on."]
    if answer.get("udev_file"):
        lines += [
            "",
            f"A udev rule that keeps its port for the agent is in {answer['udev_file']}. As root:",
            f"  cp {answer['udev_file']} /etc/udev/rules.d/",
            "  udevadm control --reload && udevadm trigger --subsystem-match=tty",
        ]
    elif not bluetooth and "udev_file" in answer:
        lines += [
            "",
            "Its port has no name that stays: after a restart another device may be there.",
            "Next: give the port under /dev/serial/by-id or by-path, as qafila devices scan shows it.",
        ]
    return "\n".join([*lines, f"Next: qafila devices test {answer['device']} --user USER"])


def forgotten_for_people(answer: Mapping[str, Any]) -> str:
    """What is forgotten here, and what is not forgotten there."""
    key, lines = answer["device"], list[str]()
    if answer["port"].startswith("ble:"):
        lines += [
            f"The pairing with {key} is removed from this box."
            if answer["had_keys"]
            else f"This box held no pairing with {key}."
        ]
        lines += ["The device may still remember this box: clear the pairing on the device too, by its own"]
        lines += ["menu or its manual; many clear it when their batteries are taken out for a minute."]
    else:
        lines += [f"{key} is listened to no more."]
        lines += [f"If you installed its udev rule: rm /etc/udev/rules.d/70-qafila-{key}.rules"]
    if answer["in_unit_toml"]:
        lines += [f"It stays in unit.toml. Next: qafila devices pair {key} --user USER"]
    else:
        lines += ["It is no longer in unit.toml. What it measured stays."]
    return "\n".join(lines)


def tested_for_people(answer: Mapping[str, Any], names: Mapping[str, tuple[str, str]], port: str) -> str:
    """A line for each step; under one that failed, why and what to do."""
    cable = not port.startswith("ble:")
    lines: list[str] = []
    for step in answer["steps"]:
        said = f": {step['sentence']}" if step["sentence"] and step["result"] != "failed" else ""
        lines.append(f"{_MARKS[step['result']]}  {names[step['step']][cable]}{said}")
        if step["result"] == "failed":
            lines.append(f"      {step['sentence']} (code: {step['code']})")
        if step["hint"]:
            lines.append(f"      Next: {step['hint']}")
    works = f"{answer['device']} can be used."
    return "\n".join([*lines, works if answer["passed"] else f"{answer['device']} needs attention."])


def state_for_people(state: str, code: str | None) -> str:
    """How a device does; the code of why it is not there for whoever looks it up."""
    if state == "gone" and code == _HUNG_UP:
        return "at rest"
    word = _STATES.get(state, state)
    return f"{word} ({code})" if code else word


def heard_for_people(name: str, data: Mapping[str, Any], time: str) -> str:
    """One event of a device in a line."""
    if name == "device":
        return f"{time}  {state_for_people(data['state'], data['code'])}"
    if name == "place":
        return f"{time}  {place_for_people(data)}"
    parts = [f"{time} "]
    if data["old"]:
        parts.append(f"[old, {data['device_time'] or 'time unknown'}]")
    for value in data["values"]:
        word = WORDS.get(value["code"], value["code"])
        if value.get("value") is None:
            parts.append(f"{word} — ({value['missing']})")
        else:
            parts.append(f"{word} {value['value']} {value['unit']}")
    return "  ".join(parts) + "".join(f"  [{flag}]" for flag in data["flags"])


def measured_for_people(answer: Mapping[str, Any]) -> str:
    """What a cuff measured, or why it measured nothing."""
    if not answer["measured"]:
        why = [flag for flag in answer["flags"] if flag != "measurement-failed"] or ["no result"]
        return (
            f"{answer['device']} measured nothing: {', '.join(why)}. (code: measurement-failed)\n"
            f"Next: see how the cuff sits, keep the arm still, and measure again."
        )
    lines = [f"{answer['device']}:"]
    for value in answer["values"]:
        word = WORDS.get(value["code"], value["code"])
        if value.get("value") is None:
            lines.append(f"  {word} — ({value['missing']})")
        else:
            lines.append(f"  {word} {value['value']} {value['unit']}")
    flags = "".join(f"  [{flag}]" for flag in answer["flags"])
    return "\n".join(lines) + flags + "\nIt goes to the open visit; without one it waits in the tray."


def played_for_people(answer: Mapping[str, Any]) -> str:
    """What a recording said, and whether all of it was played."""
    sessions = "1 session" if answer["sessions"] == 1 else f"{answer['sessions']} sessions"
    lines = [f"{answer['kind']}: a recording of {answer['lasts_s']} s, {sessions}"]
    lines += readings_for_people(dict(answer))
    waves: dict[tuple[str, str | None, str], int] = {}
    for wave in answer["waves"]:
        which = wave["code"], wave["lead"], wave["rate"]
        waves[which] = waves.get(which, 0) + len(wave["samples"])
    for (code, lead, rate), samples in waves.items():
        lines += [f"wave {code}{f' ({lead})' if lead else ''}: {samples} samples, {rate} a second"]
    if len(lines) == 1:
        lines += ["  It said nothing."]
    if not answer["whole"]:
        lines += ["The recording was cut short; this is as far as it goes."]
    if answer["differences"]:
        often = "once" if answer["differences"] == 1 else f"{answer['differences']} times"
        lines += [f"The driver wrote otherwise than the recorded one {often}: where it sets a clock it does."]
    if answer["ended"] != "recording-over":
        lines += [f"The driver ended with an error. (code: {answer['ended']})"]
    return "\n".join(lines)


def _strength(each: Mapping[str, Any]) -> str:
    if each["rssi"] is None:
        return "cable"
    paired = ", paired" if each["paired"] else ""
    return f"{each['rssi']} dBm{paired}"


def _who(identity: Mapping[str, Any] | None) -> str:
    if identity is None:
        return ""
    parts = [identity[name] for name in ("manufacturer", "model", "serial") if identity[name]]
    battery = identity["battery_percent"]
    told = f" It is {' '.join(parts)}." if parts else ""
    return told + ("" if battery is None else f" Battery {battery} %.")
