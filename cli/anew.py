"""The agent begins anew in the same process: what its memory held is given back to the kernel.

No program in Python can promise that a key, or a name that was read with it, is overwritten everywhere.
A process image that is replaced can: the kernel hands out its pages only after clearing them. So once the
store has been locked the agent executes itself again. The process number stays, and so does the listening
socket: whoever connects in between waits in its queue and is answered by the next image.
"""

import os
import socket
import stat
import sys
from typing import Final

_PASSED_ON: Final = "QAFILA_LISTENING"
"""``PROCESS:DESCRIPTOR``; the number of the process, so that a child that inherits the word ignores it."""


def passed_on() -> socket.socket | None:
    """The listening socket that the image before this one left, or None at a real start."""
    process, _, descriptor = os.environ.pop(_PASSED_ON, "").partition(":")
    if process != str(os.getpid()) or not descriptor.isdecimal():
        return None
    number = int(descriptor)
    try:
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            return None
        os.set_inheritable(number, False)  # noqa: FBT003  the standard library takes it only so
        listening = socket.socket(fileno=number)
    except OSError:
        return None
    listening.setblocking(False)  # noqa: FBT003  the standard library takes it only so
    return listening


def begin_anew(listening: socket.socket) -> None:
    """Replace this process's image by the same program with the same arguments; does not return.

    Raises:
        OSError: the program is not there any more; the caller goes on or ends.
    """
    os.set_inheritable(listening.fileno(), True)  # noqa: FBT003  the standard library takes it only so
    environment = {**os.environ, _PASSED_ON: f"{os.getpid()}:{listening.fileno()}"}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606  our own program
