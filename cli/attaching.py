"""Photos and documents between a file and the running agent. Imports nothing of a store."""

import asyncio
import base64
import contextlib
import hashlib
import os
import stat
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cli.files import FileRefused, write_new_file
from edge.attachments.limits import MAX_BYTES, SENTENCES
from edge.config import Places
from edge.errors import QafilaError
from edge.localapi.client import Api, connect

PIECE: Final = 45_000
"""In base64 a request of the local API holds it."""
_ONLY_A_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def read_file(path: Path) -> bytes:
    """The bytes of a file that somebody chose on a stick; what it is is for the agent's child to say.

    Raises:
        FileRefused: it is missing, a link, a pipe, a device, a folder, empty, too large or not readable.
    """
    try:
        # Looked at before it is opened: opening a pipe waits, opening a device may do something.
        _check(path, os.lstat(path))
        descriptor = os.open(path, _ONLY_A_FILE)
        try:
            _check(path, os.fstat(descriptor))
            with os.fdopen(os.dup(descriptor), "rb") as file:
                content = file.read(MAX_BYTES + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise FileRefused(
            f"There is no file {path}.", next_step="Check the path.", code="file-missing"
        ) from None
    except OSError as error:
        raise FileRefused(
            f"{path} cannot be read: {error.strerror}.", next_step="Check the medium."
        ) from error
    if len(content) > MAX_BYTES:
        raise _refused("attachment-too-large")
    return content


def _check(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise FileRefused(
            f"{path} is a link, a folder, a pipe or a device, not a file.",
            next_step="Name the file itself.",
            code="no-file",
        )
    if not found.st_size:
        raise _refused("attachment-empty")
    if found.st_size > MAX_BYTES:
        raise _refused("attachment-too-large")


def _refused(code: str) -> FileRefused:
    sentence, next_step = SENTENCES[code]
    return FileRefused(sentence, next_step=next_step, code=code)


@contextlib.asynccontextmanager
async def _signed_in(places: Places, user: str, pin: str) -> AsyncGenerator[Api]:
    async with connect(places.socket) as api:
        await api.call("sign-in", user=user, pin=pin, brief=True)
        try:
            yield api
        finally:
            with contextlib.suppress(QafilaError):  # the agent sees the connection end as well
                await api.call("sign-out")


async def _bring(api: Api, name: Path, content: bytes) -> None:
    try:
        for first in range(0, len(content), PIECE):
            data = base64.b64encode(content[first : first + PIECE]).decode()
            await api.call("attachment.bring", first=first, data=data, last=first + PIECE >= len(content))
    except QafilaError as error:
        if error.stable_code not in SENTENCES:
            raise
        raise QafilaError(
            f"{name.name}: {error.sentence}", next_step=error.next_step, code=error.stable_code
        ) from None


def attach(
    places: Places, user: str, pin: str, request: str, files: Sequence[Path], caption: str | None
) -> dict[str, Any]:
    """Attach files to a request; ``{"attachments": […]}``, in order.

    Raises:
        FileRefused: a file cannot be read; nothing was attached.
        QafilaError: the agent refused one; those before it are attached.
    """
    contents = [(path, read_file(path)) for path in files]

    async def ask() -> dict[str, Any]:
        async with _signed_in(places, user, pin) as api:
            return {"attachments": await _attach_all(api, request, contents, caption)}

    return asyncio.run(ask())


def ask_with(
    places: Places, user: str, pin: str, files: Sequence[Path], fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Ask a specialist, with files. Nothing is asked before every file was found to be one that is taken.

    Raises:
        FileRefused, QafilaError: a file or the request is refused; nothing was asked.
    """
    contents = [(path, read_file(path)) for path in files]

    async def ask() -> dict[str, Any]:
        async with _signed_in(places, user, pin) as api:
            for path, content in contents:
                await _bring(api, path, content)
            answer = await api.call("request.ask", **fields)
            try:
                attached = await _attach_all(api, answer["request"], contents, None)
            except QafilaError as error:
                raise QafilaError(
                    f"Asked: {answer['request']}, but not all files are with it. {error.sentence}",
                    next_step=f"qafila requests attach {answer['request']} FILE --user {user}",
                    code=error.stable_code,
                ) from None
            return {**answer, "attachments": attached}

    return asyncio.run(ask())


async def _attach_all(
    api: Api, request: str, contents: Sequence[tuple[Path, bytes]], caption: str | None
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path, content in contents:
        await _bring(api, path, content)
        answer = await api.call("request.attach", request=request, caption=caption)
        found.append(answer["attachment"])
    return found


def fetch(places: Places, user: str, pin: str, attachment: str, out: Path) -> dict[str, Any]:
    """Write an attachment that is still here into a new file; who looked is in the audit trail.

    Raises:
        FileRefused: something stands there already.
        QafilaError: there is none, or its bytes are at the centre and no longer here.
    """

    async def ask() -> tuple[dict[str, Any], bytes]:
        async with _signed_in(places, user, pin) as api:
            content, first = b"", 1
            while True:
                answer = await api.call("attachment.read", attachment=attachment, first=first)
                content += base64.b64decode(answer["data"])
                if answer["next"] is None:
                    return dict(answer["attachment"]), content
                first = answer["next"]

    shown, content = asyncio.run(ask())
    if hashlib.sha256(content).hexdigest() != shown["hash"]:
        raise QafilaError(
            "The file is not what was saved; nothing was written.",
            next_step="Run `qafila store verify`.",
            code="attachment-changed",
        )
    write_new_file(out, content, mode=0o600)
    return shown
