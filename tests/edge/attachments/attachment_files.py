"""Files as people bring them, and as somebody makes them who means harm."""

import struct
import zlib
from collections.abc import Mapping
from io import BytesIO

from PIL import Image
from PIL.ExifTags import IFD, Base

SECRET = b"SECRET"
"""Stands in everything that must not come out."""


def photo(size: tuple[int, int] = (64, 48), *, turned: bool = False, mode: str = "RGB") -> bytes:
    """A JPEG of a camera: maker, place, comment, thumbnail; the upper left is red."""
    image = Image.effect_noise(size, 20).convert(mode)
    image.paste(_red(mode), (0, 0, size[0] // 2, size[1] // 2))
    exif = Image.Exif()
    exif[Base.Make] = "SECRET camera"
    exif[Base.Orientation] = 6 if turned else 1
    exif.get_ifd(IFD.GPSInfo)[29] = "SECRET place"
    out = BytesIO()
    image.save(out, "JPEG", quality=90, exif=exif, comment=b"SECRET words", xmp=b"<x>SECRET</x>")
    return out.getvalue()


def _red(mode: str) -> tuple[int, ...] | int:
    if mode == "L":
        return 76
    return (0, 255, 255, 0) if mode == "CMYK" else (255, 0, 0)


def drawing(
    size: tuple[int, int] = (40, 30), mode: str = "RGBA", chunks: Mapping[bytes, bytes] = {}
) -> bytes:
    """A PNG with more chunks before its end."""
    out = BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(out, "PNG")
    raw = out.getvalue()
    more = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks.items()
    )
    return raw[:-12] + more + raw[-12:]


def bomb(side: int = 30_000) -> bytes:
    """A PNG that is small and decodes to gigabytes."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    parts = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


def pdf(
    *,
    page: bytes = b"",
    root: bytes = b"",
    more: Mapping[int, bytes] = {},
    info: bytes = b"/Author (SECRET)",
    pages: int = 1,
) -> bytes:
    """A document written by hand: 1 root, 2 pages, 3 the page, 4 its contents, 5 info, from 6 ``more``.

    Args:
        page: more keys of the page.
        root: more keys of the root.
        more: further objects by number.
        info: what the document says of itself.
        pages: how often the page stands in it.
    """
    drawn = b"0 0 m 9 9 l S % page"
    kids = b" ".join([b"3 0 R"] * pages)
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R " + root + b" >>",
        2: b"<< /Type /Pages /Kids [" + kids + b"] /Count %d >>" % pages,
        3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R " + page + b" >>",
        4: b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        5: b"<< " + info + b" >>",
        **more,
    }
    out, places = b"%PDF-1.4\n", {}
    for number, content in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % places[number] for number in sorted(places))
    size = max(places) + 1
    return (
        out
        + b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
        + b"trailer\n<< /Size %d /Root 1 0 R /Info 5 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(out))
    )


def stream(keys: bytes, data: bytes) -> bytes:
    """An object with data."""
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (keys, len(data), data)


ACTIVE: Mapping[str, bytes] = {
    "program on opening": pdf(root=b"/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >>"),
    "program of the document": pdf(root=b"/Names << /JavaScript << /Names [(a) 6 0 R] >> >>", more={
        6: b"<< /S /JavaScript /JS (x) >>"}),
    "program behind a page": pdf(page=b"/AA << /O << /S /JavaScript /JS 6 0 R >> >>", more={
        6: stream(b"", b"x")}),
    "program behind a field": pdf(page=b"/Annots [<< /Subtype /Widget /Rect [0 0 1 1] /A << /S /JavaScript "
        b"/JS (x) >> >>]"),
    "another file inside": pdf(root=b"/Names << /EmbeddedFiles << /Names [(a) 6 0 R] >> >>", more={
        6: b"<< /Type /Filespec /F (a.exe) /EF << /F 7 0 R >> >>", 7: stream(b"/Type /EmbeddedFile", b"MZ")}),
    "a file pinned to a page": pdf(page=b"/Annots [<< /Subtype /FileAttachment /Rect [0 0 1 1] >>]"),
    "something to start": pdf(page=b"/Annots [<< /Subtype /Link /Rect [0 0 1 1]"
        b" /A << /S /Launch /F (cmd) >> >>]"),
    "a form that is computed": pdf(root=b"/AcroForm << /XFA 6 0 R >>", more={6: stream(b"", b"<x/>")}),
    "a film": pdf(page=b"/Annots [<< /Subtype /RichMedia /Rect [0 0 1 1] >>]"),
}  # fmt: skip
