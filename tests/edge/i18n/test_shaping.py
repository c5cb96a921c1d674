import unicodedata

import pytest

from edge.i18n.shaping import is_right_to_left, shown


def _plain(text: str) -> str:
    """Shaped text back to plain letters, by the character database, in the order in which it is read."""
    return "".join(unicodedata.normalize("NFKC", letter) for letter in reversed(text))


def test_latin_text_is_shown_as_it_is() -> None:
    text = "AÏT LAHCEN Fatima, SpO₂ 97 %, œdème"

    assert shown(text) is text
    assert not is_right_to_left(text)


@pytest.mark.parametrize("text", ["فاطمة", "ضغط الدم", "لالة عائشة"])
def test_letters_take_the_forms_of_their_neighbours_and_stand_from_right_to_left(text: str) -> None:
    drawn = shown(text)

    assert all("\ufe70" <= letter <= "\ufefc" or letter == " " for letter in drawn)
    assert _plain(drawn) == unicodedata.normalize("NFKC", text)


def test_numbers_and_units_among_arabic_words_keep_their_order() -> None:
    drawn = shown("ضغط الدم: 142/91 mmHg")

    assert drawn.startswith("mmHg 142/91 :")


def test_what_was_cut_off_an_arabic_name_is_its_end() -> None:
    assert _plain(shown("فاطمة"[:3])) == "فاط"
