"""A release as a folder: a Python environment that works wherever it lies, and what systemd needs of it.

Everything comes from the hashed requirement file and from this tree; the machine that it is for downloads
nothing. The folder::

    bin/qafila          starts the program with the Python beside it
    bin/python3         link to the machine's own; with pyvenv.cfg it makes the folder an environment
    lib/python3.11/     the packages, and ours among them
    share/              system units, users, folders, rules, documents, the bill of materials
    release.json        which release it is, and whose signature under the next one it believes
"""

import compileall
import dataclasses
import json
import os
import py_compile
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from ship import bill, pins

BIN: Final = Path(sys.executable).parent
_MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
_MANYLINUX: Final = "manylinux_2_28"
"""glibc 2.28, of 2018: older than any Debian that has the Pythons we need."""
_NEVER_RUN: Final = ("numpy/f2py", "numpy/distutils", "numpy/_core/include", "numpy/_core/lib")
"""Parts of packages that only build other packages."""
_DOCUMENTS: Final = ("docs/security.md", "docs/howto/read-doctor.md", "docs/reference/system.md", "LICENSE")
_START: Final = """\
#!/bin/sh
# The Python beside this file, wherever the release lies; -P: nothing is loaded from the folder one stands in.
here=$(readlink -f -- "$0")
exec "${here%/*}/python3" -P -m cli.main "$@"
"""


class NotBuilt(Exception):
    """The release cannot be built here; the text says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """For which machines.

    Attributes:
        architecture: as Debian calls it.
        python: such as 3.11.
    """

    architecture: str
    python: str

    @property
    def machine(self) -> str:
        return _MACHINES[self.architecture]


def build(target: Target, to: Path, keys: Sequence[bytes]) -> None:
    """Make the folder anew.

    Args:
        target: for which machines.
        to: the folder.
        keys: public Ed25519 keys whose signature the release will believe under the next.

    Raises:
        NotBuilt: a package has no wheel for the target, or a tool is missing.
    """
    shutil.rmtree(to, ignore_errors=True)
    packages = to / "lib" / f"python{target.python}" / "site-packages"
    packages.mkdir(parents=True)
    _install(target, packages)
    _install_ours(packages)
    _trim(target, packages)
    _write_start(target, to)
    _write_share(target, to, packages)
    (to / "release.json").write_text(
        json.dumps({**said(target), "keys": [each.hex() for each in keys]}) + "\n"
    )
    _compile(target, packages)


def said(target: Target) -> dict[str, Any]:
    """What the release says of itself."""
    project = tomllib.loads((pins.ROOT / "pyproject.toml").read_text())
    numbers = project["tool"]["qafila"]
    return {
        "version": project["project"]["version"],
        "number": numbers["release"],
        "floor": numbers["floor"],
        "architecture": target.architecture,
        "python": target.python,
    }


def _install(target: Target, packages: Path) -> None:
    # Copies, never links: uv would share the files with its cache and so with every other environment of this
    # machine, and what is stripped here would change under the programs that run there.
    _run(
        *(str(BIN / "uv"), "pip", "install", "--system-certs", "--quiet", "--target", str(packages)),
        *("--python-platform", f"{target.machine}-{_MANYLINUX}", "--python-version", target.python),
        *(
            "--only-binary",
            ":all:",
            "--link-mode",
            "copy",
            "--require-hashes",
            "--no-deps",
            "-r",
            str(pins.UNIT),
        ),
    )


def _install_ours(packages: Path) -> None:
    wheels = packages / ".wheel"
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels))
    wheel = next(wheels.glob("*.whl"))
    _run(
        *(str(BIN / "uv"), "pip", "install", "--offline", "--quiet", "--link-mode", "copy", "--no-deps"),
        *("--target", str(packages)),
        str(wheel),
    )
    shutil.rmtree(wheels)


def _trim(target: Target, packages: Path) -> None:
    """Leave out what is never run: tests, type stubs, compilers' parts, debugging symbols, pip's traces."""
    for folder in [*packages.rglob("tests"), packages / "bin", *(packages / each for each in _NEVER_RUN)]:
        if folder.is_dir():
            shutil.rmtree(folder)
    for pattern in ("*.pyi", "direct_url.json", "uv_cache.json", ".lock", "*.a"):
        for path in packages.rglob(pattern):
            path.unlink()
    for cache in list(packages.rglob("__pycache__")):
        shutil.rmtree(cache)
    strip = _strip(target)
    if strip is None:
        print(f"no strip for {target.architecture} here: debugging symbols stay", file=sys.stderr)
        return
    for library in [path for path in packages.rglob("*.so*") if path.is_file()]:
        if library.stat().st_nlink > 1:
            raise NotBuilt(f"{library.name} is shared with another folder and must not be changed")
        _run(strip, "--strip-debug", str(library))


def _strip(target: Target) -> str | None:
    own = os.uname().machine == target.machine
    names = ["strip"] if own else [f"{target.machine}-linux-gnu-strip", "llvm-strip"]
    return next((found for name in names if (found := shutil.which(name))), None)


def _write_start(target: Target, to: Path) -> None:
    (to / "bin").mkdir()
    (to / "bin" / "qafila").write_text(_START)
    (to / "bin" / "qafila").chmod(0o755)
    (to / "bin" / "python3").symlink_to("/usr/bin/python3")
    lines = ("home = /usr/bin", "include-system-site-packages = false", f"version = {target.python}")
    (to / "pyvenv.cfg").write_text("\n".join(lines) + "\n")


def _write_share(target: Target, to: Path, packages: Path) -> None:
    share = to / "share"
    shutil.copytree(pins.ROOT / "systemd", share)
    (share / "doc").mkdir()
    for name in _DOCUMENTS:
        shutil.copy(pins.ROOT / name, share / "doc")
    installed = metadata.distributions(path=[str(packages)])
    made = bill.make(pins.machine(target.machine, target.python), installed)
    (share / "qafila.cdx.json").write_bytes(bill.written(made))


def _compile(target: Target, packages: Path) -> None:
    """Compile ahead: the services may not write beside the program, and each would compile at every start."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" != target.python:
        raise NotBuilt(f"a release for Python {target.python} is compiled by that Python, not by this one")
    good = compileall.compile_dir(
        packages, quiet=1, stripdir=str(packages), workers=0,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )  # fmt: skip
    if not good:
        raise NotBuilt("a package does not compile")


def _run(*words: str) -> None:
    done = subprocess.run(words, cwd=pins.ROOT, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise NotBuilt(f"{Path(words[0]).name} ends with {done.returncode}: {done.stderr.strip()[-400:]}")
