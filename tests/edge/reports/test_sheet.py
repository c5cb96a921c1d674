"""The page as a browser's engine sees it: its words, its scale, and what it never says."""

import re
import subprocess
import sys

import pypdfium2
import pytest
from PIL import Image

from edge.i18n import catalogue
from edge.i18n.shaping import shown
from edge.reports import making, sheet
from edge.reports.facts import rows
from edge.reports.page import MARGIN, Page
from tests.edge.reports.sheet_facts import BASE_MS, DAY_MS, VISIT, facts, strip, value

DOTS_A_MM = 10


def words_of(page: bytes) -> str:
    document = pypdfium2.PdfDocument(page)
    return "\n".join(each.get_textpage().get_text_range() for each in document)


def picture_of(page: bytes, number: int = 0) -> Image.Image:
    drawn: Image.Image = pypdfium2.PdfDocument(page)[number].render(scale=DOTS_A_MM * 25.4 / 72).to_pil()
    return drawn.convert("RGB")


def black_below(picture: Image.Image, x: int, top: int) -> list[int]:
    """Where a column of the picture is black, in dots from the top of the page, below ``top``."""
    return [y for y in range(top, picture.height) if max(picture.getpixel((x, y))) < 60]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("language", "paper"), [*((each, "a5") for each in catalogue.LANGUAGES), ("fr", "a4")]
)
def test_every_value_of_the_visit_stands_on_the_sheet_with_its_unit(language: str, paper: str) -> None:
    said = words_of(sheet.draw(facts(), language=language, paper=paper))
    point = catalogue.load(language)("number.point")

    for text in ("142/91 (108) mmHg", "97 %", f"36{point}9 °C", f"71{point}4 kg", "104 mg/dL", "JB482913"):
        parts = text.split() if language != "ar" else re.findall(r"[^\s()]+", text)  # read back in any order
        assert all(part in said for part in parts), text
    assert f"39{point}9" not in said, "what was corrected is not a value any more"
    assert "Aït Lahcen Fatima" in said


def test_a_value_that_was_not_measured_has_its_reason_and_no_number() -> None:
    word = catalogue.load("en")
    (row,) = [row for row in rows(facts(), word) if row.label == "Respiratory rate"]

    assert (row.value, row.measured) == ("not measured", False)


def test_two_cuff_readings_stay_two_rows_in_the_order_in_which_they_were_taken() -> None:
    visit = facts()["visit"]
    again = [
        value(21, "bp.dia", "88", "mm[Hg]", wall_ms=BASE_MS + 60_000),
        value(20, "bp.sys", "138", "mm[Hg]", wall_ms=BASE_MS + 60_000),
    ]
    both = facts(visit=visit | {"observations": [*again, *visit["observations"]]})

    said = [row.value for row in rows(both, catalogue.load("en")) if row.label == "Blood pressure"]

    assert said == ["142/91 (108) mmHg", "138/88 mmHg"]


def test_the_curve_is_printed_at_its_true_scale() -> None:
    empty = facts()["visit"] | {"observations": []}
    alone = facts(strip=strip(millivolts=1.5), visit=empty, earlier=[], earlier_at_centre=False)
    picture = picture_of(sheet.draw(alone, language="en", paper="a5"))
    left, header = MARGIN * DOTS_A_MM, 50 * DOTS_A_MM

    # before the curve a pulse of 1 mV: a fifth of a second, 5 mm, from 1 to 6 mm, 10 mm high
    top = black_below(picture, left + int(3.5 * DOTS_A_MM), header)[0]
    foot = black_below(picture, left + int(6.5 * DOTS_A_MM), header)[0]
    assert foot - top == pytest.approx(10 * DOTS_A_MM, abs=2)
    # the curve's spikes stand a second apart, 25 mm, and are 1.5 mV high, 15 mm
    row = range(left + 9 * DOTS_A_MM, left + 60 * DOTS_A_MM)
    highest = {x: found[0] for x in row if (found := black_below(picture, x, foot - 16 * DOTS_A_MM))}
    summit = min(highest.values())
    summits = [x for x, y in highest.items() if y <= summit + 1]
    assert foot - summit == pytest.approx(15 * DOTS_A_MM, abs=3)
    assert summits[-1] - summits[0] == pytest.approx(25 * DOTS_A_MM, abs=5)


