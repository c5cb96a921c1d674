"""Every cell of the permission table, asked of a real agent over its socket."""

import uuid
from pathlib import Path
from typing import Any, Final

import pytest

from edge.agent.permissions import (
    ALLOWED,
    PATIENT_TOPICS,
    WHILE_STOPPED,
    WITHOUT_SESSION,
    Role,
    may,
    may_follow,
)
from edge.localapi.client import connect
from edge.localapi.lines import read_fields
from edge.localapi.messages import METHODS
from edge.ports.caller import CallRefused
from tests.edge.agent.agent_world import Nurse, World

PINS: Final = {
    Role.SUPERVISOR: ("amina", "482913"),
    Role.NURSE: ("sami", "739154"),
    Role.TECHNICIAN: ("tariq", "615243"),
}
SOMEBODY = str(uuid.UUID(int=7))
TOPICS: Final = ("readings", "waves", "saved", "streams", "devices", "link")
FIELDS: Final[dict[str, dict[str, Any]]] = {
    "sign-in": {"user": "nobody", "pin": "000000"},
    "patient.register": {"family": "Benali", "given": "Zahra", "sex": "female"},
    "patient.likely": {"family": "Benali", "given": "Zahra", "sex": "female"},
    "patient.find": {"text": "ben"},
    "patient.export": {"patient": SOMEBODY, "reason": "patient-asked"},
    "patient.correct": {
        "patient": SOMEBODY,
        "revision": 1,
        "family": "Benali",
        "given": "Zahra",
        "sex": "female",
    },
    "patient.show": {"patient": SOMEBODY},
    "patient.trend": {"patient": SOMEBODY},
    "patient.consent": {"patient": SOMEBODY, "scope": "care", "decision": "given"},
    "patient.merge": {"patient": SOMEBODY, "duplicate": str(uuid.UUID(int=8)), "reason": "same card"},
    "patient.unmerge": {"duplicate": SOMEBODY, "reason": "two sisters"},
    "site.arrive": {"name": "Imilchil"},
    "encounter.open": {"patient": SOMEBODY},
    "encounter.close": {"encounter": SOMEBODY},
    "encounter.show": {"encounter": SOMEBODY},
    "visit.list": {"since_ms": 0},
    "visit.sheet": {"encounter": SOMEBODY},
    "waveform.read": {"waveform": SOMEBODY},
    "observe": {"encounter": SOMEBODY, "values": [{"code": "temp", "value": "36.9"}]},
    "observation.correct": {"encounter": SOMEBODY, "observation": 1, "value": "36.9", "reason": "misread"},
    "take": {"device": "no-device"},
    "alert.raise": {"patient": SOMEBODY, "code": "collapse"},
    "tray.assign": {"encounter": SOMEBODY, "observations": [1], "reason": "theirs"},
    "request.ask": {"patient": SOMEBODY, "specialty": "cardiology", "question": "?"},
    "request.show": {"request": SOMEBODY},
    "request.withdraw": {"request": SOMEBODY},
    "request.close": {"request": SOMEBODY},
    "request.attach": {"request": SOMEBODY},
    "attachment.bring": {"first": 0, "data": "AAAA"},
    "attachment.read": {"attachment": SOMEBODY},
    "inbox.read": {"message": SOMEBODY},
    "subscribe": {"topics": ["link"]},
    "users.add": {"user": "amina", "name": "Amina", "role": "nurse", "pin": "604827"},
    "users.pin": {"user": "nobody", "pin": "604827"},
    "users.role": {"user": "nobody", "role": "nurse"},
    "users.disable": {"user": "nobody"},
    "pin.change": {"pin": "000000", "new": "604827"},
    "recover.ask": {"user": "amina", "reason": "forgotten-pin"},
    "recover": {"user": "amina", "reason": "forgotten-pin", "code": "x", "pin": "604827"},
    "break-glass": {"reason": "nurse is ill", "minutes": 1},
    "device.pair": {"device": "new-1", "kind": "contec-cms50", "port": "/dev/null"},
    "device.passkey": {"device": "no-device", "passkey": None},
    "device.secret": {"device": "no-device", "secret": None},
    "recording.open": {"head": "AAAA"},
    "store.backup": {"into": "/nowhere"},
    **{
        f"device.{word}": {"device": "no-device"}
        for word in ("forget", "test", "listen", "record", "measure", "stop")
    },
}
"""Something to ask with, for methods that take anything. What becomes of it does not matter here."""
NO: Final = {"not-allowed", "sign-in-needed", "store-locked", "screen-locked"}


