"""`qafila score`: clinical rules over values that are typed in."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import AsJson, Home

if TYPE_CHECKING:
    from edge.scoring.given import Result


def register(app: typer.Typer) -> None:
    @app.command(
        "score",
        epilog="Example: qafila score news2 rr=22 spo2=95 o2=false sbp=104 pulse=112 acvpu=A temp=38.4"
        " age=61 pregnant=false",
    )
    def score(  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        rule: Annotated[str, typer.Argument(help="Which rule; `rules` lists them with what they take.")],
        values: Annotated[
            list[str] | None,
            typer.Argument(metavar="KEY=VALUE…", help="What was measured; KEY=VALUE@10:05 also says when."),
        ] = None,
        as_json: AsJson = False,
        home: Home = None,
    ) -> None:
        """Apply a clinical rule: a score or a class with its parts, or what is missing. Never a diagnosis."""
        from cli.output import emit
        from cli.score_inputs import read
        from cli.unit_tables import put_in_force
        from edge.scoring.rules import find

        put_in_force(home)

        if rule == "rules":
            _list(as_json=as_json)
            return
        chosen = find(rule)
        result = chosen.apply(read(chosen, values or []))
        emit(_answer(result), as_json=as_json, human=lambda: _text(result))


def _list(*, as_json: bool) -> None:
    from cli.output import emit
    from edge.scoring.rules import RULES

    known = [{"rule": rule.name, "title": rule.title, "takes": list(rule.takes)} for rule in RULES.values()]
    emit(
        known,
        as_json=as_json,
        human=lambda: "\n".join(
            f"{rule.name:13}{rule.title}\n{'':13}{' '.join(rule.takes)}" for rule in RULES.values()
        ),
    )


def _answer(result: "Result") -> dict[str, Any]:
    return {
        "rule": result.rule,
        "version": result.version,
        "total": result.total,
        "band": result.band,
        "missing": list(result.missing),
        "stale": list(result.stale),
        "parts": dict(result.parts),
        "alerts": list(result.alerts),
        "notes": list(result.notes),
        "source": result.source,
        **{
            name: float(value) if isinstance(value, Decimal) else value
            for name, value in result.facts.items()
        },
    }


def _text(result: "Result") -> str:
    total = "" if result.total is None else f"{result.total}, "
    lines = [f"{result.rule}: {total}{result.band or 'no class'}"]
    lines += [f"  {name:14}{points}" for name, points in result.parts.items()]
    lines += [f"  {name:14}{'not known' if fact is None else fact}" for name, fact in result.facts.items()]
    for title, words in (
        ("missing", result.missing),
        ("too old", result.stale),
        ("alert", result.alerts),
        ("note", result.notes),
    ):
        if words:
            lines.append(f"{title}: {', '.join(words)}")
    return "\n".join(
        [*lines, f"After: {result.source} (table {result.version}). Support, never a diagnosis."]
    )
