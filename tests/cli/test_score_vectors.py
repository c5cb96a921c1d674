"""Every published row comes out of the rules as it is written there."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.score_inputs import read
from edge.scoring.rules import find

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "clinical" / "rules.json").read_text())
Z_TOLERANCE = 0.01


@pytest.mark.parametrize(
    "vector", VECTORS["vectors"], ids=lambda each: f"{each['rule']} {' '.join(each['values'])}"
)
def test_a_published_row_comes_out_as_written(vector: dict[str, Any]) -> None:
    rule = find(vector["rule"])
    result = rule.apply(read(rule, vector["values"]))
    for name, wanted in vector["expected"].items():
        found = getattr(result, name) if name in ("total", "band") else result.facts[name]
        if isinstance(wanted, float):
            tolerance = Z_TOLERANCE if vector["rule"] == "growth" else 0
            assert found is not None
            assert float(found) == pytest.approx(wanted, abs=tolerance), name
        else:
            assert found == wanted, name
