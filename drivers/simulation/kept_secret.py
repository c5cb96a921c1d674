"""What a simulated device was given to know its owner by, kept over a restart beside the bonds of all."""

from pathlib import Path


def secret_file(bonds: Path, address: str) -> Path:
    """Where the one at this address keeps it."""
    return bonds.with_name(f"{address.upper().replace(':', '')}.key")


def read(file: Path) -> bytes | None:
    """What was given, or None when nothing was, or nothing that can be read."""
    try:
        return bytes.fromhex(file.read_text(encoding="ascii")) or None
    except (OSError, ValueError):
        return None


def keep(file: Path, secret: bytes) -> None:
    """Keep this from now on."""
    file.write_text(secret.hex(), encoding="ascii")
