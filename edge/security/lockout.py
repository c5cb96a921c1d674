"""The delay after wrong PINs: it grows, it survives restarts and clock changes, it is never for ever.

Only counts are kept on disk. The wait is measured on monotonic time from the last failure or, after a
restart, from the start: turning the power off and on does not shorten it, setting the clock does
nothing. Without a TPM whoever can write the disk can also remove the file; this is said in the security
page, and a unit at high risk takes passphrases.

On a disk that takes no writes at all nobody would get in, and what can still be read would help nobody. There
the counts are kept in memory, and the wait begins with the first failure. On a full disk they are written
over where they lie: a copy of them finds no room there, and everything has to be readable all the same.
"""

import errno
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge.security.errors import SecretNotKept, TooManyAttempts
from edge.security.files import overwrite_private, write_private

FREE_FAILURES: Final = 4
FIRST_WAIT_S: Final = 2.0
LONGEST_WAIT_S: Final = 900.0
_MOST_NAMES: Final = 64
_OTHERS: Final = "others"
_LONGEST_FILE: Final = 64 * 1024
_COUNT_LIMIT: Final = 1000
_DISK_IS_DEAD: Final = (errno.EROFS, errno.EIO)
_DISK_IS_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def wait_after(failures: int) -> float:
    """Seconds to wait after so many failures in a row: none up to four, 2 from the fifth, doubling."""
    if failures <= FREE_FAILURES:
        return 0.0
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures - FREE_FAILURES - 1, 20))


class Lockout:
    """Counts failures per user.

    Args:
        path: the file of the counts; missing means none, unreadable means one delay for everyone.
        monotonic_s: `edge.clock.Clock.monotonic_s`.
    """

    def __init__(self, path: Path, monotonic_s: Callable[[], float]) -> None:
        self._path = path
        self._monotonic_s = monotonic_s
        self._started_s = monotonic_s()
        self._failed_s: dict[str, float] = {}
        self._everyone = 0
        self._kept = True
        self._counts = self._read()

    def wait_s(self, user: str) -> float:
        """How long this user has to wait from now on."""
        key = self._key(user)
        since = self._failed_s.get(key, self._started_s)
        failures = self._counts.get(key, self._everyone)
        if failures and not self._kept:
            failures += FREE_FAILURES
        return max(0.0, since + wait_after(failures) - self._monotonic_s())

    def begin(self, user: str) -> None:
        """Count an attempt before the PIN is tried, so that killing the process gains nothing.

        Raises:
            TooManyAttempts: the wait is not over; nothing was counted.
            SecretNotKept: the count cannot be kept, so the PIN is not tried.
        """
        wait_s = self.wait_s(user)
        if wait_s > 0:
            raise TooManyAttempts(wait_s)
        key = self._key(user)
        counts = {**self._counts, key: min(self._counts.get(key, self._everyone) + 1, _COUNT_LIMIT)}
        self._write(counts)
        self._failed_s[key] = self._monotonic_s()

    def succeeded(self, user: str) -> None:
        """Forget this user's failures: the PIN was right."""
        key = self._key(user)
        self._failed_s.pop(key, None)
        self._write({**{name: n for name, n in self._counts.items() if name != key}, key: 0})

    def _key(self, user: str) -> str:
        key = hashlib.sha256(b"lockout" + user.encode()).hexdigest()[:16]
        return key if key in self._counts or len(self._counts) < _MOST_NAMES else _OTHERS

    def _read(self) -> dict[str, int]:
        try:
            with self._path.open("rb") as file:
                counts = json.loads(file.read(_LONGEST_FILE))
            return {str(name): max(0, min(int(n), _COUNT_LIMIT)) for name, n in counts.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError):
            self._everyone = FREE_FAILURES + 1
            return {}

    def _write(self, counts: dict[str, int]) -> None:
        content = json.dumps(counts, sort_keys=True).encode()
        try:
            try:
                write_private(self._path, content)
            except OSError as error:
                if error.errno not in _DISK_IS_FULL:
                    raise
                overwrite_private(self._path, content)
            self._kept = True
        except OSError as error:
            if error.errno not in _DISK_IS_DEAD:
                raise SecretNotKept(
                    "The attempt cannot be counted, so the PIN is not tried.",
                    next_step="Free space on the unit, or check the disk.",
                ) from None
            self._kept = False
        self._counts = counts
