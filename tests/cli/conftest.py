"""A PIN that is quick to try: what Argon2id costs is measured and held in tests/edge/security."""

import pytest

from edge.security import slots


@pytest.fixture(autouse=True)
def quick_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot remembers what it was made with: processes, too, open quickly what a test made."""
    monkeypatch.setattr(slots, "ARGON2", (1, 1, 64))
