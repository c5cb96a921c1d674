"""From a blank box to its first received reading by docs/howto/enrol-offline.md: commands, seconds, bytes."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from tests.system.brokers import cut_link, free_port
from tests.system.howto import PAGES, Reader, steps_of

_PAGE: Final = "enrol-offline.md"


def run() -> list[dict[str, Any]]:
    """Follow the page once, with nobody to wait for; the simulated cuff takes as long as a real one."""
    with tempfile.TemporaryDirectory(prefix="qafila-bench-") as folder:
        return list(_rows(Path(folder)))


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    port = free_port()
    inner = next(other for other in iter(free_port, None) if other != port)
    steps = steps_of(PAGES / _PAGE)
    commands = sum(step.machine == "unit" for step in steps)
    took_s: dict[str, float] = {}
    with ExitStack() as stack:
        link = stack.enter_context(cut_link(port))
        places = {
            "--host broker.example.org": f"--host 127.0.0.1 --port {port} --centre-port {inner}",
            f"--out {folder}/media/stick": f"--broker tls://127.0.0.1:{link.port} --out {folder}/media/stick",
        }
        reader = stack.enter_context(Reader(folder, {"fatima": "482913"}, places))
        for step in steps:
            begin = time.monotonic()
            reader.do(step)
            took_s[step.command] = time.monotonic() - begin
            if "--wait" in step.command:
                break
        counted = link.say("stats")
        stick = sum(path.stat().st_size for path in (folder / "media" / "stick").iterdir())
    box = {step.command for step in steps if step.machine == "unit"}
    measuring = next(took_s[command] for command in took_s if "devices measure" in command)
    yield _row("commands on the box, blank to first received reading", commands, "", "≤ 15")
    yield _row("seconds of it, with nobody to wait for", sum(took_s.values()), "s", "≤ 120")
    yield _row("of them the cuff's measurement", measuring, "s", "")
    yield _row("of them on the box", sum(took_s.get(command, 0.0) for command in box), "s", "")
    yield _row("bytes on the link, both ways, TLS included", counted["up"] + counted["down"], "B", "")
    yield _row("bytes on the stick, request and bundle", stick, "B", "")


def _row(name: str, value: float, unit: str, goal: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 1), "unit": unit, "goal": goal}
