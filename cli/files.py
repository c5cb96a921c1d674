"""Files that people hand over: read with suspicion, written durably and never over another."""

import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import ClassVar, Final

from edge.errors import QafilaError

MAX_HANDED_OVER: Final = 262_144


class FileRefused(QafilaError):
    """A file cannot be read or written as asked; nothing was changed."""

    code: ClassVar[str] = "file-refused"


def read_small_file(path: Path) -> bytes:
    """The bytes of a regular file of at most 256 kB.

    Raises:
        FileRefused: it is missing, no regular file, too large or not readable.
    """
    try:
        if not path.is_file():
            if not path.exists():
                raise FileRefused(
                    f"There is no file {path}.", next_step="Check the path.", code="file-missing"
                )
            what = "a folder" if path.is_dir() else "no regular file"
            raise FileRefused(
                f"{path} is {what}.", next_step="Name the file itself.", code="file-not-regular"
            )
        with path.open("rb") as file:
            content = file.read(MAX_HANDED_OVER + 1)
    except OSError as error:
        raise FileRefused(
            f"{path} cannot be read: {error.strerror}.", next_step="Check the medium."
        ) from error
    if len(content) > MAX_HANDED_OVER:
        raise FileRefused(
            f"{path} is larger than such a file can be.", next_step="Check that it is the right one."
        )
    return content


def read_text(path: Path) -> str:
    """A text that a person wrote, from a file or with ``-`` from standard input.

    Raises:
        FileRefused: it cannot be read, is too large, or is no UTF-8.
    """
    try:
        if str(path) == "-":
            return sys.stdin.read(MAX_HANDED_OVER)
        return read_small_file(path).decode()
    except UnicodeDecodeError:
        raise FileRefused("The text is no UTF-8.", next_step="Save it as UTF-8.") from None


def write_new_file(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file that must not exist yet, and see it onto the disk: there whole, or not at all.

    What a power cut or a stick that was pulled leaves is an empty file or a hidden ``.NAME.part``, which the
    next attempt takes over; a file that holds something is never written over.

    Raises:
        FileRefused: something is there already, or the medium does not take it.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        ours = _reserve(path)
        try:
            _write_part(part, content, mode)
            part.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            if ours:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            raise
        _sync_directory(path.parent)
    except FileExistsError as error:
        raise FileRefused(
            f"{path} exists already and is never written over.",
            next_step="Choose another name.",
            code="file-exists",
        ) from error
    except OSError as error:
        raise FileRefused(
            f"{path} cannot be written: {error.strerror}.", next_step="Check the medium."
        ) from error


def _reserve(path: Path) -> bool:
    """Take the name, so that nobody else does; False where an empty file had it.

    Raises:
        FileExistsError: something is there.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size:
            raise
        return False
    return True


def _write_part(part: Path, content: bytes, mode: int) -> None:
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
