"""`qafila version`."""

import typer

from cli.options import Anywhere, AsJson


def register(app: typer.Typer) -> None:
    @app.command("version", epilog="Example: qafila version --json")
    def version(as_json: AsJson = False, _home: Anywhere = None) -> None:  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        """Which version this is, and of what it is made."""
        import platform
        from importlib import metadata

        from cli.output import emit

        parts = {
            name: metadata.version(name) for name in ("cryptography", "sqlcipher3", "paho-mqtt", "pydantic")
        }
        answer = {"qafila": metadata.version("qafila"), "python": platform.python_version(), **parts}
        emit(answer, as_json=as_json, human=lambda: "\n".join(f"{k:14}{v}" for k, v in answer.items()))
