"""A fixed environment: pictures of screens differ with the terminal, the colours and the time zone."""

import os
import time
from collections.abc import Iterator

import pytest

_FIXED = {
    "TERM": "xterm-256color",
    "COLORTERM": "truecolor",
    "TZ": "Etc/GMT-1",
    "LANG": "C.UTF-8",
    "TEXTUAL_ANIMATIONS": "none",
}
_UNWANTED = (
    "NO_COLOR",
    "LC_ALL",
    "LC_CTYPE",
    "TEXTUAL",
    "TEXTUAL_THEME",
    "TEXTUAL_COLOR_SYSTEM",
    "QAFILA_HOME",
)

# Textual reads some of these once, when it is imported.
os.environ.update(_FIXED)
for _name in _UNWANTED:
    os.environ.pop(_name, None)


@pytest.fixture(autouse=True)
def fixed_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in _FIXED.items():
        monkeypatch.setenv(name, value)
    for name in _UNWANTED:
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
