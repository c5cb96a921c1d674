"""`qafila doctor`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import AsJson, Home

_Bundle = Annotated[
    Path | None,
    typer.Option(
        "--bundle",
        help="Write a support file that names no person, unit, place or device.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    @app.command("doctor", epilog="Example: qafila doctor --bundle /media/stick/support.json")
    def doctor(  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        home: Home = None, as_json: AsJson = False, bundle: _Bundle = None
    ) -> int:
        """What of this unit works, what does not, and what to do next; it changes nothing.

        Exit status by the worst finding: 0 all pass, 1 something to look at or not known, 2 something failed.
        """
        from cli.doctor.examination import examine
        from cli.doctor.finding import exit_status
        from cli.output import emit
        from edge.config import Places

        findings = examine(Places.at(home))
        if bundle is not None:
            from importlib import metadata

            from cli.doctor import bundle as support

            support.write(bundle, findings, metadata.version("qafila"))
        shown = [finding.shown() for finding in findings]
        emit({"checks": shown}, as_json=as_json, human=lambda: _human(shown))
        return exit_status(findings)


def _human(checks: list[dict[str, Any]]) -> str:
    from cli.output import inert

    width = max(len(check["name"]) for check in checks)
    lines: list[str] = []
    for check in checks:
        lines.append(f"{check['result']}  {check['name']:{width}}  {inert(check['detail'])}")
        if check["next"]:
            lines.append(f"{'':{width + 8}}Next: {inert(check['next'])}")
    return "\n".join(lines)
