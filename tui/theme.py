"""Colours, and what they mean. Position and words always say the same: colour alone never does.

Contrast on black: green 12.6, cyan 11.4, white 21, yellow 14.9, grey 8.1, white on red 5.6. Green and orange
look alike to a deuteranope, so temperature is magenta.
"""

from functools import cache
from typing import Final

from rich.style import Style
from textual.theme import Theme

BLACK: Final = "#000000"
WHITE: Final = "#ffffff"
LABEL: Final = "#90a4ae"
GREY: Final = "#6f7f87"
HEART: Final = "#00e676"
OXYGEN: Final = "#4dd0e1"
PRESSURE: Final = "#ffffff"
TEMPERATURE: Final = "#ff9df5"
BREATH: Final = "#ffd54f"
NOTICE: Final = "#ffd54f"
ALARM: Final = "#c62828"

THEME: Final = Theme(
    name="qafila",
    primary=OXYGEN,
    secondary=LABEL,
    warning=NOTICE,
    error="#ff8a80",
    success=HEART,
    accent=OXYGEN,
    foreground=WHITE,
    background=BLACK,
    surface=BLACK,
    panel=BLACK,
    dark=True,
)


@cache
def rich(colour: str, *, bold: bool = False) -> Style:
    """The style of a colour on black; every segment has one, for NO_COLOR's filter needs it."""
    return Style(color=colour, bgcolor=BLACK, bold=bold)


CSS: Final = f"""
Screen {{ color: {WHITE}; layout: vertical; }}
QafilaScreen {{ background: {BLACK}; }}
Box {{ background: {BLACK} 50%; }}
Input, OptionList {{
    border: round {LABEL}; background: {BLACK}; color: {WHITE}; padding: 0 1;
    scrollbar-size-vertical: 0;
}}
Input:focus, OptionList:focus {{ border: round {OXYGEN}; background-tint: {BLACK} 0%; }}
Input > .input--cursor {{ background: {WHITE}; color: {BLACK}; text-style: reverse; }}
Input > .input--placeholder {{ color: {LABEL}; }}
OptionList > .option-list--option-highlighted {{
    background: {WHITE}; color: {BLACK}; text-style: bold reverse;
}}
Register Input, Register Input:focus, AskScreen Input, AskScreen Input:focus, WholeSet Input,
WholeSet Input:focus {{
    border: none; height: 1; padding: 0; background: #263238;
}}
Register Input:focus, AskScreen Input:focus, WholeSet Input:focus {{
    background: #37474f; text-style: bold;
}}
CaptureScreen.medium #tiles TileView, CaptureScreen.large #tiles TileView {{
    height: 6; border: round {LABEL}; border-title-style: bold;
}}
TileView {{ border-title-color: {WHITE}; }}
.box {{ border: round {OXYGEN}; background: {BLACK}; padding: 0 1; height: auto; }}
.title {{ color: {WHITE}; text-style: bold; }}
.label {{ color: {LABEL}; }}
.problem {{ color: {NOTICE}; text-style: bold; height: auto; }}
"""
