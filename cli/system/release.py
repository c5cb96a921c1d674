r"""A release: what an installed one says of itself, and the signed file that brings the next.

A bundle::

    16 bytes   "qafila-update-1\n"
    4 bytes    length of the manifest, big endian
    …          manifest, JSON in UTF-8
    64 bytes   Ed25519 over "qafila-release-1\0" and the manifest's bytes
    …          the release's files: tar in xz, as long as the manifest says

The manifest's values::

    product        "qafila"
    version        text, for people
    number         rises with every release; none that is lower than the present one is installed
    floor          the lowest number to which one may go back from this release
    architecture   Debian's word: amd64 or arm64
    python         which Python its files are for, such as 3.11
    sha256, bytes  of the files that follow
    unpacked       bytes, at most, that they take
"""

import dataclasses
import hashlib
import io
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

from edge.errors import QafilaError
from sync.wire import keys

MAGIC: Final = b"qafila-update-1\n"
CONTEXT: Final = b"qafila-release-1\0"
FILE: Final = "release.json"
MOST_MANIFEST_BYTES: Final = 65_536
MOST_BYTES: Final = 512 * 1024 * 1024
MOST_UNPACKED: Final = 1024 * 1024 * 1024
_SIGNATURE_BYTES: Final = 64
_AT_ONCE: Final = 1024 * 1024
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


class UpdateRefused(QafilaError):
    """The bundle is not installed; nothing was changed."""

    code: ClassVar[str] = "update-refused"


@dataclasses.dataclass(frozen=True, slots=True)
class Release:
    """What a release says of itself.

    Attributes:
        keys: public Ed25519 keys whose signature under the next release is believed.
    """

    version: str
    number: int
    floor: int
    architecture: str
    python: str
    keys: tuple[bytes, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose manifest is believed; its files are not read yet.

    Attributes:
        begins: where in the file they begin.
    """

    release: Release
    sha256: str
    bytes: int
    unpacked: int
    begins: int


def installed(tree: Path) -> Release:
    """What the release in this folder says of itself.

    Raises:
        UpdateRefused: it says nothing that can be read.
    """
    try:
        said = json.loads((tree / FILE).read_bytes())
        return _release(said, tuple(bytes.fromhex(each) for each in said["keys"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UpdateRefused(
            f"There is no release of Qafila in {tree}.",
            next_step="Install the package again: dpkg -i qafila_VERSION_ARCHITECTURE.deb.",
            code="release-damaged",
        ) from None


def here() -> tuple[str, str]:
    """This machine's architecture, as Debian calls it, and its Python."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine), f"{sys.version_info.major}.{sys.version_info.minor}"


def read_head(file: BinaryIO, believed: Sequence[bytes]) -> Bundle:
    """Read and believe the manifest.

    Args:
        file: at its beginning.
        believed: whose signature counts.

    Raises:
        UpdateRefused: ``update-unreadable`` or ``update-forged``.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise _unreadable("is no update of Qafila")
    length = int.from_bytes(file.read(4), "big")
    if not 0 < length <= MOST_MANIFEST_BYTES:
        raise _unreadable("is damaged")
    raw, signature = file.read(length), file.read(_SIGNATURE_BYTES)
    if len(raw) != length or len(signature) != _SIGNATURE_BYTES:
        raise _unreadable("ends too early")
    if not any(keys.signature_fits(each, CONTEXT + raw, signature) for each in believed):
        raise UpdateRefused(
            "The update is not signed by anybody whom this installation believes.",
            next_step="Take it from where the box came from; do not use this one.",
            code="update-forged",
        )
    try:
        said = json.loads(raw)
        if said["product"] != "qafila":
            raise ValueError  # noqa: TRY301  told below like everything that makes no sense
        bundle = Bundle(
            _release(said, ()),
            str(said["sha256"]),
            _whole(said["bytes"], MOST_BYTES),
            _whole(said["unpacked"], MOST_UNPACKED),
            len(MAGIC) + 4 + length + _SIGNATURE_BYTES,
        )
    except (ValueError, KeyError, TypeError):
        raise _unreadable("has a manifest that this version does not understand") from None
    return bundle


def check_fits(bundle: Release, present: Release, highest: int) -> None:
    """Refuse a release for another machine, and one whose number is not above all that have worked here.

    Raises:
        UpdateRefused: ``update-other-machine`` or ``update-older``.
    """
    architecture, python = here()
    if (bundle.architecture, bundle.python) != (architecture, python):
        raise UpdateRefused(
            f"The update is for {bundle.architecture} with Python {bundle.python};"
            f" this is {architecture} with Python {python}.",
            next_step=f"Take the update for {architecture}, Python {python}.",
            code="update-other-machine",
        )
    if bundle.number <= max(present.number, highest):
        raise UpdateRefused(
            f"The update is {bundle.version} (number {bundle.number}), which is not newer than what is or was"
            f" installed here (number {max(present.number, highest)}).",
            next_step="Take a newer one; to go back to the version before this one: qafila system rollback.",
            code="update-older",
        )


def copy_files(file: BinaryIO, bundle: Bundle, to: BinaryIO) -> None:
    """Copy what follows the manifest, and see that it is all of it and nothing else.

    Raises:
        UpdateRefused: ``update-unreadable``: cut short, longer, or changed.
    """
    digest, left = hashlib.sha256(), bundle.bytes
    while left:
        part = file.read(min(left, _AT_ONCE))
        if not part:
            raise _unreadable("ends too early")
        digest.update(part)
        to.write(part)
        left -= len(part)
    if digest.hexdigest() != bundle.sha256 or file.read(1):
        raise _unreadable("is damaged")


def write(manifest: dict[str, Any], private: bytes, files: bytes) -> bytes:
    """A bundle; for whoever makes releases."""
    said = {**manifest, "product": "qafila", "sha256": hashlib.sha256(files).hexdigest(), "bytes": len(files)}
    raw = json.dumps(said, sort_keys=True).encode()
    whole = io.BytesIO()
    for part in (MAGIC, len(raw).to_bytes(4, "big"), raw, keys.sign(private, CONTEXT + raw), files):
        whole.write(part)
    return whole.getvalue()


def _release(said: dict[str, Any], believed: tuple[bytes, ...]) -> Release:
    version = str(said["version"])
    if not version.isprintable() or not 0 < len(version) <= 40:
        raise ValueError
    number, floor = _whole(said["number"], 2**31), _whole(said["floor"], 2**31)
    return Release(version, number, floor, str(said["architecture"]), str(said["python"]), believed)


def _whole(value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
        raise ValueError
    return value


def _unreadable(what: str) -> UpdateRefused:
    return UpdateRefused(
        f"The file {what}.", next_step="Copy it to the medium again, whole.", code="update-unreadable"
    )
