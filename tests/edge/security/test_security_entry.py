"""PINs, the delay after wrong ones, the device secret, the one-agent lock, the process's memory."""

import errno
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edge.security import device_secret
from edge.security.errors import (
    AgentRunning,
    DeviceSecretDamaged,
    DeviceSecretExists,
    DeviceSecretMissing,
    PinTooWeak,
    SecretNotKept,
    TooManyAttempts,
)
from edge.security.exclusive import ExclusiveLock
from edge.security.lockout import FIRST_WAIT_S, Lockout, wait_after
from edge.security.pins import check_pin


@pytest.mark.parametrize("pin", ["482913", "9021745533", "correct horse", "قافلة الصحة", "a1b2c3d4"])
def test_a_good_pin_is_taken(pin: str) -> None:
    check_pin(pin)


@pytest.mark.parametrize(
    "pin",
    ["", "4829", "48291", "111111", "123456", "654321", "890123", "024680", "121212", "aaaaaaaa",
     "abcdefgh", "words",
     "pass123", "x" * 129],
)  # fmt: skip
def test_a_weak_pin_is_refused(pin: str) -> None:
    with pytest.raises(PinTooWeak) as refused:
        check_pin(pin)
    assert refused.value.next_step
    assert pin == "" or pin not in str(refused.value)


@pytest.mark.parametrize(
    "pin",
    ["123123", "482482", "123321", "456654", "112233", "998877", "121314", "010185", "850101", "310199",
     "19851985", "20241231", "31121999", "19902024", "147258", "159753", "789456", "246810"],
)  # fmt: skip
def test_what_people_who_know_the_user_try_first_is_refused(pin: str) -> None:
    with pytest.raises(PinTooWeak):
        check_pin(pin)


@pytest.mark.parametrize("pin", ["fatima12", "Zahra.2026", "zoé-zoé-zoé", "FATIMA FATIMA", "benali-1"])
def test_ones_own_name_is_no_passphrase(pin: str) -> None:
    with pytest.raises(PinTooWeak):
        check_pin(pin, "fatima.zahra", "Zoe Benali")
    check_pin("fatima drinks mint tea", "fatima.zahra", "Zoe Benali")


def test_few_pins_are_refused() -> None:
    """A person who makes one up is hardly ever told no: fewer than one in ten of all six digits."""
    refused = 0
    for number in range(0, 1_000_000, 97):
        try:
            check_pin(f"{number:06}")
        except PinTooWeak:
            refused += 1
    assert 0.02 < refused / (1_000_000 / 97) < 0.1


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def fail(lockout: Lockout, user: str, times: int, time: Time) -> None:
    for _ in range(times):
        time.now += lockout.wait_s(user)
        lockout.begin(user)


def test_the_delay_grows_and_ends() -> None:
    assert [wait_after(n) for n in range(9)] == [0, 0, 0, 0, 0, 2, 4, 8, 16]
    assert wait_after(13) == 512
    assert wait_after(14) == wait_after(10_000) == 900


def test_four_wrong_pins_are_free_the_fifth_waits(tmp_path: Path, time: Time) -> None:
    lockout = Lockout(tmp_path / "lockout", time)
    fail(lockout, "amina", 4, time)
    assert lockout.wait_s("amina") == 0
    lockout.begin("amina")
    assert lockout.wait_s("amina") == 2
    with pytest.raises(TooManyAttempts) as refused:
        lockout.begin("amina")
    assert refused.value.wait_s == 2
    time.now += 1.9
    assert lockout.wait_s("amina") == pytest.approx(0.1)
    time.now += 0.2
    lockout.begin("amina")
    assert lockout.wait_s("amina") == 4


