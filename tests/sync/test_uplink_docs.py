import dataclasses
from pathlib import Path

from sync.uplink.settings import Patience

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "uplink.md").read_text()


def test_every_wait_is_documented() -> None:
    for field in dataclasses.fields(Patience):
        assert f"`{field.name}`" in PAGE, field.name
