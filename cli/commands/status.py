"""`qafila status`."""

from typing import Any

import typer

from cli.options import AsJson, Home


def register(app: typer.Typer) -> None:
    @app.command("status", epilog="Example: qafila status --json")
    def status(home: Home = None, as_json: AsJson = False) -> None:  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        """What the running agent knows of itself: lock, devices, what was saved and what was received."""
        from cli.asking import ask_agent
        from cli.output import emit
        from edge.config import Places

        answer = ask_agent(Places.at(home), "status")
        emit(answer, as_json=as_json, human=lambda: _human(answer))


def _human(status: dict[str, Any]) -> str:
    from cli.device_texts import state_for_people
    from cli.link_texts import link_waits
    from cli.sync_texts import refused_family
    from edge.i18n.catalogue import load

    say = load("en")

    def explained(code: str, family: str) -> str:
        """What a code means and what to do next; the code's family where it has no words of its own."""
        _, own_words = say.error(code, "", "")
        sentence, next_step = say.error(code if own_words else family, code)
        return f"          {sentence} Next: {next_step}"

    clock, link = status["clock"], status["link"]
    lines = [
        f"unit      {status['unit']} ({status['realm']}), qafila {status['version']}",
        f"store     {_lock(status)}",
        f"centre    {'enrolled' if status['enrolled'] else 'not enrolled: nothing can be sent'}",
        f"link      {'connected' if link['connected'] else 'no connection'}",
        *([explained(link["code"], "no-link")] if link.get("code") else []),
        *link_waits(say, link),
        *_receipt(status),
        f"clock     quality {clock['quality']}{_off(clock.get('off_ms'))}",
        *_disk(status.get("disk")),
        *_certificate(status.get("certificate_days")),
    ]
    for device in status["devices"]:
        code = device.get("code")
        state = state_for_people(device["state"], code)
        lines.append(f"device    {device['key']}: {device['kind']}, {state}")
        if code and code in state:
            lines.append(explained(code, "device-error"))
    if not status["devices"]:
        lines.append("device    none configured")
    lines += _waves(status.get("waves"))
    if forked := status.get("forked"):
        lines += [_history(forked), explained(forked["reason"], "internal")]
    for code, count in status["refusals"].items():
        lines += [f"refused   {code}: {count}", explained(code, refused_family(code))]
    if status["problem"]:
        lines += [f"problem   {status['problem']}", explained(status["problem"], "internal")]
    for note in status.get("notes", ()):
        lines += [f"note      {note}", explained(note, "internal")]
    lines += _streams(status["streams"], clock["wall_ms"])
    for code in sorted({stream["stopped"] for stream in status["streams"].values()} - {None}):
        lines += ["", f"stopped   {code}", explained(code, "internal")]
    return "\n".join(lines)


def _streams(streams: dict[str, Any], wall_ms: int) -> list[str]:
    from cli.output import table

    if not streams:
        return []
    rows = [
        [
            *(word, str(stream["tip"]), str(stream["landed"]), str(stream["opened"])),
            _since(stream.get("oldest_ms"), wall_ms),
            stream["stopped"] or "",
        ]
        for word, stream in streams.items()
    ]
    return ["", table(rows, ["stream", "saved", "arrived", "received", "oldest waits", "stopped"])]


def _receipt(status: dict[str, Any]) -> list[str]:
    """When the centre last signed for something; before the first one since the agent started, nothing."""
    at_ms = status.get("receipt_ms")
    return [] if at_ms is None else [f"receipt   {_since(at_ms, status['clock']['wall_ms'])} ago"]


def _disk(disk: dict[str, Any] | None) -> list[str]:
    if disk is None:
        return []
    from edge.i18n.amounts import size
    from edge.i18n.catalogue import load

    say = load("en")
    left = disk["days"]
    lasts = "for how long is not known yet" if left is None else f"about {left} days of work"
    return [
        f"disk      store {size(say, disk['store_bytes'])}, free {size(say, disk['free_bytes'])}: {lasts}"
    ]


def _certificate(days: int | None) -> list[str]:
    if days is None:
        return []
    return [f"paper     certificate {'ended' if days < 0 else f'good for {days} days'}"]


def _since(at_ms: int | None, wall_ms: int) -> str:
    """How long ago in one unit; a moment to come, which a clock that was set leaves behind, is no age."""
    if at_ms is None or at_ms > wall_ms:
        return ""
    from edge.i18n.amounts import duration
    from edge.i18n.catalogue import load

    return duration(load("en"), (wall_ms - at_ms) // 1000)


def _history(forked: dict[str, Any]) -> str:
    return f"history   went back in time ({forked['reason']}); journalled again: {forked['again']}"


def _waves(waves: dict[str, Any] | None) -> list[str]:
    """Recordings: they stay on this box, so they are saved and nothing more."""
    if not waves or not (waves["saved"] or waves["recording"]):
        return []
    saved = f"recordings saved on this box: {waves['saved']}"
    return [f"waves     {saved}{''.join(f', recording now: {device}' for device in waves['recording'])}"]


def _lock(status: dict[str, Any]) -> str:
    if not status["locked"]:
        return "unlocked"
    return "locked: see the problem" if status["problem"] else "locked: sign in to measure"


def _off(off_ms: int | None) -> str:
    """By how much a satellite receiver would correct the clock, where that is more than it can be late."""
    if off_ms is None or abs(off_ms) <= 2000:
        return ""
    return f", {abs(off_ms) / 1000:.0f} s {'behind' if off_ms > 0 else 'ahead of'} the satellites"