def test_guessing_for_an_hour(tmp_path: Path, time: Time) -> None:
    lockout = Lockout(tmp_path / "lockout", time)
    fail(lockout, "amina", 5, time)
    begun, tries = time.now, 0
    while time.now < begun + 3600:
        time.now += lockout.wait_s("amina")
        lockout.begin("amina")
        tries += 1
    assert tries <= 13
    begun, tries = time.now, 0
    while time.now < begun + 3600:
        time.now += lockout.wait_s("amina")
        lockout.begin("amina")
        tries += 1
    assert tries <= 4


def test_the_right_pin_forgets_the_failures(tmp_path: Path, time: Time) -> None:
    lockout = Lockout(tmp_path / "lockout", time)
    fail(lockout, "amina", 7, time)
    lockout.succeeded("amina")
    assert lockout.wait_s("amina") == 0
    fail(lockout, "amina", 4, time)
    assert lockout.wait_s("amina") == 0


def test_a_restart_begins_the_wait_anew_and_never_shortens_it(tmp_path: Path, time: Time) -> None:
    fail(Lockout(tmp_path / "lockout", time), "amina", 9, time)
    for boot_s in (0.0, 5000.0):
        time.now = boot_s
        lockout = Lockout(tmp_path / "lockout", time)
        assert lockout.wait_s("amina") == 32
        with pytest.raises(TooManyAttempts):
            lockout.begin("amina")
        assert lockout.wait_s("said") == 0
        time.now += 32
        assert lockout.wait_s("amina") == 0


def test_an_attempt_counts_before_the_pin_is_tried(tmp_path: Path, time: Time) -> None:
    """Killed in the middle of Argon2, again and again: the failures are still counted."""
    for _ in range(6):
        lockout = Lockout(tmp_path / "lockout", time)
        time.now += lockout.wait_s("amina")
        lockout.begin("amina")
    assert Lockout(tmp_path / "lockout", time).wait_s("amina") == 4


