"""`make bench`: every room's figures in one table, and as JSON with ``--json``.

A room is a module of this package with ``run() -> list[dict]``, whose rows have ``name``, ``value``,
``unit`` and ``goal`` (a text such as ``≤ 20`` or an empty one). Name rooms to run only those.
"""

import importlib
import json
import platform
import sys
from typing import Any, Final

ROOMS: Final = (
    "decode", "wire", "store", "backup", "search", "centre", "uplink", "tls", "link", "drain", "thin",
    "radio", "reconnect", "ecg", "qrs", "waves", "everything", "commands", "screen", "latency", "day", "year",
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


def main() -> None:
    """Run the rooms asked for, in order, and print what they measured."""
    asked = [word for word in sys.argv[1:] if not word.startswith("-")] or list(ROOMS)
    if unknown := set(asked) - set(ROOMS):
        sys.exit(f"No such room: {', '.join(sorted(unknown))}. Rooms: {', '.join(ROOMS)}. (code: bench-room)")
    rows: list[dict[str, Any]] = []
    for room in asked:
        print(f"measuring {room} …", file=sys.stderr, flush=True)
        rows += [{"room": room, **row} for row in importlib.import_module(f"bench.{room}").run()]
    if "--json" in sys.argv:
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
