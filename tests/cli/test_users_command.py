"""`qafila users …` says and does the same with and without an agent."""

import asyncio
import json
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from typing import Any, Self

import pytest

from edge.config import Places
from edge.localapi.client import connect
from tests.cli.test_commands import agent, error_of
from tests.cli.units import PIN, make_unit, qafila_here

NEW, OTHER = "739164", "604827"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_unit(tmp_path / "van")


def users(home: Path, *words: str, by: str | None = "fatima", pins: tuple[str, ...] = (PIN,)) -> Any:  # noqa: ANN401  as wide as JSON
    signed = () if by is None else ("--by", by)
    done = qafila_here(
        "users", *words, *signed, "--pin-stdin", "--json", stdin="".join(f"{p}\n" for p in pins), home=home
    )
    return json.loads(done.stdout) if done.returncode == 0 else error_of(done)["code"]


def status(home: Path) -> Any:  # noqa: ANN401  as wide as JSON
    return json.loads(qafila_here("status", "--json", home=home).stdout)


def test_a_command_leaves_the_store_as_it_found_it_and_the_day_can_be_closed(home: Path) -> None:
    with agent(home):
        assert len(users(home, "list")) == 1
        assert status(home)["locked"] is True
        with SyncSession(home) as session:
            session.sign_in("fatima", PIN)
            assert len(users(home, "list")) == 1
            assert status(home)["locked"] is False
        done = qafila_here("store", "lock", "--user", "fatima", "--pin-stdin", stdin=PIN + "\n", home=home)
        assert done.returncode == 0, done.stderr
        assert status(home)["locked"] is True


class SyncSession:
    """A screen that stays: one connection, open until the end."""

    def __init__(self, home: Path) -> None:
        self._loop = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._socket = Places.at(home).socket

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run(self._stack.aclose())
        self._loop.close()

    def sign_in(self, user: str, pin: str) -> None:
        async def sign_in() -> None:
            api = await self._stack.enter_async_context(connect(self._socket))
            await api.call("sign-in", user=user, pin=pin)

        self._loop.run(sign_in())


@pytest.mark.parametrize("running", [False, True])
def test_people_come_change_and_go(home: Path, *, running: bool) -> None:
    with agent(home) if running else nullcontext():
        added = users(home, "add", "amina", "--role", "nurse", pins=(PIN, NEW))
        assert added == {"user": "amina", "name": "amina", "role": "nurse"}
        assert users(home, "add", "amina", pins=(PIN, NEW)) == "user-exists"
        assert users(home, "add", "omar", pins=(PIN, "omar2026")) == "pin-too-weak"
        assert users(home, "pin", "amina", pins=(PIN, OTHER)) == {"user": "amina"}
        assert users(home, "pin", "amina", by=None, pins=(NEW, OTHER)) == "wrong-pin"
        assert users(home, "pin", "amina", by=None, pins=(OTHER, NEW)) == {"user": "amina"}
        assert users(home, "disable", "fatima", by="amina", pins=(NEW,)) == "not-allowed"
        assert users(home, "disable", "fatima") == "last-supervisor"
        assert users(home, "role", "amina", "technician") == {"user": "amina", "role": "technician"}
        assert users(home, "disable", "amina") == {"user": "amina"}
        assert users(home, "list", by="amina", pins=(NEW,)) == "wrong-pin"
        assert [(each["user"], each["role"], each["disabled"]) for each in users(home, "list")] == [
            ("fatima", "supervisor", False),
            ("amina", "technician", True),
        ]
    assert (
        "(technician)"
        in qafila_here("users", "list", "--by", "fatima", "--pin-stdin", stdin=PIN + "\n", home=home).stdout
    )


def test_the_second_copy_of_the_secret_opens_the_unit_and_is_asked_for(home: Path, tmp_path: Path) -> None:
    second = tmp_path / "other medium" / "device.secret"
    refused = qafila_here("unit", "copy-secret", str(second), "--json", home=home)
    assert error_of(refused)["code"] == "security-not-saved", "no folder is made where no medium is mounted"
    second.parent.mkdir()
    assert json.loads(qafila_here("unit", "show", "--json", home=home).stdout)["notes"] == [
        "secret-copy-not-made"
    ]
    made = qafila_here("unit", "copy-secret", str(second), "--json", home=home)
    assert json.loads(made.stdout) == {"device_secret_copy": str(second)}, made.stderr
    assert error_of(qafila_here("unit", "copy-secret", str(second), "--json", home=home))["code"]
    Places.at(home).device_secret.unlink()
    assert json.loads(qafila_here("unit", "show", "--json", home=home).stdout)["notes"] == []
    with agent(home):
        assert [each["user"] for each in users(home, "list")] == ["fatima"]
        assert set(status(home)["notes"]) <= {"swap-on"}
    second.unlink()
    assert users(home, "list") == "device-secret-missing"