def test_what_is_no_voltage_is_not_drawn_as_if_it_were() -> None:
    said = words_of(sheet.draw(facts(strip=strip() | {"unit": "1"}), language="en", paper="a5"))

    assert "mm/mV" not in said


def test_a_swing_too_high_for_the_paper_is_drawn_at_half_the_gain_and_said_to_be() -> None:
    said = words_of(sheet.draw(facts(strip=strip(millivolts=4.5)), language="en", paper="a5"))

    assert "5 mm/mV" in said
    assert "10 mm/mV" not in said


def test_training_stands_on_top_and_production_never_does() -> None:
    band = catalogue.load("fr")("header.training")

    assert band in words_of(sheet.draw(facts(realm="training"), language="fr", paper="a5"))
    assert band not in words_of(sheet.draw(facts(), language="fr", paper="a5"))


def test_older_values_at_the_centre_are_never_left_unsaid() -> None:
    word = catalogue.load("en")
    told, untold = (
        words_of(sheet.draw(facts(earlier=[], earlier_at_centre=at), language="en", paper="a5"))
        for at in (True, False)
    )

    assert word("sheet.earlier-at-centre") in told
    assert word("sheet.earlier-at-centre") not in untold


def test_a_clock_that_nobody_kept_right_is_said() -> None:
    visit = facts()["visit"]
    doubtful = [each | {"clock": "rtc"} for each in visit["observations"]]
    said = words_of(sheet.draw(facts(visit=visit | {"observations": doubtful}), language="en", paper="a4"))

    assert catalogue.load("en")("sheet.clock").split(":")[0] in said


def test_a_long_visit_goes_on_on_the_next_page_with_nothing_lost() -> None:
    visit = facts()["visit"]
    many = [value(100 + n, "glucose", str(100 + n), "mg/dL", wall_ms=BASE_MS + n * 60_000) for n in range(60)]
    page = sheet.draw(facts(visit=visit | {"observations": many}), language="en", paper="a5")

    assert len(pypdfium2.PdfDocument(page)) > 1
    said = words_of(page)
    assert all(f"{100 + n} mg/dL" in said for n in range(60))


def test_names_longer_than_the_paper_are_made_smaller_and_never_cut() -> None:
    name = "Ben Abdelkader El Ouazzani El Idrissi " * 3
    record = facts()["record"] | {
        "family": name.strip(),
        "family_arabic": "بن عبد القادر الوزاني الإدريسي " * 3,
    }
    said = words_of(sheet.draw(facts(record=record), language="fr", paper="a5"))

    assert " ".join(name.split()) in " ".join(said.split())


def test_the_name_in_arabic_letters_is_shaped() -> None:
    page = sheet.draw(facts(), language="fr", paper="a5")
    characters = pypdfium2.PdfDocument(page)[0].get_textpage().get_text_range()

    assert "فاطمة" in characters or shown("فاطمة") in characters


def test_the_code_on_the_sheet_holds_the_visit_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[str] = []

    def note(_page: Page, text: str, _side: float) -> None:
        held.append(text)

    monkeypatch.setattr(Page, "qr", note)
    sheet.draw(facts(), language="fr", paper="a5")

    assert held == [VISIT]


def test_the_process_that_draws_takes_facts_on_a_pipe_and_gives_a_page() -> None:
    page = making.draw(facts(), language="en", paper="a5")

    assert page == sheet.draw(facts(), language="en", paper="a5"), "the same facts, the same page"


def test_facts_that_make_no_sheet_are_refused_in_a_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(making.SheetFailed) as refused:
        making.draw({"visit": {}}, language="en", paper="a5")

    assert refused.value.stable_code == "sheet-failed"
    assert capfd.readouterr().err == ""


def test_neither_agent_nor_screen_loads_what_draws() -> None:
    code = (
        "import sys, edge.agent.service, tui.app, edge.reports.making\n"
        "print([name for name in ('reportlab', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_curves_show_what_was_measured_before_and_now() -> None:
    earlier = [{"opened_ms": BASE_MS - 30 * DAY_MS, "values": {"weight": "74.0"}}]
    said = words_of(sheet.draw(facts(earlier=earlier), language="en", paper="a5"))

    assert "74.0" in said
    assert "Since earlier visits" in said
