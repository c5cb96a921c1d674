"""`qafila status`."""

from typing import Any

import typer

from cli.options import AsJson, Home


def register(app: typer.Typer) -> None:
    @app.command("status", epilog="Example: qafila status --json")
    def status(home: Home = None, as_json: AsJson = False) -> None:  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        """What the running agent knows of itself: lock, devices, what was saved and what was received."""
        from cli.output import emit
        from cli.signed_in import ask_agent
        from edge.config import Places

        answer = ask_agent(Places.at(home), "status")
        emit(answer, as_json=as_json, human=lambda: _human(answer))


def _human(status: dict[str, Any]) -> str:
    from cli.output import table

    clock, link = status["clock"], status["link"]
    lines = [
        f"unit      {status['unit']} ({status['realm']}), qafila {status['version']}",
        f"store     {'locked: sign in to measure' if status['locked'] else 'unlocked'}",
        f"centre    {'enrolled' if status['enrolled'] else 'not enrolled: nothing can be sent'}",
        f"link      {'connected' if link['connected'] else 'no connection'}",
        f"clock     quality {clock['quality']}",
    ]
    for device in status["devices"]:
        trouble = f" ({device['code']})" if device.get("code") else ""
        lines.append(f"device    {device['key']}: {device['kind']}, {device['state']}{trouble}")
    if not status["devices"]:
        lines.append("device    none configured")
    for code, count in status["refusals"].items():
        lines.append(f"refused   {code}: {count}")
    if status["problem"]:
        lines.append(f"problem   {status['problem']}")
    if status["streams"]:
        rows = [
            [word, str(stream["tip"]), str(stream["landed"]), str(stream["opened"]), stream["stopped"] or ""]
            for word, stream in status["streams"].items()
        ]
        lines += ["", table(rows, ["stream", "saved", "arrived", "received", "stopped"])]
    return "\n".join(lines)
