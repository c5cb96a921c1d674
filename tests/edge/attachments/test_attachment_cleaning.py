"""What is taken of the files that people bring, what is left out, and what is refused."""

from io import BytesIO

import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter

from edge.agent.refusals import AttachmentRefused
from edge.agent.stripping import Cleaned, InMemory, clean
from edge.attachments import child, limits, segments
from edge.attachments.documents import clean_document
from edge.attachments.pictures import clean_picture
from edge.attachments.refused import Refused
from tests.edge.attachments.attachment_files import ACTIVE, SECRET, bomb, drawing, pdf, photo, stream


async def cleaned(raw: bytes) -> tuple[Cleaned, bytes]:
    """What the child makes of a file."""
    with InMemory() as given:
        given.append(raw)
        made = await clean(given)
    return made, made.file.read(0, made.size)


async def refusal(raw: bytes) -> str:
    with InMemory() as given:
        given.append(raw)
        with pytest.raises(AttachmentRefused) as refused:
            await clean(given)
    return refused.value.stable_code


# ── what comes out ───────────────────────────────────────────────────────────────────────────────


async def test_of_a_photo_only_the_picture_is_kept_the_right_way_up() -> None:
    raw = photo(turned=True)
    assert raw.count(SECRET) == 4
    made, out = await cleaned(raw)
    assert (made.media, made.size, made.hash) == (limits.JPEG, len(out), made.file.digest())
    assert SECRET not in out
    assert b"Exif" not in out
    picture = Image.open(BytesIO(out))
    assert picture.size == (48, 64)
    corner = picture.convert("RGB").getpixel((40, 5))  # the red quarter, upper left, now upper right
    assert isinstance(corner, tuple)
    assert corner[0] > 200
    assert max(corner[1:]) < 60


async def test_of_a_document_only_the_pages_are_kept() -> None:
    raw = pdf(
        root=b"/Metadata 6 0 R /Lang (SECRET) /PageLabels << /Nums [0 << /P (SECRET) >>] >>",
        page=b"/PieceInfo << /X (SECRET) >> /LastModified (SECRET) /Metadata 6 0 R /Annots [<< /Subtype /Text"
        b" /Rect [0 0 9 9] /T (SECRET) /M (SECRET) /Contents (seen) /A << /S /URI /URI (http://SECRET) >> >>]"
        b" /Resources << /XObject << /P 7 0 R >> >>",
        more={
            6: stream(b"/Type /Metadata /Subtype /XML", b"<x>SECRET</x>"),
            7: stream(
                b"/Type /XObject /Subtype /Image /Width 64 /Height 48 /BitsPerComponent 8"
                b" /ColorSpace /DeviceRGB /Filter /DCTDecode",
                photo(),
            ),
        },
    )
    made, out = await cleaned(raw + b"\n% SECRET behind the end\n")
    assert made.media == limits.PDF
    assert SECRET not in out
    [page] = PdfReader(BytesIO(out), strict=True).pages
    drawn = page.get_contents()
    assert drawn is not None
    assert b"0 0 m 9 9 l S" in drawn.get_data()
    [note] = page.annotations or []
    assert dict(note.get_object())["/Contents"] == "seen"
    [image] = page.images
    assert image.image is not None
    assert image.image.size == (64, 48)


@pytest.mark.parametrize(
    "said",
    [
        b"/Subtype /Image /Filter 8 0 R",
        b"/Subtype /Image /Filter [9 0 R]",
        b"/Subtype 7 0 R /Filter /DCTDecode",
        b"/Subtype /Image /Filter /DCT",
    ],
)
def test_a_picture_in_a_document_says_nothing_however_it_is_described(said: bytes) -> None:
    keys = b"/Type /XObject /Width 64 /Height 48 /BitsPerComponent 8 /ColorSpace /DeviceRGB "
    page = (
        b"/Resources << /XObject << /P 6 0 R >> >>"
        b" /Annots [<< /Type /Annot /Subtype /Text /T (SECRET) /Contents (seen) >>]"
        b" /Author (SECRET) /ID [(SECRET)] /Whatever << /Of (SECRET) >>"
    )
    more = {6: stream(keys + said, photo()), 7: b"/Image", 8: b"[9 0 R]", 9: b"/DCTDecode"}
    out = clean_document(pdf(page=page, more=more))
    assert SECRET not in out
    assert Image.open(BytesIO(out[out.index(b"\xff\xd8") :])).size == (64, 48)


def test_text_chunks_trailing_bytes_and_other_programs_stay_behind() -> None:
    raw = drawing(chunks={b"tEXt": b"Author\0SECRET", b"eXIf": b"MM\0*SECRET", b"teST": SECRET})
    out = clean_picture(raw + b"PK\x03\x04 SECRET.zip", limits.PNG)
    assert SECRET not in out
    assert Image.open(BytesIO(out)).tobytes() == Image.open(BytesIO(raw)).tobytes()
    polyglot = photo() + pdf()
    assert child.media_of(polyglot) == limits.JPEG
    assert b"%PDF" not in clean_picture(polyglot, limits.JPEG)
    before = clean_document(b"MZ SECRET\n" + pdf())
    assert before.startswith(b"%PDF-")
    assert SECRET not in before


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_keeps_its_picture(mode: str) -> None:
    image = Image.linear_gradient("L").resize((40, 30))
    image = image.convert("I").convert("I;16") if mode == "I;16" else image.convert(mode)
    raw = BytesIO()
    image.save(raw, "PNG")
    out = Image.open(BytesIO(clean_picture(raw.getvalue(), limits.PNG)))
    assert list(out.convert("RGBA").get_flattened_data()) == list(image.convert("RGBA").get_flattened_data())


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_written_anew_looks_as_before(mode: str) -> None:
    raw = photo(mode=mode)
    before, after = (
        Image.open(BytesIO(each)).convert("L").tobytes() for each in (raw, clean_picture(raw, limits.JPEG))
    )
    assert sum(abs(a - b) for a, b in zip(before, after, strict=True)) / (64 * 48) < 3


