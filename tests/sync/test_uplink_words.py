"""What the uplink notes of its link has words on the box, in every language."""

import pytest

from edge.i18n.catalogue import LANGUAGES, load
from sync.uplink.sentences import LINK


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_trouble_of_the_link_has_words(language: str) -> None:
    say = load(language)
    for code in LINK:
        sentence, next_step = say.error(code, "", "")
        assert sentence, code
        assert next_step, code


def test_in_english_they_are_the_log_s_own() -> None:
    say = load("en")
    for code, (sentence, next_step) in LINK.items():
        words = tuple(text.replace("’", "'") for text in say.error(code, ""))  # noqa: RUF001  the apostrophe of print
        assert words == (sentence, next_step)
