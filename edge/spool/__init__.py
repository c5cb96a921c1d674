"""Two directories of sealed files, one writer each; this room knows names, bytes and fsync, no contents."""

from edge.spool.files import write_atomically
from edge.spool.inbox import Inbox
from edge.spool.names import SpoolName, parse
from edge.spool.outbox import Outbox, Prepared

__all__ = ["Inbox", "Outbox", "Prepared", "SpoolName", "parse", "write_atomically"]
