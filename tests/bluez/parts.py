"""What the guest is made of, and how it comes here: Debian packages, unpacked beside the environment.

Nothing is installed on this machine. A program that is installed anyway is used as it is; the kernel
and its modules always come from a package, because the kernel under us may have no Bluetooth at all.
"""

import dataclasses
import hashlib
import lzma
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Self

DEFAULT_KERNEL: Final = "linux-image-amd64"
"""Depends on the kernel of this release, whose own name changes with every update."""
CACHE: Final = Path(__file__).resolve().parents[2] / ".venv" / "bluez"
_RIDE_ALONG: Final = re.compile(r"systemd|libpam-|libnss-|udev$|kmod$")
"""Dependencies of a machine that boots by itself; this guest has an init of its own."""
_LIBRARIES: Final = "usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/pulseaudio"


class PartMissing(Exception):
    """The guest cannot be built; the text says what to bring."""


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """Where everything is.

    Attributes:
        machine: an unpacked tree with QEMU and busybox; may lack what this machine has installed.
        daemons: an unpacked tree with bluetoothd, laid over this machine's own files in the guest.
        kernel: an unpacked kernel package.
        versions: package and version, for the evidence.
    """

    machine: Path
    daemons: Path
    kernel: Path
    versions: tuple[str, ...]

    @classmethod
    def bring(cls, kernel: str = DEFAULT_KERNEL) -> Self:
        """Download and unpack whatever is not here yet.

        Args:
            kernel: package with the kernel.

        Raises:
            PartMissing: this is no Debian on x86-64, or a package could not be had.
        """
        if platform.machine() != "x86_64" or sys.platform != "linux":
            raise PartMissing("The guest is built for Linux on x86-64, and this machine is another.")
        for tool in ("apt-get", "apt-cache", "dpkg-deb"):
            if shutil.which(tool) is None:
                raise PartMissing(f"{tool} is not on this machine; the guest is made of Debian packages.")
        folders: dict[str, Path] = {}
        versions: list[str] = []
        for name, packages in (
            ("machine", _absent("qemu-system-x86", "busybox-static")),
            ("daemons", _absent("bluez", "dbus")),
            ("kernel", [_kernel_package() if kernel == DEFAULT_KERNEL else kernel]),
        ):
            folder = _unpacked(name, packages)
            folders[name] = folder
            versions += [
                line for line in (folder / "PACKAGES").read_text().splitlines() if _worth_telling(line)
            ]
        return cls(folders["machine"], folders["daemons"], folders["kernel"], tuple(versions))

    def program(self, name: str) -> Path:
        """An unpacked program, or the installed one of this name.

        Raises:
            PartMissing: there is neither.
        """
        for folder in ("usr/bin", "usr/sbin"):
            if (path := self.machine / folder / name).exists():
                return path
        if found := shutil.which(name):
            return Path(found)
        raise PartMissing(f"{name} was neither installed nor in the packages.")

    def environment(self) -> dict[str, str]:
        """In which an unpacked program finds its libraries."""
        folders = [str(self.machine / part) for part in _LIBRARIES if (self.machine / part).is_dir()]
        more = {"QEMU_MODULE_DIR": str(self.machine / _LIBRARIES[0] / "qemu")} if folders else {}
        return {**os.environ, "LD_LIBRARY_PATH": ":".join(folders), **more}

    def firmware(self) -> list[str]:
        """QEMU's arguments for where its firmware is."""
        folders = [self.machine / "usr/share" / name for name in ("qemu", "seabios")]
        return [word for folder in folders if folder.is_dir() for word in ("-L", str(folder))]

    def image(self) -> Path:
        """The kernel itself."""
        return next((self.kernel / "boot").glob("vmlinuz-*"))

    def modules(self, wanted: Iterable[str]) -> list[Path]:
        """Kernel modules and what they stand on, in an order in which each can be loaded.

        A module that is not there as a file is part of the kernel, or unknown to it; loading tells.
        """
        files = {
            path.name.split(".ko")[0].replace("-", "_"): path
            for path in self.kernel.glob("usr/lib/modules/*/kernel/**/*.ko*")
        }
        order: dict[str, Path] = {}

        def visit(name: str) -> None:
            if name in order or name not in files:
                return
            for other in _needs(module_bytes(files[name])):
                visit(other)
            order[name] = files[name]

        for name in wanted:
            visit(name)
        return list(order.values())


def module_bytes(path: Path) -> bytes:
    """A module as the kernel takes it; newer packages compress them."""
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def _needs(module: bytes) -> list[str]:
    found = re.search(rb"\x00depends=([^\x00]*)\x00", module)
    return [name.replace("-", "_") for name in found[1].decode().split(",") if name] if found else []


def _kernel_package() -> str:
    said = _apt("apt-cache", "depends", DEFAULT_KERNEL)
    found = re.search(r"Depends: (linux-image-\S+)", said)
    if found is None:
        raise PartMissing(
            "Debian's package lists are empty or have no kernel: apt-get update, then run again."
        )
    return found[1]


def _absent(*packages: str) -> list[str]:
    """What would be installed on this machine to have them; nothing for what it has."""
    said = _apt("apt-get", "install", "--simulate", "--no-install-recommends", *packages)
    new = re.findall(r"^Inst (\S+) \(", said, re.MULTILINE)  # a version in brackets first: an update
    return sorted(name for name in new if not _RIDE_ALONG.search(name))


def _unpacked(name: str, packages: Sequence[str]) -> Path:
    folder = CACHE / f"{name}-{hashlib.sha256(' '.join(packages).encode()).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    making = CACHE / f".{name}"
    shutil.rmtree(making, ignore_errors=True)
    downloads = making / ".downloads"
    downloads.mkdir(parents=True)
    sys.stdout.write(f"Unpacking {len(packages)} Debian packages for the guest's {name} ...\n")
    sys.stdout.flush()
    if packages:
        _apt("apt-get", "download", "-qq", *packages, cwd=downloads)
    told: list[str] = []
    for package in sorted(downloads.glob("*.deb")):
        _apt("dpkg-deb", "-x", str(package), str(making))
        told.append(_apt("dpkg-deb", "--show", str(package)).strip().replace("\t", " "))
    shutil.rmtree(downloads)
    _merge_usr(making)
    (making / "PACKAGES").write_text("\n".join(told) + "\n")
    for old in CACHE.glob(f"{name}-*"):
        shutil.rmtree(old)
    making.rename(folder)
    return folder


def _merge_usr(root: Path) -> None:
    """Lay /bin, /lib and /sbin into /usr, as on the machine whose files this will cover."""
    for name in ("bin", "lib", "sbin"):
        if (root / name).is_dir():
            shutil.copytree(root / name, root / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(root / name)


def _worth_telling(line: str) -> bool:
    return bool(re.match(r"(qemu-system-x86|bluez|dbus|linux-image\S*|busybox-static) ", line))


def _apt(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise PartMissing(f"{' '.join(command[:2])} failed: {said}")
    return done.stdout
