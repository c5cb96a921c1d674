"""Where disks are rebuilt."""

from pathlib import Path


def fast() -> str | None:
    """Memory, where there is some; a private directory is made in it."""
    memory = Path("/dev/shm")  # noqa: S108  only a parent; what is made in it is private
    return str(memory) if memory.is_dir() else None
