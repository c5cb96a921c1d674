"""The device secret: its four sources in their order, a helper that is root's alone, the second copy."""

import os
import stat
from pathlib import Path

import pytest

from edge.security import device_secret
from edge.security.errors import DeviceSecretMissing, HelperRefused, SecurityError
from edge.security.secret_sources import COPY_NOT_MADE, COPY_NOT_SEEN, SecretSources, from_helper

DAY_MS = 86_400_000
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what is root's alone")


class Wall:
    ms = 1_793_000_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def secret(tmp_path: Path) -> bytes:
    return device_secret.make(tmp_path / "first" / "device.secret")


def sources(
    tmp_path: Path,
    wall: Wall,
    *,
    copy: bool = True,
    credential: str | None = None,
    helper: tuple[str, ...] = (),
    environment: dict[str, str] | None = None,
) -> SecretSources:
    return SecretSources(
        tmp_path / "first" / "device.secret",
        tmp_path / "second" / "device.secret" if copy else None,
        credential,
        helper,
        tmp_path / "seen",
        wall,
        environment or {},
    )


def copied(tmp_path: Path, secret: bytes) -> Path:
    path = tmp_path / "second" / "device.secret"
    device_secret.copy(secret, path)
    return path


def test_the_second_copy_opens_what_the_first_did(tmp_path: Path, wall: Wall, secret: bytes) -> None:
    second = copied(tmp_path, secret)
    assert second.read_bytes() == (tmp_path / "first" / "device.secret").read_bytes()
    assert stat.S_IMODE(second.stat().st_mode) == 0o600
    (tmp_path / "first" / "device.secret").unlink()
    assert sources(tmp_path, wall).read() == secret
    second.unlink()
    with pytest.raises(DeviceSecretMissing):
        sources(tmp_path, wall).read()


def test_a_damaged_first_copy_is_no_reason_to_stay_out(tmp_path: Path, wall: Wall, secret: bytes) -> None:
    copied(tmp_path, secret)
    (tmp_path / "first" / "device.secret").write_bytes(b"junk")
    assert sources(tmp_path, wall).read() == secret


def test_a_copy_is_never_written_over_anything(tmp_path: Path, secret: bytes) -> None:
    copied(tmp_path, secret)
    with pytest.raises(SecurityError) as refused:
        copied(tmp_path, bytes(32))
    assert refused.value.code == "device-secret-exists"


def test_it_is_said_when_the_second_copy_was_not_seen_for_thirty_days(
    tmp_path: Path, wall: Wall, secret: bytes
) -> None:
    assert sources(tmp_path, wall, copy=False).notes() == [COPY_NOT_MADE]
    assert sources(tmp_path, wall).notes() == [COPY_NOT_SEEN]
    second = copied(tmp_path, secret)
    assert sources(tmp_path, wall).notes() == []
    second.rename(tmp_path / "away")
    wall.ms += 30 * DAY_MS
    assert sources(tmp_path, wall).notes() == []
    wall.ms += 1
    assert sources(tmp_path, wall).notes() == [COPY_NOT_SEEN]
    (tmp_path / "away").rename(second)
    sources(tmp_path, wall).read()
    second.unlink()
    assert sources(tmp_path, wall).notes() == []


def test_another_file_in_the_place_of_the_copy_is_not_seen(tmp_path: Path, wall: Wall, secret: bytes) -> None:
    copied(tmp_path, secret).write_bytes(b"qafila-device-secret-1 00 00\n")
    assert sources(tmp_path, wall).notes() == [COPY_NOT_SEEN]


def test_a_credential_of_systemd_comes_first(tmp_path: Path, wall: Wall, secret: bytes) -> None:
    handed = device_secret.make(tmp_path / "credentials" / "device-secret")
    there = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    assert handed != secret
    assert sources(tmp_path, wall, credential="device-secret", environment=there).read() == handed
    assert sources(tmp_path, wall, credential="device-secret").read() == secret, "not under systemd: the file"
    (tmp_path / "first" / "device.secret").unlink()
    with pytest.raises(DeviceSecretMissing, match="systemd"):
        sources(tmp_path, wall, credential="device-secret", copy=False).read()


@pytest.fixture
def helper() -> Path:
    """A program in a folder that only root writes: /tmp is everybody's."""
    folder = Path("/run/qafila-helper-test")
    folder.mkdir(mode=0o755, exist_ok=True)
    program = folder / f"helper-{os.getpid()}"
    program.write_text('#!/bin/sh\ncat "$1"\n')
    program.chmod(0o755)
    return program


@root_only
def test_a_helper_gives_the_secret_and_is_no_helper_when_others_could_change_it(
    tmp_path: Path, wall: Wall, secret: bytes, helper: Path
) -> None:
    try:
        words = (str(helper), str(tmp_path / "first" / "device.secret"))
        assert from_helper(words) == secret
        elsewhere = sources(tmp_path / "nowhere", wall, helper=words, copy=False)
        assert elsewhere.read() == secret
        with pytest.raises(HelperRefused) as failed:
            from_helper((str(helper), str(tmp_path / "missing")))
        assert failed.value.stable_code == "secret-helper-failed"
        for mode in (0o775, 0o757):
            helper.chmod(mode)
            with pytest.raises(HelperRefused) as refused:
                from_helper(words)
            assert refused.value.stable_code == "secret-helper-refused"
        helper.chmod(0o755)
        os.chown(helper, 65534, 0)
        with pytest.raises(HelperRefused):
            from_helper(words)
        os.chown(helper, 0, 0)
        helper.parent.chmod(0o777)
        with pytest.raises(HelperRefused):
            from_helper(words)
        helper.parent.chmod(0o755)
        link = tmp_path / "link"
        link.symlink_to(helper)
        with pytest.raises(HelperRefused):
            from_helper((str(link), words[1]))
    finally:
        helper.unlink()
        helper.parent.chmod(0o755)


@pytest.mark.parametrize("words", [("cat", "x"), ("./helper",), ("/no/such/helper",), ("/",)])
def test_a_helper_that_is_none_is_not_looked_for_elsewhere(words: tuple[str, ...]) -> None:
    with pytest.raises(HelperRefused):
        from_helper(words)


@root_only
def test_a_helper_sees_nothing_of_ours(helper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", "canary")
    helper.write_text("#!/bin/sh\nenv > /run/qafila-helper-test/seen; exit 1\n")
    try:
        with pytest.raises(HelperRefused):
            from_helper((str(helper),))
        assert "canary" not in (helper.parent / "seen").read_text()
    finally:
        helper.unlink()
        (helper.parent / "seen").unlink(missing_ok=True)


@root_only
def test_a_helper_that_hangs_is_ended(helper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.security.secret_sources.HELPER_WITHIN_S", 0.2)
    helper.write_text("#!/bin/sh\nexec sleep 60\n")
    try:
        with pytest.raises(HelperRefused):
            from_helper((str(helper),))
    finally:
        helper.unlink()
