"""A page in millimetres from its upper left corner, in a language that is read from either side."""

import io
from collections.abc import Sequence
from importlib import resources
from typing import Any, Final

from reportlab.graphics.barcode.qrencoder import QRCode, QRErrorCorrectLevel
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from edge.i18n.shaping import shown

PAPERS: Final = {"a5": (148.0, 210.0), "a4": (210.0, 297.0)}
"""Width and height in mm."""
MARGIN: Final = 10
_FACES: Final = {False: "DejaVuSansCondensed", True: "DejaVuSansCondensed-Bold"}
_QUIET: Final = 4
"""Modules of white that a QR code needs around it (ISO/IEC 18004, 9.1)."""

_MM: Final = 72 / 25.4
"""Of a millimetre the points, in which PDF counts (ISO 32000-1, 8.3.2.3)."""
_POINT_MM: Final = 25.4 / 72 * 0.93
"""From the top of a line to its foot, for each point of its size."""

Colour = tuple[float, float, float]
BLACK: Final[Colour] = (0, 0, 0)
GREY: Final[Colour] = (0.35, 0.35, 0.35)


class Page:
    """Pages of one paper, written one after the other.

    Args:
        paper: ``a5`` or ``a4``.
        mirrored: whether lines begin at the right.
        title: of the document, without a name.

    Attributes:
        width: between the margins, in mm.
        y: where the next line begins, in mm from the top; for whoever draws to move.
    """

    def __init__(self, paper: str, *, mirrored: bool, title: str) -> None:
        self._paper = PAPERS[paper]
        self._mirrored = mirrored
        self._out = io.BytesIO()
        for face in _FACES.values():
            with resources.as_file(resources.files("edge.reports") / "fonts" / f"{face}.ttf") as path:
                pdfmetrics.registerFont(TTFont(face, str(path)))
        self._canvas: Any = Canvas(
            self._out, pagesize=(self._paper[0] * _MM, self._paper[1] * _MM), invariant=1
        )
        self._canvas.setTitle(title)
        self._canvas.setViewerPreference("PrintScaling", "None")  # else the ECG's scale is the printer's
        self.width: Final = self._paper[0] - 2 * MARGIN
        self.y: float = MARGIN

    @property
    def left_mm(self) -> float:
        """What is free under `y`."""
        return self._paper[1] - MARGIN - self.y

    def next(self) -> None:
        """Begin another page."""
        self._canvas.showPage()
        self.y = MARGIN

    def done(self) -> bytes:
        """The document."""
        self._canvas.save()
        return self._out.getvalue()

    # ── text ─────────────────────────────────────────────────────────────────────────────────────

    def text(
        self,
        x: float,
        text: str,
        size: float = 9,
        *,
        bold: bool = False,
        colour: Colour = BLACK,
        within: float | None = None,
        beside: float | None = None,
    ) -> None:
        """One line, its top at `y`, beginning ``x`` mm from the side where lines begin.

        Made smaller until it is ``within`` so many mm: what does not fit is never cut.
        ``beside``: text of this size stands in the same line, and both stand on one foot.
        """
        drawn = shown(text, begins_right=self._mirrored)
        room = self.width - x if within is None else within
        face = _FACES[bold]
        wide = self._wide(drawn, face, size)
        foot = self._from_bottom(self.y + (beside or size) * _POINT_MM)
        size = size if wide <= room else size * room / wide
        self._canvas.setFillColorRGB(*colour)
        self._canvas.setFont(face, size)
        from_left = self._paper[0] - MARGIN - x if self._mirrored else MARGIN + x
        draw = self._canvas.drawRightString if self._mirrored else self._canvas.drawString
        draw(from_left * _MM, foot, drawn)

    def lines(self, text: str, size: float, width: float) -> list[str]:
        """A text cut between words into lines of so many mm."""
        made: list[str] = []
        for each in text.split():
            longer = f"{made[-1]} {each}" if made else each
            if made and self._wide(shown(longer, begins_right=self._mirrored), _FACES[False], size) <= width:
                made[-1] = longer
            else:
                made.append(each)
        return made

    def _wide(self, drawn: str, face: str, size: float) -> float:
        return float(pdfmetrics.stringWidth(drawn, face, size)) / _MM

    # ── what is drawn; x in mm from the left margin whatever the language ────────────────────────

    def label(self, x: float, y: float, text: str, size: float, *, bold: bool = False) -> None:
        """A line of text that is never mirrored, its foot at ``y``."""
        self._canvas.setFillColorRGB(*BLACK)
        self._canvas.setFont(_FACES[bold], size)
        self._canvas.drawString(
            (MARGIN + x) * _MM, self._from_bottom(y), shown(text, begins_right=self._mirrored)
        )

    def beside(self, x: float, text: str, size: float, within: float) -> None:
        """Lines of text from ``x`` on, never mirrored: what stands beside something drawn."""
        for number, line in enumerate(self.lines(text, size, within)):
            self.label(x, self.y + size * _POINT_MM + number * size * 0.42, line, size)

    def rule(self, y: float, colour: Colour = GREY, wide_mm: float = 0.2) -> None:
        """A line across the page."""
        self.line([(0, y), (self.width, y)], colour, wide_mm)

    def line(self, points: Sequence[tuple[float, float]], colour: Colour, wide_mm: float) -> None:
        """A line through points."""
        path = self._canvas.beginPath()
        path.moveTo((MARGIN + points[0][0]) * _MM, self._from_bottom(points[0][1]))
        for x, y in points[1:]:
            path.lineTo((MARGIN + x) * _MM, self._from_bottom(y))
        self._canvas.setStrokeColorRGB(*colour)
        self._canvas.setLineWidth(wide_mm * _MM)
        self._canvas.setLineJoin(1)
        self._canvas.drawPath(path, stroke=1, fill=0)

    def box(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """A filled rectangle, its upper left corner at (x, y)."""
        self._canvas.setFillColorRGB(*colour)
        self._canvas.rect(
            *((MARGIN + x) * _MM, self._from_bottom(y + height), width * _MM, height * _MM), stroke=0, fill=1
        )

    def qr(self, text: str, side: float) -> None:
        """A QR code (ISO/IEC 18004) in the upper corner where lines end, its white border inside ``side``."""
        code = QRCode(None, QRErrorCorrectLevel.M)
        code.addData(text)
        code.make()
        count = code.getModuleCount()
        module = side / (count + 2 * _QUIET)
        x = 0.0 if self._mirrored else self.width - side
        for row in range(count):
            for column in range(count):
                if code.isDark(row, column):
                    place = (x + (column + _QUIET) * module, self.y + (row + _QUIET) * module)
                    self.box(*place, module * 1.02, module * 1.02, BLACK)  # a hair more: no white seams

    def _from_bottom(self, y: float) -> float:
        return (self._paper[1] - y) * _MM
