import dataclasses
from pathlib import Path

from sync.uplink.connection import SENTENCES
from sync.uplink.settings import Patience

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "uplink.md").read_text()


def test_every_code_and_every_wait_is_documented() -> None:
    for word in (*SENTENCES, *(field.name for field in dataclasses.fields(Patience))):
        assert f"`{word}`" in PAGE, word


def test_every_trouble_has_a_sentence_and_a_next_step() -> None:
    for sentence, next_step in SENTENCES.values():
        assert sentence.endswith(".")
        assert next_step.endswith(".")
