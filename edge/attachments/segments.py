"""What JPEG and JPEG 2000 data say beside the picture, taken out of images inside documents. Pure.

The picture's own bytes stay as they are, so nothing of it is lost.
"""

from typing import Final

_KEPT_APPLICATION: Final = frozenset({0xE0, 0xEE})
"""JFIF and Adobe: how colours are meant. Everything else of APPn is about camera, place and program."""
_COMMENT: Final = 0xFE
_START_OF_SCAN: Final = 0xDA
_END: Final = b"\xff\xd9"
_IN_SCAN: Final = frozenset({0x00, *range(0xD0, 0xD8), 0xFF})
_SAYING: Final = frozenset({b"xml ", b"uuid", b"uinf", b"asoc"})
_BOX: Final = 8
_JP2: Final = b"\x00\x00\x00\x0cjP  "


class Malformed(Exception):
    """It is not in the form that it should have."""


def strip_jpeg(data: bytes) -> bytes:
    """The same picture without EXIF, XMP, IPTC, comments and whatever follows its end.

    Raises:
        Malformed: it is no JPEG.

    Source: ITU-T T.81, annex B.
    """
    if data[:2] != b"\xff\xd8":
        raise Malformed
    kept, at = [data[:2]], 2
    while True:
        while data[at : at + 2] == b"\xff\xff":  # fill bytes
            at += 1
        if data[at : at + 2] == _END:
            return b"".join([*kept, _END])
        if len(data) < at + 4 or data[at] != 0xFF:
            raise Malformed
        marker, end = data[at + 1], at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if end < at + 4 or end > len(data):
            raise Malformed
        if marker == _START_OF_SCAN:
            end = _end_of_scan(data, end)
        says = marker == _COMMENT or (0xE0 <= marker <= 0xEF and marker not in _KEPT_APPLICATION)
        if not says:
            kept.append(data[at:end])
        at = end


def _end_of_scan(data: bytes, at: int) -> int:
    """Where the next marker stands: in a scan 0xFF is followed by a zero, or begins a restart."""
    while (at := data.find(0xFF, at)) >= 0:
        after = data[at + 1 : at + 2]
        if after and after[0] not in _IN_SCAN:
            return at
        at += 1 if after == b"\xff" else 2
    raise Malformed


def strip_jpeg2000(data: bytes) -> bytes:
    """The same picture without boxes of XML, UUIDs and associations; a bare codestream has none.

    Raises:
        Malformed: a box is longer than the data.

    Source: ISO/IEC 15444-1, annex I.
    """
    if not data.startswith(_JP2):
        return data
    kept, at = [], 0
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16])
        elif size == 0:
            size = len(data) - at
        if size < _BOX or at + size > len(data):
            raise Malformed
        if kind not in _SAYING:
            kept.append(data[at : at + size])
        at += size
    return b"".join(kept)
