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
        f"clock     quality {clock['quality']}{_off(clock.get('off_ms'))}",
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
    lines += _streams(status["streams"])
    for code in sorted({stream["stopped"] for stream in status["streams"].values()} - {None}):
        lines += ["", f"stopped   {code}", explained(code, "internal")]
    return "\n".join(lines)


def _streams(streams: dict[str, Any]) -> list[str]:
    from cli.output import table

    if not streams:
        return []
    rows = [
        [word, str(stream["tip"]), str(stream["landed"]), str(stream["opened"]), stream["stopped"] or ""]
        for word, stream in streams.items()
    ]
    return ["", table(rows, ["stream", "saved", "arrived", "received", "stopped"])]


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
