"""The process that faces the internet holds no key, opens no store and stays small."""

import subprocess
import sys

FORBIDDEN = (
    "edge.store", "edge.security", "edge.agent", "edge.localapi", "edge.config", "drivers", "cli", "tui",
    "sync.boxend", "sync.central", "sqlcipher3", "sqlite3", "pydantic", "typer", "serial", "asyncio",
)  # fmt: skip


def loaded() -> set[str]:
    """What a fresh interpreter has loaded once the uplink's entry point is imported."""
    program = "import sys, sync.uplink.__main__; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_it_loads_neither_store_nor_keys_nor_anything_large() -> None:
    modules = loaded()
    assert "sync.uplink.service" in modules  # it was the uplink that was looked at
    found = {name for name in modules for bad in FORBIDDEN if name == bad or name.startswith(f"{bad}.")}
    assert not found
