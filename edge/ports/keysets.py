"""The port through which the centre's public keys come to be believed in place of earlier ones."""

from typing import ClassVar, Protocol

from edge.errors import QafilaError


class KeysetRefused(QafilaError):
    """What came is no keyset that may be believed; the one that is pinned stays."""

    code: ClassVar[str] = "keyset-refused"


class KeysetKeeper(Protocol):
    """Checks keysets with the pinned roots and keeps the highest version, also while the store is locked."""

    def take(self, raw: bytes) -> int | None:
        """Pin a keyset, durably; its version, or None when one as high is pinned.

        Raises:
            KeysetRefused: no pinned root signed it, or it is of the other realm, or not in the accepted form.
            OSError: the disk does not take it.
        """
        ...
