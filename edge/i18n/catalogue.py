"""Message codes to sentences.

A catalogue is a TOML file of this folder named by its language. Tables nest, so ``[error.wrong-pin]`` with
``sentence`` holds the code ``error.wrong-pin.sentence``. Blanks in braces are filled by name. A test holds
that every language has every code with the same blanks.
"""

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, ClassVar, Final

from edge.errors import QafilaError

LANGUAGES: Final = ("fr", "ar", "en")
"""The first is the default. Arabic stands in the order in which it is read; see `edge.i18n.shaping`."""


class LanguageUnknown(QafilaError):
    """There is no catalogue of this language."""

    code: ClassVar[str] = "language-unknown"


class Catalogue:
    """The sentences of one language.

    Args:
        language: ``fr``, ``ar`` or ``en``.
        sentences: text by dotted code.
    """

    def __init__(self, language: str, sentences: Mapping[str, str]) -> None:
        self.language = language
        self._sentences = dict(sentences)

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(self._sentences)

    def __call__(self, code: str, /, **blanks: object) -> str:
        """The sentence of a code; a code that is missing is shown as itself, never as nothing."""
        sentence = self._sentences.get(code)
        return code if sentence is None else sentence.format_map(blanks) if blanks else sentence

    def raw(self, code: str) -> str:
        """The sentence with its blanks in braces."""
        return self._sentences[code]

    def error(self, code: str, sentence: str, next_step: str = "") -> tuple[str, str]:
        """An error in this language; the words it came with where the catalogue does not know it."""
        if f"error.{code}.sentence" not in self._sentences:
            return sentence, next_step
        return self(f"error.{code}.sentence"), self._sentences.get(f"error.{code}.next", "")


def load(language: str) -> Catalogue:
    """The catalogue of a language.

    Raises:
        LanguageUnknown: there is none.
    """
    if language not in LANGUAGES:
        raise LanguageUnknown(
            f"There is no catalogue of the language {language!r}.",
            next_step=f"Choose one of {', '.join(LANGUAGES)}.",
        )
    text = resources.files("edge.i18n").joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return Catalogue(language, dict(_flat(tomllib.loads(text), "")))


def _flat(table: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        code = f"{prefix}{key}"
        found += _flat(value, f"{code}.") if isinstance(value, dict) else [(code, str(value))]
    return found
