"""A courier stick: what lies where on it, and how to touch it when anybody may have had it in hand.

::

    DIR/qafila-courier/
      UNIT/
        up/         sealed files, as they lie in that unit's spool
        receipts/   signed receipts, on their way back to it
        down/       what the centre has to tell it, sealed to it
        keyset/     the centre's public keys

A stick is read like ``spool/in``: regular files of bounded size and nothing else, no link is followed, no
pipe or device is opened, names are hints. Other things on it are left alone. What is written is synced,
read back, and gets its name only then.
"""

import contextlib
import dataclasses
import errno
import os
import re
import stat
from collections.abc import Generator, Iterator
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Final

from edge.errors import QafilaError
from edge.spool.names import TEMPORARY_PREFIX

FOLDER: Final = "qafila-courier"
MOST_UNITS: Final = 10_000
_UNIT: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,30}", re.ASCII)
_ONLY_A_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ONLY_A_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class StickRefused(QafilaError):
    """The stick cannot be used as it is; what was on it stays as it was."""

    code: ClassVar[str] = "stick-refused"


class Side(StrEnum):
    """Which way a folder's files travel."""

    UP = "up"
    RECEIPTS = "receipts"
    DOWN = "down"
    KEYSET = "keyset"


class Odd(StrEnum):
    """Why a thing on a stick is not read."""

    NO_FILE = "no-file"
    """A link, a folder, a pipe, a device."""
    TOO_LARGE = "too-large"
    UNREADABLE = "unreadable"


@dataclasses.dataclass(frozen=True, slots=True)
class Folder:
    """One folder on a stick, held open: what its name leads to later does not matter."""

    descriptor: int
    shown: str

    def names(self) -> Iterator[str]:
        """The names of everything in it, in no order, one after the other however many there are.

        Raises:
            StickRefused: the stick gives no more of them.
        """
        try:
            with os.scandir(self.descriptor) as entries:
                for entry in entries:
                    yield entry.name
        except OSError as error:
            raise _gone(self.shown, error) from error

    def read(self, name: str, most: int) -> bytes | Odd | None:
        """A regular file's content, why it is not read, or None when there is nothing of that name."""
        try:
            # Looked at before it is opened: opening a pipe waits, opening a device may do something.
            odd = _odd(os.stat(name, dir_fd=self.descriptor, follow_symlinks=False), most)
            if odd is not None:
                return odd
            descriptor = os.open(name, _ONLY_A_FILE, dir_fd=self.descriptor)
        except FileNotFoundError:
            return None
        except OSError:
            return Odd.UNREADABLE
        try:
            odd = _odd(os.fstat(descriptor), most)
            return _read_all(descriptor, most) if odd is None else odd
        except OSError:
            return Odd.UNREADABLE
        finally:
            os.close(descriptor)

    def write(self, name: str, content: bytes) -> None:
        """Put a file there, whole, synced and read back, in the place of one of the same name.

        Raises:
            StickRefused: it is not there; whatever had its name is as it was.
        """
        temporary = f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}"
        try:
            descriptor = os.open(temporary, _NEW_FILE, 0o644, dir_fd=self.descriptor)
            try:
                _write_all(descriptor, content)
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
            self._read_back(temporary, content)
            os.rename(temporary, name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        except OSError as error:
            self.remove(temporary)
            raise _not_written(self.shown, error) from error
        except BaseException:
            self.remove(temporary)
            raise

    def _read_back(self, name: str, content: bytes) -> None:
        if self.read(name, len(content)) != content:
            raise StickRefused(
                f"{self.shown} gives back something else than was written to it.",
                next_step="Use another stick; nothing is lost, this unit or centre still has it.",
                code="stick-lies",
            )

    def remove(self, name: str) -> None:
        """Remove a file or link; what cannot be removed stays."""
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=self.descriptor)

    def sync(self) -> None:
        """Make names durable, as far as the stick's file system knows how.

        Raises:
            StickRefused: it reports an error; what was written may be gone.
        """
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # some file systems sync no folders
                raise _not_written(self.shown, error) from error


