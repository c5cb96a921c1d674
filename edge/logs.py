"""How a process of ours logs: one line an event, with its fields, to standard error for the journal.

Events tell a change once, by identifiers and stable codes; never a patient, a key or device bytes.
"""

import json
import logging
from typing import Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class EventAndFields(logging.Formatter):
    """An event, then its fields as ``key=value``."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD and value != ""}
        return " ".join([super().format(record), *(f"{key}={value}" for key, value in fields.items())])

    def formatException(self, ei: object) -> str:  # noqa: N802  the standard library's name
        """Where it happened, never the message: it may hold what somebody typed or a device sent."""
        del ei
        return ""


class JsonLines(logging.Formatter):
    """The same as one JSON object a line, for machines."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        fields = {key: str(value) for key, value in vars(record).items() if key not in _STANDARD}
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "process": self._process,
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **fields,
        }
        return json.dumps(line, ensure_ascii=False)


def to_stderr(process: str, *, as_json: bool = False, level: int = logging.INFO) -> None:
    """Send this process's events to standard error, each line naming the process."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonLines(process) if as_json else EventAndFields(f"%(asctime)s {process} %(levelname)s %(message)s")
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
