"""Draws docs/images/capture.svg, the picture of the screen in the README.

    python docs/make_picture.py            writes it
    python docs/make_picture.py --check    fails when what stands there is out of date

The patient, the numbers and the signals are made up.
"""

import asyncio
import os
import re
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "capture.svg"
SIZE = (120, 36)


def fixed_environment() -> None:
    """The same terminal everywhere; Textual reads it when it is imported."""
    os.environ.update(
        TERM="xterm-256color", COLORTERM="truecolor", TZ="Etc/GMT-1", TEXTUAL_ANIMATIONS="none"
    )
    os.environ.pop("NO_COLOR", None)
    time.tzset()


async def draw() -> str:
    """The capture screen as SVG."""
    from tests.tui.tui_stage import app, measuring

    screen = app(language="en")
    async with screen.run_test(size=SIZE) as pilot:
        await measuring(pilot)
        picture = screen.export_screenshot(title="qafila tui")
    return re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)  # a picture asks no server for fonts


def main() -> None:
    sys.path.insert(0, str(ROOT))
    fixed_environment()
    picture = asyncio.run(draw())
    if "--check" not in sys.argv:
        PICTURE.write_text(picture, encoding="utf-8")
    elif picture != PICTURE.read_text(encoding="utf-8"):
        sys.exit(f"{PICTURE.relative_to(ROOT)} is out of date. Next: python docs/make_picture.py")


if __name__ == "__main__":
    main()
