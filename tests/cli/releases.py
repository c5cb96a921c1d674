"""Small releases and a machine for them, for tests of updates."""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cli.system import release

PRIVATE: Final = b"\x07" * 32
PUBLIC: Final = Ed25519PrivateKey.from_private_bytes(PRIVATE).public_key().public_bytes_raw()


def manifest(number: int, **other: object) -> dict[str, Any]:
    architecture, python = release.here()
    said = {"version": f"0.{number}.0", "number": number, "floor": 1}
    return {**said, "architecture": architecture, "python": python, "unpacked": 100_000, **other}


def files(number: int, *, says: str | None = None, **other: object) -> dict[str, tuple[bytes, int]]:
    """What is in a release: name to content and mode. Its program is a script that says its version."""
    said = manifest(number, **other)
    del said["unpacked"]
    own = json.dumps({**said, "keys": [PUBLIC.hex()]}).encode()
    script = f"#!/bin/sh\necho qafila {said['version'] if says is None else says}\n".encode()
    return {
        "bin/qafila": (script, 0o755),
        "lib/module.py": (b"x = 1\n", 0o644),
        release.FILE: (own, 0o644),
    }


def packed(content: Mapping[str, tuple[bytes, int]], *odd: tarfile.TarInfo) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:xz", preset=0) as archive:
        for folder in sorted({name.rpartition("/")[0] for name in content} - {""}):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(info)
        for name, (data, mode) in content.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            archive.addfile(info, io.BytesIO(data))
        for info in odd:
            archive.addfile(info, io.BytesIO(b"\0" * info.size))
    return raw.getvalue()


def bundle(path: Path, number: int, *odd: tarfile.TarInfo, private: bytes = PRIVATE, **other: Any) -> Path:  # noqa: ANN401  as wide as JSON
    says = other.pop("says", None)
    own = {name: value for name, value in other.items() if name != "unpacked"}
    content = packed(files(number, says=says, **own), *odd)
    path.write_bytes(release.write(manifest(number, **other), private, content))
    return path


def machine(base: Path, current: int = 2, previous: int | None = 1) -> Path:
    """A machine that starts one release and has another before it."""
    base.mkdir()
    for slot, number in (("a", current), ("b", previous)):
        if number is not None:
            for name, (data, mode) in files(number).items():
                (base / slot / name).parent.mkdir(parents=True, exist_ok=True)
                (base / slot / name).write_bytes(data)
                (base / slot / name).chmod(mode)
    (base / "current").symlink_to("a")
    if previous is not None:
        (base / "previous").symlink_to("b")
    return base


class FakeHost:
    """A machine as a test wants it."""

    def __init__(self, *, ails: str = "", visit: bool | None = False) -> None:
        self.ails = ails
        self.visit = visit
        self.took: list[str] = []

    def visit_open(self) -> bool | None:
        return self.visit

    def take_over(self, tree: Path) -> None:
        self.took.append(tree.name)

    def what_ails(self, tree: Path, version: str) -> str:
        del tree
        return self.ails if version == "0.3.0" else ""
