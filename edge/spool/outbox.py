"""The agent's side of ``spool/out``: sealed files in, nothing out but what a receipt covers."""

import dataclasses
import os
from pathlib import Path

from edge.ports.sealing import SealedFile
from edge.spool.files import SpoolFailed, names_in, sync_directory, write_atomically, write_temporary
from edge.spool.names import METRICS_NAME, RING_NAME, TEMPORARY_PREFIX, SpoolName, parse


@dataclasses.dataclass(frozen=True, slots=True)
class Prepared:
    """A file that is durable but not yet in the spool."""

    name: SpoolName
    temporary: Path
    size: int


class Outbox:
    """Files are prepared before the commit that makes their entries real, and published after it.

    So a file in the spool never holds an entry that was not committed, and a commit whose file was not
    published is found at the next unlock: the spool is a cache of the store.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def prepare(self, file: SealedFile) -> Prepared:
        """Write a file under a temporary name and fsync it.

        Raises:
            SpoolFailed: nothing was written.
        """
        name = SpoolName(
            priority=file.priority, first=file.first, word=file.word, n=file.n, random=os.urandom(8).hex()
        )
        temporary = write_temporary(self._directory, str(name), file.content)
        return Prepared(name, temporary, len(file.content))

    def ring(self) -> None:
        """Ask the uplink not to wait any longer; what it asks for by this name is only a hint.

        Raises:
            SpoolFailed: the spool takes no file.
        """
        write_atomically(self._directory, RING_NAME, b"")

    def note_metrics(self, text: str) -> None:
        """Write what the unit says of itself, in the place of what it said before.

        Raises:
            SpoolFailed: the spool takes no file.
        """
        write_atomically(self._directory, METRICS_NAME, text.encode())

    def publish(self, *prepared: Prepared) -> None:
        """Give prepared files their names, durably.

        Raises:
            SpoolFailed: some are not in the spool; their entries are safe in the store.
        """
        try:
            for each in prepared:
                each.temporary.rename(self._directory / str(each.name))
            if prepared:
                sync_directory(self._directory)
        except OSError:
            raise SpoolFailed(
                "The spool takes no file.", next_step="Check the disk and who owns the spool."
            ) from None

    def discard(self, *prepared: Prepared) -> None:
        """Take back files whose entries were not committed."""
        for each in prepared:
            each.temporary.unlink(missing_ok=True)

    def list(self) -> list[SpoolName]:
        """What lies in the spool, in order of sending; names that are none are left alone."""
        return sorted(name for entry in names_in(self._directory) if (name := parse(entry)) is not None)

    def read(self, name: SpoolName) -> bytes:
        """Raises FileNotFoundError when it is gone."""
        return (self._directory / str(name)).read_bytes()

    def size(self, name: SpoolName) -> int:
        """Bytes of a file. Raises FileNotFoundError when it is gone."""
        return (self._directory / str(name)).stat().st_size

    def rename(self, name: SpoolName, priority: int) -> SpoolName:
        """Have a file go earlier or later; what is in it stays.

        Raises:
            OSError: it cannot be renamed, or is gone.
        """
        other = dataclasses.replace(name, priority=priority)
        (self._directory / str(name)).rename(self._directory / str(other))
        sync_directory(self._directory)
        return other

    def remove(self, *names: SpoolName) -> None:
        """Remove files that a receipt covers, or that were sealed again; gone already is fine."""
        for name in names:
            (self._directory / str(name)).unlink(missing_ok=True)

    def sweep_temporaries(self) -> int:
        """Remove what an interrupted commit has left, at start and never later; how many there were."""
        swept = [self._directory / e for e in names_in(self._directory) if e.startswith(TEMPORARY_PREFIX)]
        for path in swept:
            path.unlink(missing_ok=True)
        return len(swept)
