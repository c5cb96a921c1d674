"""Options that every command spells the same way."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Home: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar="QAFILA_HOME",
        help="Keep everything of this unit or centre below this folder instead of /etc, /var and /run.",
        show_default=False,
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON value for machines.")]
JsonLog: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Write the log as one JSON object a line, for machines.")
]
Anywhere: TypeAlias = Annotated[
    Path | None,
    typer.Option("--home", hidden=True, help="Taken as everywhere; this command keeps nothing."),
]
"""``--home`` for commands that need no folder, so that a script may give it to each."""
PinStdin: TypeAlias = Annotated[
    bool, typer.Option("--pin-stdin", help="Read each PIN from a line of standard input instead of asking.")
]
