"""The sheet of paper that a patient takes home: who, what was measured, what was before, a strip of ECG."""

from typing import Final

from edge.i18n import catalogue
from edge.i18n.catalogue import Catalogue
from edge.reports import facts as of
from edge.reports import strip
from edge.reports.facts import Facts, Row, Trend
from edge.reports.page import BLACK, GREY, Colour, Page

LANGUAGES: Final = catalogue.LANGUAGES
_MIRRORED: Final = frozenset({"ar"})
_QR_MM: Final = 24.0
_BAND: Final[Colour] = (0.2, 0.2, 0.2)
_WHITE: Final[Colour] = (1, 1, 1)
_VALUE_PT: Final = 11.0
_CHART_MM: Final = 20.0
_FOOT_MM: Final = 16.0


def draw(facts: Facts, *, language: str, paper: str) -> bytes:
    """The sheet as PDF.

    Args:
        facts: what `visit.sheet` answered.
        language: one that there is a catalogue of.
        paper: ``a5`` or ``a4``.

    Raises:
        LanguageUnknown: there is no such catalogue.
    """
    word = catalogue.load(language)
    page = Page(paper, mirrored=language in _MIRRORED, title=word("sheet.title"))
    _head(page, facts, word)
    _values(page, of.rows(facts, word), word)
    _before(page, facts, of.trends(facts, word), word)
    if facts["strip"] is not None:
        strip.draw(page, facts["strip"], word)
    _foot(page, facts, word)
    return page.done()


def _head(page: Page, facts: Facts, word: Catalogue) -> None:
    if facts["realm"] != "production":
        page.box(0, page.y, page.width, 7, _BAND)
        page.y += 1.5
        page.text(3, word("header.training"), 11, bold=True, colour=_WHITE)
        page.y += 7
    top = page.y
    page.qr(facts["visit"]["encounter"], _QR_MM)
    room = page.width - _QR_MM - 2
    record = facts["record"]
    page.text(0, word("sheet.title"), 14, bold=True, within=room)
    page.y += 6.5
    site = facts["visit"]["site"]
    where = word("sheet.unit", unit=facts["unit"]) + (f" · {site}" if site else "")
    page.text(0, f"{of.day(facts['visit']['opened_ms'])} · {where}", 9, colour=GREY, within=room)
    page.y += 6
    latin = f"{record['family']} {record['given']}".strip()
    arabic = f"{record['family_arabic']} {record['given_arabic']}".strip()
    for name in dict.fromkeys(name for name in (latin, arabic) if name):
        page.text(0, name, 12, bold=True, within=room)
        page.y += 5.5
    born = of.birth(record["birth"], estimated=record["birth_estimated"])
    page.text(0, f"{word('sex.' + record['sex'])} · {word('sheet.born')} {born}", 9, within=room)
    page.y += 4.5
    numbers = " · ".join(f"{each['system'].upper()} {each['value']}" for each in record["identifiers"])
    if numbers:
        page.text(0, numbers, 9, within=room)
        page.y += 4.5
    page.y = max(page.y, top + _QR_MM) + 1.5
    page.rule(page.y)
    page.y += 2


def _values(page: Page, rows: list[Row], word: Catalogue) -> None:
    name, value, time = 0.0, page.width * 0.37, page.width * 0.68
    origin = page.width * 0.78
    if not rows:
        page.text(0, word("sheet.nothing"), 10)
        page.y += 6
    for row in rows:
        notes = page.lines(row.notes, 7, page.width - value)
        if page.left_mm < _FOOT_MM + 6 + 3.5 * len(notes):
            page.next()
        page.text(name, row.label, 9, within=value - 2, beside=_VALUE_PT)
        size = _VALUE_PT if row.measured else 9
        page.text(value, row.value, size, bold=row.measured, within=time - value - 2, beside=_VALUE_PT)
        page.text(time, row.time, 8, colour=GREY, within=origin - time - 1, beside=_VALUE_PT)
        page.text(origin, row.origin, 7, colour=GREY, beside=_VALUE_PT)
        page.y += 4.6
        for line in notes:
            page.text(value, line, 7, colour=GREY)
            page.y += 3.4
        page.y += 0.6
    page.rule(page.y + 0.5)
    page.y += 3


def _before(page: Page, facts: Facts, trends: list[Trend], word: Catalogue) -> None:
    """What earlier visits gave, as small curves; that there is more at the centre is never left unsaid."""
    if facts["earlier_at_centre"]:
        page.text(0, word("sheet.earlier-at-centre"), 7.5, colour=GREY)
        page.y += 4.5
    if not trends:
        return
    if page.left_mm < _FOOT_MM + _CHART_MM + 12:
        page.next()
    page.text(0, word("sheet.before"), 8, bold=True)
    page.y += 5
    wide = page.width / of.MOST_TRENDS
    for place, trend in enumerate(trends):
        _chart(page, place * wide, wide - 4, trend, word)
    page.y += _CHART_MM + 7


def _chart(page: Page, x: float, width: float, trend: Trend, word: Catalogue) -> None:
    points = [point for curve in trend.curves for point in curve]
    first, last = min(at for at, _ in points), max(at for at, _ in points)
    low, high = min(value for _, value in points), max(value for _, value in points)
    span = float(high - low) or 1.0
    page.label(x, page.y + 2, f"{trend.label} {trend.unit}", 6.5, bold=True)
    top, bottom = page.y + 6.5, page.y + _CHART_MM
    page.line([(x, bottom + 1), (x + width, bottom + 1)], GREY, 0.15)
    for curve in trend.curves:
        drawn = [
            (
                x + 2 + (width - 10) * (at - first) / max(1, last - first),
                bottom - (bottom - top) * float(value - low) / span,
            )
            for at, value in curve
        ]
        page.line(drawn, BLACK, 0.25)
        for at_x, at_y in drawn:
            page.box(at_x - 0.5, at_y - 0.5, 1, 1, BLACK)
        for (at_x, at_y), (_, value) in zip((drawn[0], drawn[-1]), (curve[0], curve[-1]), strict=True):
            page.label(at_x - 1.5, at_y - 1.2, of.number(value, word), 6.5)
    page.label(x, bottom + 4, of.day(first), 6)
    page.label(x + width - 14, bottom + 4, of.day(last), 6)


def _foot(page: Page, facts: Facts, word: Catalogue) -> None:
    said = [
        word(
            "sheet.made",
            when=f"{of.day(facts['made_ms'])} {of.minute(facts['made_ms'])}",
            who=facts["made_by"],
        ),
        word("sheet.no-diagnosis"),
    ]
    if of.clock_in_doubt(facts):
        said.append(word("sheet.clock"))
    lines = [line for each in said for line in page.lines(each, 7, page.width)]
    if page.left_mm < 2 + 3.4 * len(lines):
        page.next()
    page.y += max(0.0, page.left_mm - 2 - 3.4 * len(lines))
    page.rule(page.y)
    page.y += 1.5
    for line in lines:
        page.text(0, line, 7, colour=GREY)
        page.y += 3.4
