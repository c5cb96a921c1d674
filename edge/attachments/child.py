"""The process that reads what came from a stick: `python -m edge.attachments.child IN OUT`.

IN and OUT are descriptors of files in memory. The file is read from IN and written anew to OUT; one line
of JSON on standard output says what it is, or by which code it is refused. The process bounds its own
memory, time and files before it reads a byte, has nothing of the agent's in its memory, and ends after one
file. Whatever ends it otherwise ends only it.
"""

import contextlib
import json
import os
import resource
import sys
from pathlib import Path
from typing import Final

from edge.attachments.limits import CPU_S, JPEG, MAX_BYTES, MEMORY_BYTES, PDF, PNG
from edge.attachments.refused import Refused
from edge.security import process

_HEADER_WITHIN: Final = 1024
"""Where the header of a PDF may begin (ISO 32000-1, implementation note 13)."""


def main(read_from: int, write_to: int) -> None:
    """Clean one file; see the module."""
    _bound()
    try:
        said = _clean(read_from, write_to)
    except Refused as refused:
        said = {"code": refused.code}
    except MemoryError:
        said = {"code": "attachment-costly"}
    except Exception:  # noqa: BLE001  here the process meets the world: libraries raise anything at such files
        said = {"code": "attachment-damaged"}
    sys.stdout.write(json.dumps(said) + "\n")


def _clean(read_from: int, write_to: int) -> dict[str, object]:
    with os.fdopen(read_from, "rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if not raw:
        raise Refused("attachment-empty")
    if len(raw) > MAX_BYTES:
        raise Refused("attachment-too-large")
    media = media_of(raw)
    if media == PDF:
        from edge.attachments.documents import clean_document

        clean = clean_document(raw)
    else:
        from edge.attachments.pictures import clean_picture

        clean = clean_picture(raw, media)
    if len(clean) > MAX_BYTES:
        raise Refused("attachment-too-large")
    with os.fdopen(write_to, "wb") as file:
        file.write(clean)
    return {"media": media, "size": len(clean)}


def media_of(raw: bytes) -> str:
    """What a file is, by what stands in it.

    Raises:
        Refused: none of those that are taken.
    """
    if raw.startswith(b"\xff\xd8\xff"):
        return JPEG
    if raw.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if b"%PDF-" in raw[:_HEADER_WITHIN]:
        return PDF
    raise Refused("attachment-kind")


def _bound() -> None:
    process.harden()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_BYTES, MAX_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    os.nice(10)
    with contextlib.suppress(OSError):  # should memory end, this process goes first
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