@contextlib.contextmanager
def folder(stick: Path, unit: str, side: Side, *, make: bool = False) -> Generator[Folder | None]:
    """Open a unit's folder on a stick; None when there is none and it is not to be made.

    Raises:
        StickRefused: the stick is not there, or something else than a folder lies in the way.
    """
    shown = str(stick)
    with contextlib.ExitStack() as opened:
        try:
            at: int | None = os.open(stick, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _missing(shown, error) from error
        assert at is not None  # noqa: S101  `os.open` gives a number
        opened.callback(os.close, at)
        for word in (FOLDER, unit, side.value):
            shown = f"{shown}/{word}"
            at = _step(at, word, shown, make=make)
            if at is None:
                yield None
                return
            opened.callback(os.close, at)
        yield Folder(at, shown)


def units(stick: Path) -> list[str]:
    """The units whose folders lie on a stick, by name; what is no folder of a unit is left out.

    Raises:
        StickRefused: the stick is not there, or has more than `MOST_UNITS` of them.
    """
    shown = f"{stick}/{FOLDER}"
    try:
        root = os.open(stick, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _missing(str(stick), error) from error
    try:
        at = _step(root, FOLDER, shown, make=False)
    finally:
        os.close(root)
    if at is None:
        return []
    found: list[str] = []
    try:
        with os.scandir(at) as entries:
            for entry in entries:
                if _UNIT.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                    found.append(entry.name)
                if len(found) > MOST_UNITS:
                    raise StickRefused(
                        f"{shown} holds more folders than there are units.",
                        next_step="Nothing was read. Use another stick, and ask where this one has been.",
                        code="stick-too-much",
                    )
    except OSError as error:
        raise _gone(shown, error) from error
    finally:
        os.close(at)
    return sorted(found)


def _step(at: int, word: str, shown: str, *, make: bool) -> int | None:
    """Open a folder in an open folder, made if need be; None when it is not there."""
    try:
        if make:
            os.mkdir(word, 0o755, dir_fd=at)
    except FileExistsError:
        pass  # of whatever kind it is
    except OSError as error:
        raise _not_written(shown, error) from error
    try:
        return os.open(word, _ONLY_A_FOLDER, dir_fd=at)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise StickRefused(
                f"{shown} is a link or a file where only a folder may be; it is not followed.",
                next_step="Use an empty stick, and ask where this one has been.",
                code="stick-odd",
            ) from error
        raise _gone(shown, error) from error


def _odd(looked: os.stat_result, most: int) -> Odd | None:
    if not stat.S_ISREG(looked.st_mode):
        return Odd.NO_FILE
    return Odd.TOO_LARGE if looked.st_size > most else None


def _read_all(descriptor: int, most: int) -> bytes:
    pieces: list[bytes] = []
    while most > 0 and (piece := os.read(descriptor, most)):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _missing(shown: str, error: OSError) -> StickRefused:
    return StickRefused(
        f"{shown} cannot be opened: {error.strerror}.",
        next_step="Put the stick in, and name the folder under which it is mounted.",
        code="stick-missing",
    )


def _gone(shown: str, error: OSError) -> StickRefused:
    return StickRefused(
        f"{shown} cannot be read: {error.strerror}.",
        next_step="Put the stick in again and repeat the command; what it has done already is kept.",
        code="stick-unreadable",
    )


def _not_written(shown: str, error: OSError) -> StickRefused:
    if error.errno in _FULL:
        return StickRefused(
            f"{shown} is full.",
            next_step="Make space on the stick, or use another, and repeat the command: it goes on.",
            code="stick-full",
        )
    return StickRefused(
        f"{shown} takes no files: {error.strerror}.",
        next_step="Look whether the stick is write-protected, or something lies in the way; use another.",
        code="stick-unwritable",
    )
