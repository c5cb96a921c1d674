"""`central recover`: a code for a challenge that fits, in the log before anybody sees it."""

import json
from pathlib import Path

import pytest

from edge import recovery
from edge.errors import QafilaError
from edge.recovery import Reason
from sync.central import recover, setup
from sync.central.home import CentreHome
from sync.central.recover import Asked
from sync.wire.keyset import Use
from tests.sync.central_world import SetClock, Unit

KEY = bytes(range(32))
ASKED = Asked("van-07", "amina", "forgotten-pin", "hakim")


@pytest.fixture
def home(tmp_path: Path) -> CentreHome:
    made = CentreHome(tmp_path / "central")
    setup.init(made, "training")
    setup.enrol(made, Unit("van-07", made.read_keyset("training")).request(), SetClock())
    return made


def slot(home: CentreHome) -> recovery.RecoverySlot:
    [key] = home.read_keyset("training").of_use(Use.RECOVERY)
    return recovery.seal(key.key, "van-07", KEY)


def refused(home: CentreHome, asked: Asked, challenge: str, key: Path | None = None) -> str:
    with pytest.raises(QafilaError) as error:
        recover.answer(home, asked, challenge, key or home.recovery_key, SetClock())
    assert error.value.next_step
    assert not home.recoveries.exists()
    return error.value.stable_code


def test_the_code_opens_the_unit_and_the_call_is_logged(home: CentreHome) -> None:
    own = slot(home)
    challenge = recovery.challenge(own, "van-07", "amina", Reason.FORGOTTEN_PIN)
    away = home.recovery_key.rename(home.directory.parent / "safe.key")
    code = recover.answer(home, ASKED, challenge, away, SetClock())
    assert recovery.unseal(own, code, "van-07", "amina", Reason.FORGOTTEN_PIN) == KEY
    [line] = home.recoveries.read_text().splitlines()
    assert json.loads(line) == {
        "wall_ms": 1_800_000_000_000,
        "unit": "van-07",
        "user": "amina",
        "reason": "forgotten-pin",
        "by": "hakim",
    }
    assert code not in home.recoveries.read_text()
    assert home.recoveries.stat().st_mode & 0o777 == 0o600


def test_what_does_not_fit_is_refused_and_not_logged(home: CentreHome, tmp_path: Path) -> None:
    challenge = recovery.challenge(slot(home), "van-07", "amina", Reason.FORGOTTEN_PIN)
    assert refused(home, Asked("van-07", "omar", "forgotten-pin", "hakim"), challenge) == "challenge-refused"
    assert refused(home, Asked("van-07", "amina", "handover", "hakim"), challenge) == "challenge-refused"
    assert refused(home, Asked("van-99", "amina", "forgotten-pin", "hakim"), challenge) == "unit-unknown"
    assert refused(home, ASKED, challenge[:-1]) == "challenge-refused"
    (tmp_path / "other.key").write_bytes(recovery.make_private())
    assert refused(home, ASKED, challenge, tmp_path / "other.key") == "centre-key-wrong"
    (tmp_path / "junk.key").write_bytes(b"junk")
    assert refused(home, ASKED, challenge, tmp_path / "junk.key") == "centre-key-wrong"
    assert refused(home, ASKED, challenge, tmp_path / "missing.key") == "centre-key-missing"


def test_no_code_without_a_log(home: CentreHome) -> None:
    challenge = recovery.challenge(slot(home), "van-07", "amina", Reason.FORGOTTEN_PIN)
    home.recoveries.mkdir()
    with pytest.raises(QafilaError) as error:
        recover.answer(home, ASKED, challenge, home.recovery_key, SetClock())
    assert error.value.stable_code == "recovery-not-logged"