def test_an_attempt_that_cannot_be_counted_is_not_made(
    tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    lockout = Lockout(tmp_path / "lockout", time)
    monkeypatch.setattr("edge.security.lockout.write_private", full)
    with pytest.raises(SecretNotKept):
        lockout.begin("amina")


@pytest.mark.parametrize("content", [b"", b"junk", b"[1]", b'{"a": "x"}', b"\xff\xfe", b'{"a": null}'])
def test_a_damaged_count_delays_everyone_once_and_locks_nobody_out(
    tmp_path: Path, time: Time, content: bytes
) -> None:
    (tmp_path / "lockout").write_bytes(content)
    lockout = Lockout(tmp_path / "lockout", time)
    assert lockout.wait_s("amina") == 2
    time.now += 2
    lockout.begin("amina")
    lockout.succeeded("amina")
    assert lockout.wait_s("amina") == 0
    assert Lockout(tmp_path / "lockout", time).wait_s("amina") == 0


def test_absurd_counts_wait_no_longer_than_the_longest(tmp_path: Path, time: Time) -> None:
    fail(Lockout(tmp_path / "lockout", time), "amina", 5, time)
    content = (tmp_path / "lockout").read_text()
    (tmp_path / "lockout").write_text(content.replace("5", "9" * 60, 1) if '"5' not in content else content)
    assert Lockout(tmp_path / "lockout", time).wait_s("amina") <= 900


def test_names_tried_out_do_not_fill_the_disk_and_are_not_written_down(tmp_path: Path, time: Time) -> None:
    lockout = Lockout(tmp_path / "lockout", time)
    for number in range(300):
        time.now += 1000
        lockout.begin(f"user-{number}")
    content = (tmp_path / "lockout").read_bytes()
    assert len(content) < 4096
    assert b"user" not in content
    assert lockout.wait_s("user-299") > 0
    assert stat.S_IMODE((tmp_path / "lockout").stat().st_mode) == 0o600


def test_a_device_secret_is_made_once_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "media" / "device.secret"
    secret = device_secret.make(path)
    assert len(secret) == 32
    assert device_secret.read(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(DeviceSecretExists):
        device_secret.make(path)
    assert device_secret.read(path) == secret
    assert device_secret.make(tmp_path / "other") != secret


def test_a_missing_device_secret(tmp_path: Path) -> None:
    for path in (tmp_path / "device.secret", tmp_path, tmp_path / "a" / "b"):
        with pytest.raises(DeviceSecretMissing) as refused:
            device_secret.read(path)
        assert refused.value.next_step


def test_every_flipped_bit_and_truncation_of_a_device_secret_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "device.secret"
    secret = device_secret.make(path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        try:  # the newline and the case of a hex digit carry nothing
            assert device_secret.read(path) == secret
        except DeviceSecretDamaged:
            continue
        assert whole[place : place + 1] in b"\n abcdef0123456789"
    for length in range(len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DeviceSecretDamaged):
            device_secret.read(path)
    path.write_bytes(whole * 100)
    with pytest.raises(DeviceSecretDamaged):
        device_secret.read(path)


def test_a_medium_that_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "media").write_text("a file where the medium should be")
    with pytest.raises(SecretNotKept):
        device_secret.make(tmp_path / "media" / "device.secret")


HOLD = """
import sys, time
from pathlib import Path
from edge.security.exclusive import ExclusiveLock
lock = ExclusiveLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_one_process_at_a_time_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "store" / "agent.lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(AgentRunning) as refused:
            ExclusiveLock(path)
        assert refused.value.next_step
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with ExclusiveLock(path) as lock:
        with pytest.raises(AgentRunning):
            ExclusiveLock(path)
        lock.release()
        lock.release()
    ExclusiveLock(path).release()


HARDEN = """
import resource, pathlib, ctypes, os
from edge.security.process import harden
print(harden(), resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
      pathlib.Path("/proc/self/environ").stat().st_uid)
"""


def test_a_hardened_process_dumps_no_memory() -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    said = subprocess.run([sys.executable, "-c", HARDEN], check=True, capture_output=True, text=True).stdout
    assert said.split() == ["True", "(0,", "0)", "0", "0"]
    assert resource.getrlimit(resource.RLIMIT_CORE) == before


def test_on_a_disk_that_takes_no_writes_attempts_are_counted_in_memory_and_wait_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [0.0]
    lockout = Lockout(tmp_path / "lockout", lambda: now_s[0])

    def dead(_path: Path, _content: bytes) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("edge.security.lockout.write_private", dead)
    lockout.begin("amina")
    lockout.succeeded("amina")
    assert lockout.wait_s("amina") == 0
    lockout.begin("amina")
    assert lockout.wait_s("amina") == FIRST_WAIT_S
    with pytest.raises(TooManyAttempts):
        lockout.begin("amina")
    now_s[0] = FIRST_WAIT_S
    lockout.begin("amina")
    assert lockout.wait_s("amina") == 2 * FIRST_WAIT_S


def test_on_a_full_disk_a_pin_that_cannot_be_counted_is_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("edge.security.lockout.write_private", full)
    with pytest.raises(SecretNotKept):
        Lockout(tmp_path / "lockout", lambda: 0.0).begin("amina")


def test_on_a_full_disk_attempts_are_counted_where_the_count_lies(
    tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nobody can sign in there, and nothing can be read."""
    path = tmp_path / "lockout"
    for user in ("amina", "fatima"):
        Lockout(path, time).begin(user)
    size = path.stat().st_size

    def full(_path: Path, _content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("edge.security.lockout.write_private", full)
    lockout = Lockout(path, time)
    lockout.succeeded("fatima")
    for _ in range(5):
        time.now += lockout.wait_s("amina")
        lockout.begin("amina")
    assert path.stat().st_size == size
    again = Lockout(path, time)
    assert (again.wait_s("amina"), again.wait_s("fatima")) == (4, 0)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_bytes(b"somebody else's")
    with pytest.raises(SecretNotKept):
        lockout.succeeded("amina")
    assert (tmp_path / "elsewhere").read_bytes() == b"somebody else's"
