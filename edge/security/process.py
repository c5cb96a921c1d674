"""Keeping a process's memory to itself: no core dump, no debugger of the same user."""

import ctypes
import resource
from pathlib import Path
from typing import Final

_PR_SET_DUMPABLE: Final = 4
_SWAPS: Final = Path("/proc/swaps")
SWAP_ON: Final = "swap-on"


def swap_is_on(swaps: Path = _SWAPS) -> bool:
    """Whether pages of memory may be written to a disk; memory that is compressed in place is none."""
    try:
        lines = swaps.read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    except OSError:
        return False
    return any(line.split() and not line.startswith("/dev/zram") for line in lines)


def harden() -> bool:
    """Switch off core dumps and make ``/proc/PID`` of this process root's; whether all of it took.

    To be called once, before a key comes into memory.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
