"""`make bench`: every room's figures in one table, and as JSON with ``--json``.

A room is a module of this package with ``run() -> list[dict]``, whose rows have ``name``, ``value``,
``unit`` and ``goal`` (a text such as ``≤ 20`` or an empty one). Name rooms to run only those.
"""

import argparse
import ast
import importlib
import json
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOMS: Final = (
    "decode", "wire", "store", "backup", "search", "centre", "backlog", "uplink", "tls", "link", "drain",
    "thin", "radio", "reconnect", "ecg", "qrs", "waves", "everything", "commands", "screen", "latency",
    "day", "year", "enrolment",
)  # fmt: skip


def _met(row: dict[str, Any]) -> str:
    goal = str(row.get("goal") or "")
    sign, _, rest = goal.partition(" ")
    try:
        bound = float(rest.split()[0])
    except (IndexError, ValueError):
        return ""
    value = float(row["value"])
    reached = {"≤": value <= bound, "≥": value >= bound}.get(sign)
    return {True: "reached", False: "MISSED", None: ""}[reached]


def _goals(module: ast.Module) -> Iterator[str]:
    """What is measured and its goal, wherever the two stand in one call or one row."""
    for node in ast.walk(module):
        parts = node.args if isinstance(node, ast.Call) else node.values if isinstance(node, ast.Dict) else ()
        texts = [text for part in parts if (text := _text(part))]
        goal = next((text for text in texts if text[:2] in {"≤ ", "≥ "}), None)
        if goal is not None:
            yield f"{texts[0]}: {goal}" if texts[0] != goal else goal


def _text(node: ast.AST) -> str:
    """A text as the source has it, with what is computed left open."""
    if isinstance(node, ast.IfExp):
        return _text(node.body)
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    parts = node.values if isinstance(node, ast.JoinedStr) else ()
    return "".join(_text(part) or "…" for part in parts)


def _list() -> None:
    """Every room, what it is about and its goals, without running any."""
    for room in ROOMS:
        module = ast.parse(Path(__file__).with_name(f"{room}.py").read_text())
        print(f"{room:11} {(ast.get_docstring(module) or '').partition(chr(10))[0]}")
        for goal in dict.fromkeys(_goals(module)):
            print(f"{'':11}   {goal}")


def main() -> None:
    """Run the rooms asked for, in order, and print what they measured."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure, each figure beside its goal. All rooms together take about an hour.",
        epilog="Example: python -m bench centre drain --json",
        allow_abbrev=False,
    )
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"all, or some of: {', '.join(ROOMS)}")
    parser.add_argument("--list", action="store_true", help="say what the rooms measure, and run none")
    parser.add_argument("--json", action="store_true", help="for machines")
    given = parser.parse_args()
    asked = given.rooms or list(ROOMS)
    if unknown := set(asked) - set(ROOMS):
        sys.exit(f"No such room: {', '.join(sorted(unknown))}. Rooms: {', '.join(ROOMS)}. (code: bench-room)")
    if given.list:
        _list()
        return
    rows: list[dict[str, Any]] = []
    for room in asked:
        print(f"measuring {room} …", file=sys.stderr, flush=True)
        rows += [{"room": room, **row} for row in importlib.import_module(f"bench.{room}").run()]
    if given.json:
        print(json.dumps({"machine": platform.processor() or platform.machine(), "rows": rows}))
        return
    print(f"{'room':9} {'what':58} {'value':>12} {'unit':12} {'goal':>10}")
    for row in rows:
        value = f"{row['value']:,.4g}" if isinstance(row["value"], float) else f"{row['value']:,}"
        what = row["name"] if len(row["name"]) <= 58 else row["name"][:57] + "…"
        print(
            f"{row['room']:9} {what:58} {value:>12} {row['unit']:12} {row.get('goal') or '':>10} {_met(row)}"
        )


if __name__ == "__main__":
    main()
