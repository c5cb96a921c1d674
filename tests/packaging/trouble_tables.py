"""The tables of codes in docs/reference, made from the code: ``python -m tests.packaging.trouble_tables``.

A table stands between ``<!-- codes NAME -->`` and ``<!-- end -->``; the text around it is written by hand.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cli import courier_texts
from edge.attachments import limits
from sync.central import sentences as centre
from sync.uplink import sentences as uplink

_REFERENCE: Final = Path(__file__).parents[2] / "docs" / "reference"
_TABLE: Final = re.compile(r"(<!-- codes (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

TABLES: Final[Mapping[Path, Mapping[str, Mapping[str, tuple[str, str]]]]] = {
    _REFERENCE / "centre.md": {
        "dropped": centre.DROPPED,
        "quarantined": centre.QUARANTINED,
        "conflicts": centre.CONFLICTS,
        "history": centre.HISTORY,
        "broker": centre.BROKER,
        "database": centre.DATABASE,
    },
    _REFERENCE / "uplink.md": {"link": uplink.LINK, "refused": uplink.REFUSED, "files": uplink.FILES},
    _REFERENCE / "courier.md": {"stick": courier_texts.REFUSED},
    _REFERENCE / "attachments.md": {"attachments": limits.SENTENCES},
}
"""What each page shows, by the name of the table."""


def rendered(path: Path) -> str:
    """The page with every table as it has to be.

    Raises:
        KeyError: the page asks for a table that there is not.
    """
    tables = TABLES[path]
    return _TABLE.sub(
        lambda found: f"{found[1]}\n{_table(tables[found['name']])}\n{found[3]}", path.read_text()
    )


def names_in(path: Path) -> list[str]:
    return [found["name"] for found in _TABLE.finditer(path.read_text())]


def _table(codes: Mapping[str, tuple[str, str]]) -> str:
    lines = [("code", "what is wrong", "what to do next"), ("---",) * 3]
    lines += [(f"`{code}`", *said) for code, said in codes.items()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    for page in TABLES:
        page.write_text(rendered(page))
