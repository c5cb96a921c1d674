"""Who may be entered already is proposed; who is surely another is not."""

from typing import Any

import pytest

from edge.store import Store
from edge.store.likeness import PROPOSED, Traits, likeness

from .conftest import Visit

ENTERED: dict[str, Any] = {"sex": "female", "birth": "1978-05-12", "phone": "06 12 34 56 78"}


def enter(store: Store, family: str, given: str, **more: object) -> bytes:
    visit = Visit()
    with store.write() as tx:
        visit.register(tx, family=family, given=given, **more)
    return visit.patient


@pytest.mark.parametrize(
    ("family", "given", "more"),
    [
        ("Alaoui", "Fatima", {}),
        ("ALAOUI", "fatima", {"sex": "female", "birth": "1978-05-12"}),
        ("Fatima", "Alaoui", {}),
        ("Alaoui", "Fatema", {"birth": "1978"}),
        ("Alaoui", "Fatima", {"birth": "1979"}),
        ("Alaoui", "Fatima", {"birth": "1978-12-05"}),
        ("Alaoui", "Fatma", {"sex": "unknown", "birth": "1977"}),
        ("El Alaoui", "Fadma", {"phone": "0612345678"}),
    ],
)
def test_who_may_be_the_same_is_proposed(store: Store, family: str, given: str, more: dict[str, str]) -> None:
    patient = enter(store, "Alaoui", "Fatima", **ENTERED)
    enter(store, "Benali", "Omar", sex="male")
    assert [each.patient for each in store.likely_patients(Traits(family, given, **more))] == [patient]


@pytest.mark.parametrize(
    ("family", "given", "more"),
    [
        ("Alaoui", "Fatima", {"sex": "male"}),
        ("Alaoui", "Fatima", {"birth": "1950"}),
        ("Alaoui", "Fatima", {"birth": "2001-05-12"}),
        ("Alaoui", "Khadija", {}),
        ("Tazi", "Fatima", {}),
        ("Tazi", "Omar", {"phone": "0612345678"}),
        ("...", "'", {}),
    ],
)
def test_who_is_another_is_not(store: Store, family: str, given: str, more: dict[str, str]) -> None:
    enter(store, "Alaoui", "Fatima", **ENTERED)
    assert store.likely_patients(Traits(family, given, **more)) == []


def test_arabic_names_are_compared_in_their_one_spelling(store: Store) -> None:
    patient = enter(store, "العلوي", "فاطمة")
    assert [each.patient for each in store.likely_patients(Traits("العلوى", "فاطمه"))] == [patient]


def test_the_likeliest_come_first_and_no_more_than_a_glance(store: Store) -> None:
    for given in ("Fatima", "Fatema", "Fatma", "Fatina", "Fatiha", "Fatime", "Fatimo"):
        enter(store, "Alaoui", given)
    found = store.likely_patients(Traits("Alaoui", "Fatima"))
    assert len(found) == PROPOSED
    assert found[0].given == "Fatima"


def test_it_does_not_matter_who_is_asked_about_whom() -> None:
    one, other = Traits("Alaoui", "Fatima", birth="1978"), Traits("Alaouy", "Fatema", birth="1979-01-01")
    assert likeness(one, other) == pytest.approx(likeness(other, one), abs=0.05)
    assert likeness(one, one) == 1.0
