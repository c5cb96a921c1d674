"""A photo or document in a line, as both ends show it."""

import uuid
from collections.abc import Mapping
from typing import Any, Final

from cli.output import inert
from edge.i18n import amounts, catalogue

_WORDS: Final = {
    "image/jpeg": "photo (JPEG)",
    "image/png": "picture (PNG)",
    "application/pdf": "document (PDF)",
}


def in_words(shown: Mapping[str, Any]) -> str:
    """What it is, how large, how much of it is received, what it shows."""
    what = _WORDS.get(shown["media"], inert(shown["media"]))
    size = amounts.size(catalogue.load("en"), shown["size"])
    far = f"{shown['received']} of {shown['parts']} parts received"
    caption = f", {inert(shown['caption'])}" if shown["caption"] else ""
    return f"{uuid.UUID(str(shown['attachment']))}  {what}, {size}, {far}{caption}"
