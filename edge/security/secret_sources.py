"""Where the device secret comes from, and when its second copy was last seen.

In this order, the first that gives it: a credential that systemd decrypted for the service (bound to the
TPM2 or to the machine), a helper that root has put there, the file on removable media, its second copy.
Each gives the one line of text that `edge.security.device_secret` lays down.
"""

import contextlib
import dataclasses
import json
import logging
import os
import stat
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from edge.security import device_secret
from edge.security.errors import DeviceSecretMissing, HelperRefused, SecurityError
from edge.security.files import write_private

HELPER_WITHIN_S: Final = 10.0
SEEN_WITHIN_DAYS: Final = 30
COPY_NOT_MADE: Final = "secret-copy-not-made"
COPY_NOT_SEEN: Final = "secret-copy-not-seen"
COPIES_DIFFER: Final = "secret-copies-differ"
"""First and second file hold two secrets: one is of before a renewal, perhaps of one that was cut short."""
_DAY_MS: Final = 86_400_000
_CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
_LOG: Final = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class SecretSources:
    """The sources of one unit.

    Attributes:
        file: on removable media.
        copy: the second file, on another medium that is kept elsewhere, or None.
        credential: the name of a systemd credential, or None.
        helper: a command, empty for none.
        seen: the file that says when the copy was last seen.
        wall_ms: the box's wall time.
        environment: where systemd says the directory of its credentials.
    """

    file: Path
    copy: Path | None
    credential: str | None
    helper: Sequence[str]
    seen: Path
    wall_ms: Callable[[], int]
    environment: Mapping[str, str] = dataclasses.field(default_factory=lambda: os.environ)

    def read(self) -> bytes:
        """The device secret; notes that the second copy was seen, if it is there.

        Raises:
            SecurityError: no source gives it; why the first that is configured does not.
        """
        copied = self._look_at_copy()
        why: SecurityError | None = None
        for source in self._first_sources():
            try:
                return source()
            except SecurityError as error:
                why = why or error
        if copied is not None:
            _LOG.warning("device secret taken from its second copy", extra={"code": why and why.stable_code})
            return copied
        assert why is not None  # noqa: S101  the file is always asked
        raise why

    def every(self) -> list[bytes]:
        """Every secret that the sources give: more than one while the secret is being renewed.

        Raises:
            SecurityError: no source gives one; why the first that is configured does not.
        """
        found: dict[bytes, None] = {}
        why: SecurityError | None = None
        for source in self._first_sources():
            try:
                found[source()] = None
            except SecurityError as error:
                why = why or error
        copied = self._look_at_copy()
        if copied is not None:
            found[copied] = None
        if not found and why is not None:
            raise why
        return list(found)

    def notes(self) -> list[str]:
        """What somebody should look after: codes."""
        if self.copy is None:
            return [COPY_NOT_MADE]
        copied = self._look_at_copy()
        with contextlib.suppress(SecurityError):
            if copied is not None and device_secret.read(self.file) != copied:
                return [COPIES_DIFFER]
        last = self._last_seen()
        late = last is None or self.wall_ms() - last > SEEN_WITHIN_DAYS * _DAY_MS
        return [COPY_NOT_SEEN] if late else []

    def _first_sources(self) -> list[Callable[[], bytes]]:
        sources: list[Callable[[], bytes]] = []
        if self.credential is not None:
            sources.append(self._from_credential)
        if self.helper:
            sources.append(lambda: from_helper(self.helper))
        return [*sources, lambda: device_secret.read(self.file)]

    def _from_credential(self) -> bytes:
        directory = self.environment.get(_CREDENTIALS)
        if directory is None or self.credential is None:
            raise DeviceSecretMissing(
                "systemd has handed over no credential.",
                next_step="Start the agent as its service, or put the medium with the device secret in.",
            )
        return device_secret.read(Path(directory) / self.credential)

    def _look_at_copy(self) -> bytes | None:
        """The second copy if it is in; at most once a day it is noted that it was."""
        if self.copy is None:
            return None
        try:
            secret = device_secret.read(self.copy)
        except SecurityError:
            return None
        now, last = self.wall_ms(), self._last_seen()
        if last is None or not 0 <= now - last < _DAY_MS:
            try:
                write_private(self.seen, json.dumps({"copy": str(self.copy), "seen_ms": now}).encode())
            except OSError:
                _LOG.warning("second copy seen, but not noted")
        return secret

    def _last_seen(self) -> int | None:
        """When this very copy was seen."""
        try:
            said = json.loads(self.seen.read_bytes())
            return int(said["seen_ms"]) if said["copy"] == str(self.copy) else None
        except (OSError, ValueError, TypeError, KeyError):
            return None


def from_helper(words: Sequence[str]) -> bytes:
    """Have a command of root's give the device secret.

    It runs without our environment and input, for at most ten seconds. What anybody but root could have
    changed is not run: whoever could would have the secret, and our user's rights.

    Raises:
        HelperRefused: it is not root's alone, or it fails.
        DeviceSecretDamaged: it gives something else.
    """
    program = Path(words[0])
    if not program.is_absolute() or not _roots_alone(program):
        raise HelperRefused(
            "The helper for the device secret is not root's alone; it is not run.",
            next_step="Give its whole path; it and all folders above belong to root, others cannot write.",
        )
    try:
        done = subprocess.run(
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            timeout=HELPER_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise _helper_failed() from None
    if done.returncode != 0:
        raise _helper_failed()
    return device_secret.parse(done.stdout)


def _roots_alone(program: Path) -> bool:
    """Whether only root can change a program or put another in its place, links followed at each step."""
    try:
        real = program.resolve(strict=True)
        checked = [real, *real.parents, *program.parents]
        if not stat.S_ISREG(real.stat().st_mode) or not os.access(real, os.X_OK):
            return False
        for path in checked:
            found = path.stat()
            if found.st_uid != 0 or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return False
    except OSError:
        return False
    return True


def _helper_failed() -> HelperRefused:
    return HelperRefused(
        "The helper for the device secret fails.",
        next_step="Run it by hand as root, or put the medium with the device secret in.",
        code="secret-helper-failed",
    )
