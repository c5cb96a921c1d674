"""How the centre's processes speak to their log: an event, then fields; identifiers only."""

import logging
from typing import Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class EventAndFields(logging.Formatter):
    """``2026-11-22T09:05:30 warning broker-away code=broker-lost host=… port=…``."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        words = [
            self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            record.levelname.lower(),
            record.getMessage(),
            *(f"{name}={value}" for name, value in fields.items()),
        ]
        return " ".join(words)


def to_stderr() -> None:
    """Send all of it to standard error, where systemd or a terminal takes it."""
    handler = logging.StreamHandler()
    handler.setFormatter(EventAndFields())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
