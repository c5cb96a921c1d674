"""`qafila uplink`: checks the configuration, then becomes the process that faces the network."""

from typing import Annotated

import typer

from cli.options import Home, JsonLog


def register(app: typer.Typer) -> None:
    @app.command("uplink", epilog="Example: qafila uplink --home ~/van-07")
    def uplink(  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        home: Home = None,
        backoff_max: Annotated[
            float, typer.Option(help="The longest wait before the broker is tried again.", metavar="SECONDS")
        ] = 60.0,
        as_json: JsonLog = False,
    ) -> None:
        """Carry sealed files to the broker and receipts back; reads no patient, holds no key of the store."""
        from cli.uplink_launch import become_uplink
        from edge.config import Places

        become_uplink(Places.at(home), backoff_max_s=backoff_max, json_log=as_json)
