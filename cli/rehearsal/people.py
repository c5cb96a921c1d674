"""Synthetic patients: names with the accents, apostrophes and scripts that break careless software.

Nobody here exists. Every text is at least seven bytes long, so that its encodings are long enough to be
searched for without meeting them by chance (`cli.rehearsal.scanner`).
"""

import dataclasses
import random
from typing import Final

_LATIN: Final = {
    "family": (
        "Aït-Ouakrim", "El M'hamdi", "D'Hérouville", "Ben'Aïssaoui", "N'Guessan-Koffi", "Benkiraneçou",
        "Œuvrard-Zaïdi", "Ould Sîd'Ahmed",
    ),
    "female": ("Zoé-Maëlle", "Fatima-Zahrâ", "Aïcha-Noûr", "Héloïse", "Kenza-Éléonore"),
    "male": ("François-Xavier", "Abd-el-Qâdir", "Noël-Idrîss", "Jérôme-Yûssef", "Anouâr-Éric"),
}  # fmt: skip
_ARABIC: Final = {
    "family": ("بن عيسى", "الإدريسي", "أيت أوعزيز", "المرّاكشي"),
    "female": ("فاطمة الزهراء", "أسماء-هاجر"),
    "male": ("عبد الرحمٰن", "إسماعيل"),
}
_NAMES: Final = (_LATIN, _LATIN, _ARABIC)
"""A name is in one script; one in three is in Arabic."""
_VILLAGE: Final = ("Tighza n'Aït Ouçama", "Oued-el-Qâhira", "دوار آيت مغلّي", "Imi-n'Oulaoûn")
IDENTIFIER_SYSTEM: Final = "cnie"


@dataclasses.dataclass(frozen=True, slots=True)
class Person:
    """One synthetic patient, in the fields of ``patient.register``."""

    family: str
    given: str
    sex: str
    birth: str
    identifier: str
    phone: str
    village: str

    @property
    def texts(self) -> tuple[str, ...]:
        """What must never be seen in the clear outside the centre."""
        return (self.family, self.given, self.identifier, self.phone, self.village)


def invent(rng: random.Random, count: int) -> list[Person]:
    """``count`` people, no two with one identifier or telephone number."""
    numbers = rng.sample(range(1_000_000), count)
    people: list[Person] = []
    for number in numbers:
        sex = rng.choice(("female", "male"))
        born = f"{rng.randint(1938, 2004)}"
        if rng.random() < 0.8:
            born += f"-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
        names = rng.choice(_NAMES)
        people.append(
            Person(
                family=rng.choice(names["family"]),
                given=rng.choice(names[sex]),
                sex=sex,
                birth=born,
                identifier=f"QZ{number:06}",
                phone=f"+212600{number:06}",
                village=rng.choice(_VILLAGE),
            )
        )
    return people
