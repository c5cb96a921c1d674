"""Says in one sentence what is wrong with the Python that make found, before anything is installed."""

import sys

if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(
        f"Qafila needs Python 3.11, 3.12 or 3.13; this is {sys.version.split()[0]}. "
        "Next: make PYTHON=/path/to/python3.11 (code: python-version)"
    )
