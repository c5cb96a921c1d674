"""What `qafila sync` says, in words."""

from pathlib import Path
from typing import Any

from cli.link_texts import link_waits
from cli.output import table
from edge.i18n.catalogue import Catalogue, load
from edge.spool.files import names_in
from edge.spool.names import parse


def waiting(spool_out: Path) -> dict[str, dict[str, int]]:
    """What lies sealed in the spool, by stream: files, entries, bytes; some of it may be on its way."""
    found: dict[str, dict[str, int]] = {}
    for text in sorted(names_in(spool_out)):
        name = parse(text)
        if name is None:
            continue
        try:
            size = (spool_out / text).stat().st_size
        except FileNotFoundError:
            continue  # receipted meanwhile
        of = found.setdefault(name.word, {"files": 0, "entries": 0, "bytes": 0})
        of["files"] += 1
        of["entries"] += name.n
        of["bytes"] += size
    return found


def status_text(answer: dict[str, Any]) -> str:
    """The answer of `sync status` for people."""
    say = load("en")
    link = answer["link"]
    lines = [
        f"unit      {answer['unit']}",
        f"centre    {'enrolled' if answer['enrolled'] else 'not enrolled: nothing can be sent'}"
        + (f", keys version {answer['keyset_version']}" if answer["keyset_version"] else ""),
        f"link      {'connected' if link['connected'] else 'no connection'}",
        *_why(say, link.get("code")),
        *link_waits(say, link),
    ]
    total = sum(each["bytes"] for each in answer["waiting"].values())
    files = sum(each["files"] for each in answer["waiting"].values())
    lines.append(f"spool     {files} sealed files, {total / 1000:.1f} kB" if files else "spool     empty")
    for code, count in answer["refusals"].items():
        lines += [f"refused   {code}: {count}", *_why(say, code, refused_family(code))]
    if answer["problem"]:
        lines += [f"problem   {answer['problem']}", *_why(say, answer["problem"])]
    if answer["locked"]:
        lines.append("store     locked: how far the streams have come is known when somebody signs in")
    rows = [
        [word, str(stream["tip"]), str(stream["landed"]), str(stream["opened"]), stream["stopped"] or ""]
        for word, stream in answer["streams"].items()
    ]
    if rows:
        lines += ["", table(rows, ["stream", "saved", "arrived", "received", "stopped"])]
    return "\n".join(lines)


def refused_family(code: str) -> str:
    """The code that has words for refusals of this kind, where a refusal has none of its own."""
    return "down-refused" if code.startswith("down-") else "receipt-refused"


def _why(say: Catalogue, code: str | None, family: str = "") -> list[str]:
    """A line with what a code means and what to do next, or its family; none where neither has words."""
    sentence, next_step = say.error(code or "", "", "")
    if not sentence:
        sentence, next_step = say.error(family, "", "")
    return [f"          {sentence} Next: {next_step}"] if sentence else []


def quarantine_text(ranges: list[dict[str, Any]]) -> str:
    """The ranges, with what each reason means and what to do next."""
    if not ranges:
        return "The centre has not said of anything that it cannot open it."
    say = load("en")
    rows = [[each["stream"], str(each["first"]), str(each["last"]), each["reason"]] for each in ranges]
    lines = [table(rows, ["stream", "first", "last", "reason"])]
    for reason in sorted({each["reason"] for each in ranges}):
        sentence, next_step = say.error(f"nack-{reason}", reason)
        lines += ["", f"{reason}: {sentence}", f"  Next: {next_step}"]
    return "\n".join(lines)
