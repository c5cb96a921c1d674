"""`qafila agent`: the process that sees patients and reaches no network."""

import typer

from cli.options import Anywhere, AsJson, Home, JsonLog

app = typer.Typer(invoke_without_command=True)


@app.callback(epilog="Example: qafila agent --home ~/van-07")
def agent(context: typer.Context, home: Home = None, as_json: JsonLog = False) -> None:
    """Run the agent: devices, the encrypted store, sealing, receipts, the local API."""
    if context.invoked_subcommand is not None:
        return
    from cli.wiring import run_agent
    from edge.config import Places

    run_agent(Places.at(home), json_log=as_json)


@app.command("schema", epilog="Example: qafila agent schema > local-api.json")
def schema_(_as_json: AsJson = True, _home: Anywhere = None) -> None:
    """Print the JSON Schema of everything that is said on the agent's socket."""
    import json

    from edge.localapi.messages import schema

    print(json.dumps(schema(), indent=2, ensure_ascii=False))
