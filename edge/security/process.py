"""Keeping a process's memory to itself: no core dump, no debugger of the same user."""

import ctypes
import resource
from typing import Final

_PR_SET_DUMPABLE: Final = 4


def harden() -> bool:
    """Switch off core dumps and make ``/proc/PID`` of this process root's; whether all of it took.

    To be called once, before a key comes into memory.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
