"""Boots the guest: a Debian kernel in QEMU, on this machine's own files under a layer of memory."""

import dataclasses
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.bluez.parts import Parts, module_bytes

ROOT: Final = Path(__file__).resolve().parents[2]
_HERE: Final = Path(__file__).resolve().parent
_FILES: Final = "virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_rng"
_BLUETOOTH: Final = (
    # Before bluetooth itself: without them its ECDH self-test fails and pairing runs into its time-out.
    *(
        "hmac",
        "ctr",
        "cmac",
        "ccm",
        "ecb",
        "sha256_generic",
        "sha512_generic",
        "sha3_generic",
        "jitterentropy_rng",
        "drbg",
    ),
    *("ecc", "ecdh_generic", "algif_skcipher", "algif_hash", "crc16", "rfkill"),
    *("bluetooth", "hci_vhci", "uhid"),
)
_MEMORY_MB: Final = 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """How a run of the guest ended.

    Attributes:
        timed_out: it had to be switched off.
        console: everything it said.
        out: folder with what it left: junit.xml, pytest.log, bluetoothd.log, dmesg.log.
    """

    seconds: float
    timed_out: bool
    console: str
    out: Path


def run(parts: Parts, out: Path, *, timeout_s: float, pytest_words: str = "") -> Ended:
    """Boot, let `init.sh` run the tests, and wait until the guest switches itself off."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="qafila-guest-") as scratch:
        initramfs = _initramfs(parts, Path(scratch))
        command = _command(parts, initramfs, out, pytest_words)
        began = time.monotonic()
        with subprocess.Popen(
            command,
            env=parts.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as machine:
            console, timed_out = _listen(machine, began + timeout_s)
        seconds = time.monotonic() - began
    (out / "console.log").write_text(console)
    return Ended(seconds, timed_out, console, out)


def _command(parts: Parts, initramfs: Path, out: Path, pytest_words: str) -> list[str]:
    kernel_line = " ".join(
        (
            # an emulated timer on a busy machine is late, and the kernel's test of it ends in a panic
            "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check",
            f"QAFILA_ROOT={ROOT}",
            f'"QAFILA_PYTEST={pytest_words}"' if pytest_words else "",
        )
    )
    return [
        *("nice", "-n", "10", str(parts.program("qemu-system-x86_64"))),
        *("-machine", "pc", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", str(_MEMORY_MB)),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"),
        *parts.firmware(),
        *("-kernel", str(parts.image()), "-initrd", str(initramfs), "-append", kernel_line),
        *_share("host", Path("/"), "readonly=on,multidevs=remap"),
        *_share("daemons", parts.daemons, "readonly=on"),
        *_share("out", out, "readonly=off"),
        *("-device", "virtio-rng-pci"),
    ]


def _share(tag: str, path: Path, how: str) -> list[str]:
    backend = f"local,id={tag},path={path},security_model=none,{how}"
    return ["-fsdev", backend, "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]


def _listen(machine: subprocess.Popen[bytes], deadline: float) -> tuple[str, bool]:
    """Show and keep what the console says until it ends or the time is over."""
    assert machine.stdout is not None
    said = bytearray()
    timed_out = False
    with selectors.DefaultSelector() as selector:
        selector.register(machine.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                timed_out = True
                machine.kill()
                break
            piece = os.read(machine.stdout.fileno(), 65536)
            if not piece:
                break
            said += piece
            sys.stdout.write(piece.decode("utf-8", "replace"))
            sys.stdout.flush()
    return said.decode("utf-8", "replace").replace("\r", ""), timed_out


def _initramfs(parts: Parts, scratch: Path) -> Path:
    """A root with busybox, the modules in loading order, and the first script."""
    root = scratch / "root"
    for folder in ("bin", "modules", "proc", "sys", "dev", "host", "daemons", "ram", "guest"):
        (root / folder).mkdir(parents=True)
    shutil.copy(parts.program("busybox"), root / "bin/busybox")
    for number, module in enumerate(parts.modules((*_FILES, *_BLUETOOTH))):
        (root / f"modules/{number:02}-{module.name.removesuffix('.xz')}").write_bytes(module_bytes(module))
    shutil.copy(_HERE / "initramfs.sh", root / "init")
    (root / "init").chmod(0o755)
    names = "\n".join(sorted(str(path.relative_to(root)) for path in root.rglob("*")))
    archive = scratch / "initramfs.cpio"
    with archive.open("wb") as file:
        subprocess.run(
            [str(parts.program("busybox")), "cpio", "-o", "-H", "newc"],
            cwd=root,
            input=names.encode(),
            stdout=file,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    return archive
