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

    assert drawn.startswith("142/91 mmHg :")


def test_what_was_cut_off_an_arabic_name_is_its_end() -> None:
    assert _plain(shown("فاطمة"[:3])) == "فاط"


@pytest.mark.parametrize("number", ["1978-05-12", "142/91", "09:40", "37,2", "97 %", "-3", "cuff-1", "F12"])
def test_a_number_after_arabic_letters_is_not_turned_round(number: str) -> None:
    assert number in shown(f"فاطمة {number} سنة")
    assert number in shown(f"{number} سنة", begins_right=True)


def test_brackets_are_turned_among_arabic_words_alone() -> None:
    assert shown("النبض (السوار)").startswith("(")
    assert shown("النبض (السوار)").count("(") == 1
    assert "SpO2 (97)" in shown("SpO2 (97) فاطمة")
    assert "BP (mean)" in shown("قيمة BP (mean) هنا")


def test_an_arabic_sentence_begins_at_the_right_whatever_its_first_word() -> None:
    assert shown("ECG: رجوع", begins_right=True).endswith(":ECG")


def test_the_name_of_god_stays_in_letters() -> None:
    assert "\ufdf2" not in shown("عبد الله")
