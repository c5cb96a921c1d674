"""What somebody brings to attach, in memory until it is saved: the child that cleans it, and what it left.

The agent never looks into such a file: it counts its bytes and hands them on.
"""

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import os
import sys
import weakref
from typing import Final, Self

from edge.agent.refusals import AttachmentRefused
from edge.attachments.limits import ENDINGS, MAX_BYTES, WALL_S

_CHILD: Final = "edge.attachments.child"
_AT_ONCE: Final = 256 * 1024
_MOST_SAID: Final = 1024


class InMemory:
    """A file in memory that no other process sees; gone when nobody refers to it."""

    def __init__(self) -> None:
        self.descriptor: Final = os.memfd_create("attachment", os.MFD_CLOEXEC)
        self._gone = weakref.finalize(self, os.close, self.descriptor)

    @property
    def size(self) -> int:
        return os.fstat(self.descriptor).st_size

    def append(self, data: bytes) -> None:
        """Write behind what is there."""
        os.pwrite(self.descriptor, data, self.size)

    def read(self, first: int, count: int) -> bytes:
        """Up to ``count`` bytes from ``first`` on."""
        return os.pread(self.descriptor, count, first)

    def digest(self) -> bytes:
        """SHA-256 of all of it."""
        whole = hashlib.sha256()
        for at in range(0, self.size, _AT_ONCE):
            whole.update(self.read(at, _AT_ONCE))
        return whole.digest()

    def close(self) -> None:
        self._gone()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclasses.dataclass(frozen=True, slots=True)
class Cleaned:
    """A file without what it hid.

    Attributes:
        media: a key of `edge.attachments.limits.ENDINGS`.
        size: bytes.
        hash: SHA-256 of all of it.
    """

    file: InMemory
    media: str
    size: int
    hash: bytes


async def clean(given: InMemory) -> Cleaned:
    """Have a child of its own clean a file.

    Raises:
        AttachmentRefused: it is none that is taken, with the code that says why.
    """
    out = InMemory()
    try:
        media = _media(await _ask_child(given, out), out.size)
        return Cleaned(out, media, out.size, await asyncio.to_thread(out.digest))
    except BaseException:
        out.close()
        raise


def _media(said: dict[str, object], size: int) -> str:
    """What the child says that the file is; believed as far as it can be."""
    code, media = said.get("code"), said.get("media")
    if isinstance(code, str):
        raise AttachmentRefused(code)
    if media not in ENDINGS or not 0 < size <= MAX_BYTES:
        raise AttachmentRefused("attachment-damaged")
    return str(media)


async def _ask_child(given: InMemory, out: InMemory) -> dict[str, object]:
    os.lseek(given.descriptor, 0, os.SEEK_SET)
    descriptors = given.descriptor, out.descriptor
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", _CHILD, *map(str, descriptors)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        pass_fds=descriptors,
        cwd="/",
        env={},
        limit=_MOST_SAID,
    )
    assert child.stdout is not None  # noqa: S101  it was asked for
    try:
        async with asyncio.timeout(WALL_S):
            line = await child.stdout.read(_MOST_SAID)
            ended = await child.wait()
    except TimeoutError:
        raise AttachmentRefused("attachment-costly") from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if ended:  # a signal: it met a limit, or a fault of a library
        raise AttachmentRefused("attachment-costly" if ended in _LIMITS else "attachment-damaged")
    try:
        said = json.loads(line)
    except ValueError:
        raise AttachmentRefused("attachment-damaged") from None
    return said if isinstance(said, dict) else {}


_LIMITS: Final = frozenset({-9, -24})
"""SIGKILL (memory ended, or all of its time) and SIGXCPU."""
