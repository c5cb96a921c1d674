"""`qafila config`: what unit.toml says, what holds, and what is wrong with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.options import AsJson, Home

if TYPE_CHECKING:
    from cli.effective import Setting
    from edge.config.mistakes import Mistake

app = typer.Typer(no_args_is_help=True)

_CODE: Final = "config-refused"
_REFUSED_EXIT: Final = 1


@app.callback()
def group() -> None:
    """The configuration of this unit: whether it can be used, and what holds."""


@app.command(epilog="Example: qafila config check new-unit.toml")
def check(
    file: Annotated[
        Path | None, typer.Argument(help="Another file than this unit's own.", show_default=False)
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Look for everything that is wrong in unit.toml, and say in which line and what was meant."""
    from cli.config_check import against_the_centres, examine
    from cli.output import emit
    from edge.config import Places

    places = Places.at(home)
    path = file or places.config
    found = examine(path) or ([] if file else against_the_centres(places))
    answer = {
        "file": str(path),
        "ok": not found,
        "mistakes": [
            {"code": _CODE, "line": each.line, "key": each.key}
            | {"sentence": each.sentence, "next": each.next_step}
            for each in found
        ],
    }
    emit(answer, as_json=as_json, human=lambda: _checked(path, found))
    if found:
        raise typer.Exit(_REFUSED_EXIT)


@app.command(epilog="Example: qafila config show --effective")
def show(
    effective: Annotated[
        bool, typer.Option("--effective", help="Every key that holds, and where each comes from.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what unit.toml says; with --effective what holds, defaults and all."""
    from cli.effective import settings
    from cli.output import emit
    from edge.config import Places

    found = [each for each in settings(Places.at(home)) if effective or each.source == "unit.toml"]
    emit(_nested(found), as_json=as_json, human=lambda: _shown(found))


def _checked(path: Path, found: "list[Mistake]") -> str:
    from cli.output import inert

    if not found:
        return f"{path} can be used: every key is known and every value allowed."
    return "\n".join(
        inert(
            f"{path}{f', line {each.line}' if each.line else ''}: {each.sentence} Next: {each.next_step}"
            f" (code: {_CODE})"
        )
        for each in found
    )


def _nested(found: "list[Setting]") -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for each in found:
        answer.setdefault(each.section, {})[each.key] = {"value": each.value, "from": each.source}
    return answer


def _shown(found: "list[Setting]") -> str:
    from cli.output import inert

    width = max(len(f"{each.section}.{each.key}") for each in found)
    return "\n".join(
        inert(f"{f'{each.section}.{each.key}':{width}}  {each.text:24}  {each.source}") for each in found
    )