async def outcome(nurse: Nurse, method: str, **fields: Any) -> str:  # noqa: ANN401  as wide as JSON
    """The code of the refusal, or ``done``."""
    try:
        await nurse.api.call(method, **(fields or FIELDS.get(method, {})))
    except CallRefused as refused:
        return refused.stable_code
    return "done"


def test_there_is_something_to_ask_of_every_method() -> None:
    for method in METHODS:
        read_fields(method, FIELDS.get(method, {}))


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_may_what_the_table_says_and_nothing_else(world: World, role: Role) -> None:
    user, pin = PINS[role]
    seen: dict[str, str] = {}
    async with world.running():
        for method in METHODS:
            async with connect(world.socket) as api:
                nurse = Nurse(api)
                await nurse.ask("sign-in", user=user, pin=pin)
                seen[method] = await outcome(nurse, method)
    refused = {method for method, code in seen.items() if code == "not-allowed"}
    assert refused == {
        method for method in METHODS if method not in WITHOUT_SESSION and not may(role, method)
    }
    assert {code for method, code in seen.items() if method not in refused} & NO == set()
    assert len(refused) > 0


async def test_without_a_session_nothing_but_the_door_answers(world: World) -> None:
    async with world.running(), connect(world.socket) as api:
        stranger = Nurse(api)
        for method in METHODS:
            code = await outcome(stranger, method)
            assert (code == "store-locked") is (method not in WITHOUT_SESSION), method
        async with connect(world.socket) as other:
            await Nurse(other).ask("sign-in", user="amina", pin="482913")
            for method in METHODS:
                code = await outcome(stranger, method)
                assert (code == "sign-in-needed") is (method not in WITHOUT_SESSION), method


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_follows_what_the_table_says(world: World, role: Role) -> None:
    user, pin = PINS[role]
    async with world.nurse(user, pin) as nurse:
        for topic in TOPICS:
            code = await outcome(nurse, "subscribe", topics=[topic])
            assert code == ("done" if may_follow(role, topic) else "not-allowed"), topic
        assert may_follow(role, "readings") is (role is not Role.TECHNICIAN)


def test_the_security_page_shows_the_table() -> None:
    """What people read is what decides; after a change: python -m tests.edge.agent.test_agent_permissions."""
    text = PAGE.read_text(encoding="utf-8")
    assert put_into(text) == text


PAGE: Final = Path(__file__).parents[3] / "docs" / "security.md"
_BEGIN, _END = "<!-- permissions -->\n", "<!-- end of permissions -->"


def put_into(text: str) -> str:
    """The page with the table as it is."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    roles = list(Role)
    rows = [f"| what is asked | {' | '.join(roles)} |", "| --- |" + " --- |" * len(roles)]
    rows += [
        f"| `{method}` | " + " | ".join("yes" if role in allowed else "no" for role in roles) + " |"
        for method, allowed in sorted({**ALLOWED, **WHILE_STOPPED}.items())
    ]
    rows += [
        f"| events `{topic}` | "
        + " | ".join("yes" if may_follow(role, topic) else "no" for role in roles)
        + " |"
        for topic in TOPICS
    ]
    assert set(TOPICS) >= PATIENT_TOPICS
    return before + _BEGIN + "\n" + "\n".join(rows) + "\n\n" + _END + after


if __name__ == "__main__":
    PAGE.write_text(put_into(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
