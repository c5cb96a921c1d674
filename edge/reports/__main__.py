"""``python -m edge.reports``: facts on standard input, a page on standard output; nothing touches a disk.

Input is one JSON object: ``facts`` (what `visit.sheet` answered), ``language``, ``paper``.
"""

import json
import sys

from edge.reports import sheet


def main() -> int:
    asked = json.load(sys.stdin)
    page = sheet.draw(asked["facts"], language=asked["language"], paper=asked["paper"])
    sys.stdout.buffer.write(page)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
