"""Facts of a sheet, made up: a woman of fifty with a cuff, an oximeter, a thermometer and a strap."""

import math
import uuid
from typing import Any

BASE_MS = 1_795_430_000_000
DAY_MS = 86_400_000
VISIT = str(uuid.UUID("0192f0c1-2345-7abc-8def-0123456789ab"))


def value(seq: int, code: str, said: str | None, unit: str, **other: Any) -> dict[str, Any]:  # noqa: ANN401  as wide as JSON
    return {
        "entry": ["van-07", "00" * 8, "vitals", seq],
        "code": code,
        "value": said,
        "unit": unit,
        "missing": None,
        "source": "device",
        "device": "cuff-1",
        "operator": "amina",
        "wall_ms": BASE_MS,
        "clock": "gnss",
        "device_time": None,
        "clock_off_s": None,
        "flags": (),
        "confirmed": None,
        "corrects": None,
    } | other


def strip(rate: int = 250, seconds: int = 10, millivolts: float = 1.0) -> dict[str, Any]:
    """A spike of so many millivolts once a second, 1 microvolt a count."""
    samples = [
        round(1000 * millivolts * math.exp(-(((at % rate) / rate - 0.5) ** 2) / 0.0004))
        for at in range(rate * seconds)
    ]
    return {
        "device": "strap-1",
        "source": "device",
        "lead": "I",
        "unit": "uV",
        "step": "1",
        "rate": str(rate),
        "wall_ms": BASE_MS + 60_000,
        "gaps": [],
        "flaws": [],
        "samples": samples,
    }


def facts(**other: Any) -> dict[str, Any]:  # noqa: ANN401  as wide as JSON
    observations = [
        value(1, "bp.sys", "142", "mm[Hg]"),
        value(2, "bp.dia", "91", "mm[Hg]"),
        value(3, "bp.map", "108", "mm[Hg]"),
        value(4, "pulse.nibp", "78", "/min"),
        value(5, "spo2", "97", "%", device="oximeter-1"),
        value(6, "temp", "39.9", "Cel", source="manual", device=None),
        value(7, "temp", "36.9", "Cel", source="manual", device=None, corrects=["00" * 8, 6]),
        value(8, "rr", None, "/min", missing="not-measured", device=None, source="manual"),
        value(
            9,
            "weight",
            "71.4",
            "kg",
            device="scale-1",
            flags=("from-memory",),
            device_time="2026-11-23T08:59:00",
        ),
        value(10, "glucose", "104", "mg/dL", device="meter-1", flags=("before-meal",)),
    ]
    earlier = [
        {
            "opened_ms": BASE_MS - days * DAY_MS,
            "values": {"bp.sys": s, "bp.dia": d, "weight": w, "glucose": g},
        }
        for days, s, d, w, g in ((30, "150", "95", "72.1", "118"), (91, "161", "99", "74.0", "131"))
    ]
    return {
        "unit": "UMMC-07",
        "realm": "production",
        "made_ms": BASE_MS + 120_000,
        "made_by": "Amina Berrada",
        "record": {
            "patient": str(uuid.UUID(int=7)),
            "revision": 1,
            "family": "Aït Lahcen",
            "given": "Fatima",
            "family_arabic": "أيت لحسن",
            "given_arabic": "فاطمة",
            "sex": "female",
            "birth": "1976-04",
            "birth_estimated": True,
            "phone": None,
            "village": "Tafraout",
            "identifiers": [{"system": "cin", "value": "JB482913"}],
            "merged_into": None,
        },
        "visit": {
            "encounter": VISIT,
            "patient": str(uuid.UUID(int=7)),
            "operator": "amina",
            "opened_ms": BASE_MS - 300_000,
            "closed_ms": None,
            "site": "Tafraout",
            "purged_ms": None,
            "observations": observations,
            "recordings": [],
        },
        "earlier": earlier,
        "earlier_at_centre": True,
        "strip": strip(),
    } | other
