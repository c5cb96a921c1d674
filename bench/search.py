"""Finding a patient among a hundred thousand, in an encrypted store, in two scripts."""

import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from edge.clock import SystemClock
from edge.records.fields import Field, Kind, Payload, Stream
from edge.store import Store

PATIENTS: Final = 100_000
_A_TRANSACTION: Final = 5000
_REPEATED: Final = 20
_FAMILIES: Final = (
    "Alaoui", "Benali", "El Idrissi", "Bennani", "Tazi", "Fassi", "Berrada", "Chraibi", "Amrani", "Lahlou",
    "Sebti", "Benjelloun", "Ouazzani", "Cherkaoui", "Mansouri", "Haddad", "Naciri", "Aït-Ali", "N'Guessan",
    "العلوي", "الإدريسي", "بناني", "التازي", "الفاسي", "برادة",
)  # fmt: skip
_GIVEN: Final = (
    "Fatima", "Aïcha", "Khadija", "Mohammed", "Ahmed", "Youssef", "Hassan", "Amina", "Zahra", "Omar", "Ali",
    "Ibrahim", "Saïd", "Rachid", "Naïma", "Hélène", "أحمد", "فاطمة", "محمد", "عائشة", "خديجة", "يوسف",
)  # fmt: skip
_VILLAGES: Final = ("Imilchil", "Tinghir", "Azilal", "Midelt", "Figuig", "Zagora", "Tata", "Agdz", "Anfgou")
ASKED: Final = (
    "a", "al", "alaoui", "b f", "ben ali", "benali fat", "el id", "tazi a im", "khadija b t",
    "imilchil fatima", "nguessan", "n'guessan h", "ait ali", "العلوي", "عل", "ب", "محمد ب", "فاطمة بن",
    "0612", "06 12 34", "AB12345", "zz", "xyzq", "fatima zagora alaoui",
)  # fmt: skip
"""What nurses type: one letter and more, both scripts, a phone number, an identifier, what nobody has."""


def run() -> list[dict[str, Any]]:
    """Every figure of this room."""
    with tempfile.TemporaryDirectory(prefix="qafila-bench-") as directory:
        path, key = Path(directory) / "store" / "qafila.db", os.urandom(32)
        store = Store.create(path, key, unit="van-07", realm="training", moment=SystemClock().now())
        _fill(store)
        store.close()
        store = Store.open(path, key)
        times = {text: [_timed(store, text) for _ in range(_REPEATED)] for text in ASKED}
        worst = max(ASKED, key=lambda text: statistics.median(times[text]))
        every = sorted(taken for each in times.values() for taken in each)
        size = path.stat().st_size / 1e6
        store.close()
    return [
        _row(f"search among {PATIENTS:,}, p50", statistics.median(every), "ms"),
        _row(f"search among {PATIENTS:,}, p95", every[len(every) * 95 // 100], "ms", "≤ 10"),
        _row(f"slowest words ({worst!r}), median", statistics.median(times[worst]), "ms"),
        _row(f"store of {PATIENTS:,} patients with journal and index", size, "MB"),
    ]


def _row(name: str, value: float, unit: str, goal: str = "") -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "unit": unit, "goal": goal}


def _fill(store: Store) -> None:
    dice = random.Random(7)  # noqa: S311  the same people every time
    for begin in range(0, PATIENTS, _A_TRANSACTION):
        with store.write() as tx:
            for number in range(begin, begin + _A_TRANSACTION):
                fields: Payload = {
                    Field.REVISION: 1,
                    Field.WALL_MS: number,
                    Field.FAMILY: dice.choice(_FAMILIES),
                    Field.GIVEN: dice.choice(_GIVEN),
                    Field.SEX: dice.choice(("female", "male")),
                    Field.BIRTH: str(dice.randint(1930, 2026)),
                    Field.VILLAGE: dice.choice(_VILLAGES),
                    Field.PHONE: f"06{dice.randrange(10**8):08d}",
                    Field.IDENTIFIERS: [["cnie", f"AB{number:06d}"]],
                }
                tx.append(Stream.VITALS, Kind.PATIENT, fields, patient=number.to_bytes(16))


def _timed(store: Store, text: str) -> float:
    began = time.perf_counter()
    store.find_patients(text)
    return (time.perf_counter() - began) * 1000
