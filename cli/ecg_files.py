"""Reads the samples of one lead from a file that somebody brought."""

import gzip
import zlib
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from edge.errors import QafilaError

MOST_BYTES: Final = 128 * 1024 * 1024
"""A day at 700 Hz; what is longer is no recording of a visit."""
_GZIP: Final = b"\x1f\x8b"
_RATES_HZ: Final = (50.0, 4000.0)


class RecordingRefused(QafilaError):
    """A file is not a recording that can be read."""

    code = "recording-refused"


def read_samples(path: Path, rate_hz: float, gain: float) -> npt.NDArray[np.int16]:
    """The samples of a file.

    Raises:
        RecordingRefused: it cannot be read, is empty, cut or too long, or rate or gain cannot be.
    """
    if not _RATES_HZ[0] <= rate_hz <= _RATES_HZ[1]:
        raise RecordingRefused(
            f"No ECG is sampled {rate_hz:g} times a second.", next_step="give --rate from 50 to 4000."
        )
    if not 0 < gain < 1e9:
        raise RecordingRefused(
            "The gain says how many units are one millivolt.", next_step="give --gain above 0, such as 200."
        )
    content = _content(path)
    if not content or len(content) % 2:
        raise RecordingRefused(
            f"{path.name} is {'empty' if not content else 'cut in the middle of a sample'}.",
            next_step="bring the recording again; it is one lead, int16, little-endian.",
        )
    return np.frombuffer(content, dtype="<i2")


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            begin = file.read(len(_GZIP))
            file.seek(0)
            if begin == _GZIP:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    content = unpacked.read(MOST_BYTES + 1)
            else:
                content = file.read(MOST_BYTES + 1)
    except (gzip.BadGzipFile, zlib.error, EOFError):
        raise RecordingRefused(
            f"{path.name} begins as a gzip file and does not go on as one.",
            next_step="bring the recording again.",
        ) from None
    except OSError as error:
        raise RecordingRefused(
            f"{path.name} cannot be read: {error.strerror}.", next_step="look at the name and its rights."
        ) from None
    if len(content) > MOST_BYTES:
        raise RecordingRefused(
            f"{path.name} holds more than {MOST_BYTES // 1024 // 1024} MiB.", next_step="cut it into parts."
        )
    return content
