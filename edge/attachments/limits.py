"""What an attachment may be. Loads nothing."""

from typing import Final

MAX_BYTES: Final = 10_000_000
"""Of the file as it was brought, and as it was written anew."""
MAX_PIXELS: Final = 40_000_000
MAX_PAGES: Final = 200
CPU_S: Final = 40
WALL_S: Final = 50.0
"""A client waits a minute for an answer."""
MEMORY_BYTES: Final = 640 * 1024 * 1024
"""Of addresses: the libraries take 150 MB of them, the largest picture twice 120 MB."""

JPEG: Final = "image/jpeg"
PNG: Final = "image/png"
PDF: Final = "application/pdf"
ENDINGS: Final = {JPEG: ".jpg", PNG: ".png", PDF: ".pdf"}
"""Every type there is, and how a file of it is called."""

SENTENCES: Final = {
    "attachment-empty": ("The file is empty.", "Take the picture again, or choose another file."),
    "attachment-too-large": (
        "The file has more than 10 MB.",
        "Take the picture with fewer pixels, or scan fewer pages.",
    ),
    "attachment-kind": (
        "The file is no JPEG, PNG or PDF, whatever its name says.",
        "Save it as one of these.",
    ),
    "attachment-damaged": (
        "The file is damaged or cut short.",
        "Copy it onto the stick again, or take the picture again.",
    ),
    "attachment-pixels": (
        "The picture has more than 40 million pixels.",
        "Take it with fewer, or make it smaller.",
    ),
    "attachment-moving": ("The picture moves.", "Attach a picture that stands still."),
    "attachment-pages": ("The document has more than 200 pages.", "Attach the pages that matter."),
    "attachment-active": (
        "The document brings a program, a film or another file with it.",
        "Print it into a new PDF, and attach that.",
    ),
    "attachment-form": (
        "The document is a form whose entries would not be seen.",
        "Print it into a new PDF, and attach that.",
    ),
    "attachment-secret": (
        "The document opens with a password only.",
        "Save it without one, and attach that.",
    ),
    "attachment-costly": (
        "The file takes more memory or time than a picture or document does.",
        "Make it smaller, or print it into a new PDF.",
    ),
}
"""What is said of a file that is refused, and what to do next, by code."""
