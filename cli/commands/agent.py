"""`qafila agent`: the process that sees patients and reaches no network."""

import typer

from cli.options import Home


def register(app: typer.Typer) -> None:
    @app.command("agent", epilog="Example: qafila agent --home ~/van-07")
    def agent(home: Home = None) -> None:  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        """Run the agent: devices, the encrypted store, sealing, receipts, the local API."""
        from cli.wiring import run_agent
        from edge.config import Places

        run_agent(Places.at(home))
