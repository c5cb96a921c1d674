"""The files of a release out of their archive: plain files in plain folders, nothing else."""

import lzma
import os
import shutil
import tarfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from cli.system.release import UpdateRefused

_MOST_FILES: Final = 50_000


def unpack(file: BinaryIO, to: Path, most_bytes: int) -> None:
    """Unpack plain files and folders with plain names, all below ``to``, and see them onto the disk.

    Raises:
        UpdateRefused: it holds something else, or more than it says.
    """
    to.mkdir()
    left = most_bytes
    try:
        with tarfile.open(fileobj=file, mode="r:xz") as archive:
            for number, member in enumerate(archive):
                name = PurePosixPath(member.name)
                left -= member.size
                plain = (
                    (member.isreg() or member.isdir()) and not name.is_absolute() and ".." not in name.parts
                )
                if not plain or left < 0 or number >= _MOST_FILES:
                    raise _unusual()
                if member.isdir():
                    (to / name).mkdir(exist_ok=True)
                else:
                    _write_member(archive, member, to / name)
    except (tarfile.TarError, lzma.LZMAError, EOFError, FileExistsError) as error:
        raise _unusual() from error
    (to / "bin" / "python3").symlink_to("/usr/bin/python3")
    os.sync()  # one for all: on a card a thousand single ones take a minute


def _write_member(archive: tarfile.TarFile, member: tarfile.TarInfo, to: Path) -> None:
    mode = 0o755 if member.mode & 0o100 else 0o644
    descriptor = os.open(to, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, mode)
    content = archive.extractfile(member)
    if content is None:
        raise _unusual()
    with os.fdopen(descriptor, "wb") as written, content:
        shutil.copyfileobj(content, written)


def _unusual() -> UpdateRefused:
    return UpdateRefused(
        "The update holds something that no release of ours holds.",
        next_step="Take it from where the box came from; do not use this one.",
        code="update-unusual",
    )
