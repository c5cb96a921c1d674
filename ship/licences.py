"""Under which licences what we ship may be, and what each package says of itself."""

import re
from collections.abc import Mapping
from importlib import metadata
from typing import Final

ALLOWED: Final = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "HPND", "ISC", "MIT", "MIT-0",
        "MIT-CMU", "MPL-2.0", "PSF-2.0", "Zlib", "blessing",
        # as wheels of their own, unchanged: whoever has the box may put another build in their place
        "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later",
    }
)  # fmt: skip
"""SPDX identifiers. Nothing under the GPL or AGPL is shipped."""

_CLASSIFIERS: Final[Mapping[str, str]] = {
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_READ: Final[Mapping[str, str]] = {
    "pyserial": "BSD-3-Clause",  # its LICENSE.txt; the metadata says BSD
    "python-bidi": "LGPL-3.0-or-later",  # its COPYING.LESSER; the classifier leaves the version out
    "reportlab": "BSD-3-Clause",  # its LICENSE; the metadata says BSD
    "sqlcipher3": "Zlib AND BSD-3-Clause AND blessing AND Apache-2.0",  # itself, SQLCipher, SQLite, OpenSSL
}
"""What the licence files say of packages whose metadata names none that can be read."""


class LicenceUnknown(Exception):
    """A package says of itself nothing that can be read; its licence file has to be looked at."""


def of(distribution: metadata.Distribution) -> str:
    """The licence of an installed package as an SPDX expression.

    Raises:
        LicenceUnknown: it names none.
    """
    said = distribution.metadata
    name = re.sub(r"[-_.]+", "-", said["Name"]).lower()
    if name in _READ:
        return _READ[name]
    if "License-Expression" in said:
        return said["License-Expression"]
    classifiers = said.get_all("Classifier") or []
    found = sorted({_CLASSIFIERS[each] for each in classifiers if each in _CLASSIFIERS})
    if len(found) == 1:
        return found[0]
    if "License" in said and said["License"].strip() in ALLOWED:
        return said["License"].strip()
    raise LicenceUnknown(f"{name} {distribution.version} names no licence that can be read")


def allowed(expression: str) -> bool:
    """Whether what is under this may be shipped: each side of AND must be allowed, one side of OR.

    Parentheses are not among what packages write; an expression with any is refused.
    """
    if "(" in expression:
        return False
    choices = [[part.strip() for part in each.split(" AND ")] for each in expression.split(" OR ")]
    return any(all(part in ALLOWED for part in choice) for choice in choices)