def test_colours_that_a_profile_explains_are_explained_before_it_goes() -> None:
    from PIL import ImageCms

    image = Image.new("RGB", (8, 8), (200, 40, 40))
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    raw = BytesIO()
    image.save(raw, "PNG", icc_profile=lab)
    out = Image.open(BytesIO(clean_picture(raw.getvalue(), limits.PNG)))
    assert "icc_profile" not in out.info
    assert out.getpixel((1, 1)) == (200, 40, 40)
    broken = BytesIO()
    image.save(broken, "PNG", icc_profile=b"no profile")
    assert Image.open(BytesIO(clean_picture(broken.getvalue(), limits.PNG))).getpixel((1, 1)) == (200, 40, 40)


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "attachment-empty"),
        (photo() + bytes(limits.MAX_BYTES), "attachment-too-large"),
        (b"MZ" + bytes(500), "attachment-kind"),
        (b"GIF89a" + bytes(500), "attachment-kind"),
        (b"<svg/>" * 400 + b"%PDF-1.4", "attachment-kind"),
        (bomb(), "attachment-pixels"),
        (bomb(6000), "attachment-damaged"),
        (photo()[:-300], "attachment-damaged"),
        (drawing()[:-40], "attachment-damaged"),
        (pdf()[:120], "attachment-damaged"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "attachment-damaged"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
async def test_a_file_that_is_no_picture_or_document_is_refused_with_its_reason(
    raw: bytes, code: str
) -> None:
    assert await refusal(raw) == code
    assert all(limits.SENTENCES[code])


@pytest.mark.parametrize("what", ACTIVE)
def test_a_document_that_acts_is_refused(what: str) -> None:
    with pytest.raises(Refused) as refused:
        clean_document(ACTIVE[what])
    assert refused.value.code == "attachment-active"


def test_documents_that_hide_something_or_are_endless_are_refused() -> None:
    writer = PdfWriter()
    writer.add_blank_page(99, 99)
    locked = BytesIO()
    writer.encrypt("password", algorithm="AES-256")
    writer.write(locked)
    form = pdf(page=b"/Annots [<< /Subtype /Widget /Rect [0 0 1 1] /FT /Tx /V (unseen) >>]")
    for raw, code in (
        (locked.getvalue(), "attachment-secret"),
        (form, "attachment-form"),
        (pdf(pages=limits.MAX_PAGES + 1), "attachment-pages"),
        (pdf(pages=0), "attachment-damaged"),
    ):
        with pytest.raises(Refused) as refused:
            clean_document(raw)
        assert refused.value.code == code


def test_a_document_that_only_forbids_printing_is_taken() -> None:
    writer = PdfWriter()
    writer.add_blank_page(99, 99)
    raw = BytesIO()
    writer.encrypt("", "owner", algorithm="AES-256")
    writer.write(raw)
    assert not PdfReader(BytesIO(clean_document(raw.getvalue()))).is_encrypted


def test_a_moving_picture_is_refused() -> None:
    frames = [Image.new("RGB", (9, 9), (number, 0, 0)) for number in (0, 99, 200)]
    raw = BytesIO()
    frames[0].save(raw, "PNG", save_all=True, append_images=frames[1:])
    with pytest.raises(Refused) as refused:
        clean_picture(raw.getvalue(), limits.PNG)
    assert refused.value.code == "attachment-moving"


async def test_a_child_that_meets_a_limit_ends_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.agent.stripping.WALL_S", 0.01)
    assert await refusal(photo()) == "attachment-costly"


async def test_the_child_is_given_no_environment_and_no_name_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge.agent.stripping._CHILD", "base64")
    assert await refusal(photo()) == "attachment-damaged", "whatever the child says that is no answer"


# ── pictures inside documents ────────────────────────────────────────────────────────────────────


def test_every_truncation_of_a_jpeg_is_refused_or_a_picture_without_words() -> None:
    raw = photo((16, 8))
    assert SECRET not in segments.strip_jpeg(raw + b"SECRET behind")
    for length in range(len(raw) - 1):
        with pytest.raises(segments.Malformed):
            segments.strip_jpeg(raw[:length])


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_what_follows_the_end_or_stands_between_scans_goes_and_the_picture_stays(
    options: dict[str, int],
) -> None:
    image, out = Image.effect_noise((64, 48), 50), BytesIO()
    image.save(out, "JPEG", **options)
    raw = out.getvalue()
    second_scan = raw.index(b"\xff\xda", raw.index(b"\xff\xda") + 2) if "progressive" in options else 2
    said = raw[:second_scan] + b"\xff\xfe\x00\x08SECRET" + raw[second_scan:] + photo()
    assert segments.strip_jpeg(said) == raw


def test_boxes_that_say_something_go() -> None:
    def box(kind: bytes, data: bytes) -> bytes:
        return (len(data) + 8).to_bytes(4) + kind + data

    picture = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 ") + box(b"jp2c", b"\xff\x4f picture")
    said = box(b"xml ", SECRET) + box(b"uuid", bytes(16) + SECRET)
    assert segments.strip_jpeg2000(said.join([picture[:24], picture[24:]])) == picture
    assert segments.strip_jpeg2000(b"\xff\x4f bare") == b"\xff\x4f bare"
    with pytest.raises(segments.Malformed):
        segments.strip_jpeg2000(picture[:-1])
