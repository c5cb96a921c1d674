"""A PDF, its pages written anew: what acts is refused, what says who, when and where is left out.

In the child only. A new file is made of the pages alone, so whatever no page needs (what the document says
of itself, earlier versions, what stands before and behind) stays behind.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Final

from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    IndirectObject,
    NameObject,
    PdfObject,
    StreamObject,
)

from edge.attachments import segments
from edge.attachments.limits import MAX_PAGES
from edge.attachments.refused import Refused

MAX_OBJECTS: Final = 200_000
_ACTS: Final = frozenset({"/JS", "/EF", "/EmbeddedFiles", "/XFA", "/RichMediaContent"})
"""Keys of what brings a program or a file."""
_ACTIONS: Final = frozenset({"/JavaScript", "/Launch", "/Rendition", "/RichMediaExecute", "/GoToE"})
_ACTORS: Final = frozenset({"/FileAttachment", "/RichMedia", "/Screen", "/Movie", "/Sound", "/3D"})
_SAYING: Final = (
    *("/Metadata", "/PieceInfo", "/LastModified", "/Thumb", "/AA", "/OpenAction", "/CreatorInfo"),
    *("/DPart", "/StructTreeRoot"),
)
"""Keys of what says something beside the pages, wherever they stand."""
_OF_A_PAGE: Final = frozenset(
    {
        *("/Type", "/Parent", "/Resources", "/Contents", "/Annots", "/Group", "/Rotate", "/UserUnit"),
        *("/MediaBox", "/CropBox", "/BleedBox", "/TrimBox", "/ArtBox", "/Tabs"),
    }
)
"""What is seen of a page hangs on these (ISO 32000-1, table 30); any other key of one is left out."""
_SAYING_OF_NOTES: Final = (
    *("/A", "/T", "/M", "/CreationDate", "/NM", "/RC", "/Subj", "/Parent", "/TU", "/TM", "/PA", "/URI"),
)
"""Keys of what an annotation says beside what is seen of it, or does."""
_STRIPPED: Final = {"/DCTDecode": segments.strip_jpeg, "/JPXDecode": segments.strip_jpeg2000}
"""Filters whose data bring what a camera said."""
_KEPT_OF_THE_WHOLE: Final = "/OCProperties"
"""Which layers are seen."""


def clean_document(raw: bytes) -> bytes:
    """The same pages and nothing else.

    Raises:
        Refused: it acts, needs a password, has too many pages, or would look otherwise.
        Exception: it is damaged, in whatever way.
    """
    reader = PdfReader(BytesIO(raw), strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        raise Refused("attachment-secret")
    root = reader.trailer["/Root"].get_object()
    for each in _dictionaries(root):
        _refuse_what_acts(each)
    for each in list(_dictionaries(root)):  # before pages are copied: what they name is copied along
        _leave_out(each)
    count = len(reader.pages)
    if count > MAX_PAGES:
        raise Refused("attachment-pages")
    if not count:
        raise Refused("attachment-damaged")
    writer = PdfWriter()
    writer.pdf_header = "%PDF-1.7"
    for page in reader.pages:
        writer.add_page(page)
    if isinstance(root, DictionaryObject) and _KEPT_OF_THE_WHOLE in root:
        writer.root_object[NameObject(_KEPT_OF_THE_WHOLE)] = root[_KEPT_OF_THE_WHOLE].clone(writer)
    writer.metadata = None
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def _dictionaries(start: PdfObject | None) -> Iterator[DictionaryObject]:
    """Every dictionary and stream that is reached, each once."""
    waiting: list[PdfObject | None] = [start]
    seen: set[tuple[int, int]] = set()
    count = 0
    while waiting:
        each = waiting.pop()
        if isinstance(each, IndirectObject):
            place = (each.idnum, each.generation)
            if place in seen:
                continue
            seen.add(place)
            each = each.get_object()
        count += 1
        if count > MAX_OBJECTS:
            raise Refused("attachment-costly")
        if isinstance(each, DictionaryObject):
            yield each
            waiting += [each.raw_get(key) for key in each]
        elif isinstance(each, ArrayObject):
            waiting += list(list.__iter__(each))  # references unfollowed


def _refuse_what_acts(each: DictionaryObject) -> None:
    if _ACTS & each.keys() or each.get("/S") in _ACTIONS or each.get("/Type") == "/EmbeddedFile":
        raise Refused("attachment-active")
    if each.get("/Subtype") not in _ACTORS | {"/Widget"} or "/Rect" not in each:
        return
    if each.get("/Subtype") in _ACTORS:
        raise Refused("attachment-active")
    parent = each.get("/Parent")
    value = each.get("/V") or (parent.get("/V") if isinstance(parent, DictionaryObject) else None)
    if value is not None and "/AP" not in each:
        raise Refused("attachment-form")


def _leave_out(each: DictionaryObject) -> None:
    for key in _SAYING:
        each.pop(key, None)
    if str(_followed(each, "/Type")) == "/Page":
        for key in each.keys() - _OF_A_PAGE:
            del each[key]
    if "/Subtype" in each and ("/Rect" in each or each.get("/Type") == "/Annot"):
        for key in _SAYING_OF_NOTES:
            each.pop(key, None)
    if isinstance(each, StreamObject):
        _strip_image(each)


def _strip_image(image: StreamObject) -> None:
    """A camera's picture inside a page says as much as one outside."""
    filters = _followed(image, "/Filter")
    several = list[PdfObject](list.__iter__(filters)) if isinstance(filters, ArrayObject) else [filters]
    said = [str(name.get_object()) for name in several if name is not None]
    names = ArrayObject(NameObject("/DCTDecode" if name == "/DCT" else name) for name in said)
    last = str(names[-1]) if names else ""
    strip = _STRIPPED.get(last)
    if strip is None:
        return
    image[NameObject("/Filter")] = names
    try:
        data = strip(image.get_data())
    except segments.Malformed:
        raise Refused("attachment-damaged") from None
    image._data = data  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  set_data knows no such filter
    image[NameObject("/Filter")] = NameObject(last)
    parameters = _followed(image, "/DecodeParms")
    if isinstance(parameters, ArrayObject):
        del image["/DecodeParms"]
        if isinstance(own := parameters[-1], DictionaryObject):
            image[NameObject("/DecodeParms")] = own


def _followed(each: DictionaryObject, key: str) -> PdfObject | None:
    """What stands under a key, where it says so elsewhere: `get` gives the reference itself."""
    raw = each.raw_get(key) if key in each else None
    return None if raw is None else raw.get_object()
