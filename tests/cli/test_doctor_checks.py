"""Each check of ``qafila doctor`` over facts it is handed: what passes, what does not, what is not known."""

import dataclasses
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from cli.doctor import bluetooth, board, broker, clocks, disks, machine, media, papers, ports, stores
from cli.doctor.asked import Asked, judge_agent
from cli.doctor.bluetooth import Radio
from cli.doctor.board import Board
from cli.doctor.broker import STEPS, Uplink, Way
from cli.doctor.clocks import NOT_BEFORE_MS, Clocks
from cli.doctor.disks import Card, Disk
from cli.doctor.finding import Finding, Result, exit_status, failed, passed, warned
from cli.doctor.machine import Machine
from cli.doctor.media import Media, Source
from cli.doctor.papers import Papers
from cli.doctor.ports import Port
from cli.doctor.side_by_side import Group, run_all
from cli.doctor.stores import Files
from edge.config import UnitConfig
from edge.security.errors import DeviceSecretMissing, SlotsDamaged
from edge.store.errors import StoreMissing
from sync.boxend.pinned import Enrolment
from sync.wire.certificate import Certificate
from sync.wire.enrolment import Broker

DAY_MS: Final = 86_400_000
NOW_MS: Final = NOT_BEFORE_MS + 300 * DAY_MS
PASS, WARN, FAIL = Result.PASS, Result.WARN, Result.FAIL
STATUS: Final[dict[str, Any]] = {
    "locked": False,
    "version": "1",
    "problem": None,
    "clock": {"quality": "ntp", "off_ms": None},
    "devices": [{"key": "cuff", "state": "present", "code": None}],
    "streams": {"vitals": {"tip": 12, "landed": 12, "opened": 9, "stopped": None}},
    "link": {"connected": True, "code": None},
}


def asked(**other: object) -> Asked:
    return Asked(STATUS | other)


NOBODY: Final = Asked(None, "agent-unreachable")


def stream(**other: object) -> dict[str, Any]:
    return {"streams": {"vitals": STATUS["streams"]["vitals"] | other}}


def result(finding: Finding | list[Finding], name: str = "") -> Result:
    """The judgement; every one that is no pass has a next step, and every one fits its blanks."""
    found = finding if isinstance(finding, list) else [finding]
    one = next(each for each in found if name in {"", each.name})
    for form in (one.shown(), one.redacted()):
        assert list(form) == ["name", "result", "detail", "next"]
        assert form["detail"].endswith((".", "%)", ")")), form
        assert bool(form["next"]) == (one.result is not PASS), form
    return one.result


CLOCK: Final = Clocks(NOW_MS, NOT_BEFORE_MS, "ntp", by_agent=True, off_ms=None, kept=True, rtc=True)


@pytest.mark.parametrize(
    ("other", "judged"),
    [
        ({}, PASS),
        ({"wall_ms": 0}, FAIL),
        ({"wall_ms": NOW_MS, "past_ms": NOW_MS + 1}, FAIL),
        ({"off_ms": 2001}, WARN),
        ({"off_ms": -2001}, WARN),
        ({"off_ms": 2000}, PASS),
        ({"quality": None}, WARN),
        ({"quality": "none"}, WARN),
        ({"kept": False}, WARN),
        ({"kept": None}, WARN),
        ({"quality": "rtc"}, PASS),
        ({"quality": "rtc", "rtc": False}, WARN),
        ({"quality": "gnss"}, PASS),
        ({"quality": "gnss", "by_agent": False}, WARN),
        ({"quality": "operator", "kept": False}, PASS),
    ],
)
def test_clock(other: dict[str, Any], judged: Result) -> None:
    assert result(clocks.judge(dataclasses.replace(CLOCK, **other))) is judged


DISK: Final = Disk(disks.WARN_BYTES, 1000, read_only=False, fault=None, tried=True)


@pytest.mark.parametrize(
    ("seen", "judged"),
    [
        (DISK, PASS),
        (None, WARN),
        (dataclasses.replace(DISK, read_only=True), FAIL),
        (dataclasses.replace(DISK, fault="store-read-only"), FAIL),
        (dataclasses.replace(DISK, fault="store-unreadable"), FAIL),
        (dataclasses.replace(DISK, free_bytes=disks.WARN_BYTES - 1), WARN),
        (dataclasses.replace(DISK, free_bytes=disks.FAIL_BYTES - 1), FAIL),
        (dataclasses.replace(DISK, free_files=999), WARN),
        (dataclasses.replace(DISK, free_files=None), PASS),
        (dataclasses.replace(DISK, tried=False), WARN),
    ],
)
def test_disk(seen: Disk | None, judged: Result) -> None:
    assert result(disks.judge_disk(seen)) is judged


@pytest.mark.parametrize(
    ("seen", "judged"),
    [
        (Card(), WARN),
        (Card("SD", errors=0), WARN),
        (Card("MMC", used=0x08, reserve=1, errors=0), PASS),
        (Card("MMC", used=0x09, reserve=1), WARN),
        (Card("MMC", used=0x0B), FAIL),
        (Card("MMC", used=1, reserve=2), WARN),
        (Card("MMC", used=1, reserve=3), FAIL),
        (Card("MMC", used=1, errors=1), FAIL),
    ],
)
def test_card(seen: Card, judged: Result) -> None:
    assert result(disks.judge_card(seen)) is judged


def test_a_card_is_read_where_the_kernel_shows_it(tmp_path: Path) -> None:
    number = tmp_path.stat().st_dev
    part = tmp_path / "devices" / "mmcblk0" / "mmcblk0p2"
    (part.parent / "device").mkdir(parents=True)
    part.mkdir()
    (part / "partition").write_text("2\n")
    for name, text in (("life_time", "0x01 0x0a"), ("pre_eol_info", "0x01"), ("type", "MMC")):
        (part.parent / "device" / name).write_text(text + "\n")
    (tmp_path / "dev" / "block").mkdir(parents=True)
    (tmp_path / "dev" / "block" / f"{os.major(number)}:{os.minor(number)}").symlink_to(part)
    (tmp_path / "fs" / "ext4" / "mmcblk0p2").mkdir(parents=True)
    (tmp_path / "fs" / "ext4" / "mmcblk0p2" / "errors_count").write_text("3\n")
    assert disks.look_at_card(tmp_path, tmp_path) == Card("MMC", 0x0A, 1, 3)
    assert disks.look_at_card(tmp_path, tmp_path / "none") == Card()


FILES: Final = Files(visible=True, holder=7)
MISSING: Final = StoreMissing("There is no store.", next_step="Look.")


@pytest.mark.parametrize(
    ("name", "seen", "answer", "judged"),
    [
        ("store", FILES, asked(), PASS),
        ("store", FILES, NOBODY, PASS),
        ("store", Files(visible=False), NOBODY, WARN),
        ("store", dataclasses.replace(FILES, fault=MISSING), NOBODY, FAIL),
        ("store", dataclasses.replace(FILES, open_to=0o050), NOBODY, WARN),
        ("store-lock", FILES, asked(), PASS),
        ("store-lock", dataclasses.replace(FILES, holder=0), NOBODY, PASS),
        ("store-lock", dataclasses.replace(FILES, holder=None), asked(), WARN),
        ("store-lock", FILES, NOBODY, WARN),
        ("store-lock", dataclasses.replace(FILES, holder=0), asked(), FAIL),
        ("store-schema", FILES, asked(), PASS),
        ("store-schema", FILES, asked(version="0"), WARN),
        ("store-schema", FILES, asked(locked=True), WARN),
        ("store-schema", FILES, NOBODY, WARN),
        ("chain", FILES, asked(), PASS),
        ("chain", FILES, asked(**stream(stopped="head-mismatch")), FAIL),
        ("chain", FILES, asked(forked={"reason": "beyond-tip"}), WARN),
        ("chain", FILES, asked(**stream(landed=0)), WARN),
        ("chain", FILES, asked(locked=True, streams={}), WARN),
        ("chain", FILES, NOBODY, WARN),
    ],
)
def test_store_and_chain(name: str, seen: Files, answer: Asked, judged: Result) -> None:
    assert result(stores.judge(seen, answer, "1"), name) is judged


@pytest.mark.parametrize(
    ("answer", "judged"),
    [
        (asked(), PASS),
        (asked(locked=True), PASS),
        (asked(problem="store-missing"), FAIL),
        (asked(problem="of-tomorrow"), FAIL),
        (asked(version="0"), WARN),
        (NOBODY, FAIL),
        (Asked(None, "agent-silent"), WARN),
        (Asked(None, "not-for-this-user"), WARN),
    ],
)
def test_agent(answer: Asked, judged: Result) -> None:
    assert result(judge_agent(answer, "1")) is judged


GONE: Final = Source(fault=DeviceSecretMissing("Not there.", next_step="Put it in."))
THERE: Final = Source(secret=b"1" * 32, disk=1)
MEDIA: Final = Media(THERE, THERE, None, noted=True, elsewhere=False, whole=2, store_disk=2)
SLOTS_BAD: Final = SlotsDamaged("Damaged.", next_step="Put them back.")


@pytest.mark.parametrize(
    ("name", "other", "answer", "realm", "judged"),
    [
        ("slots", {}, NOBODY, "training", PASS),
        ("slots", {"whole": 1}, asked(), "training", WARN),
        ("slots", {"whole": 0, "slots_fault": SLOTS_BAD}, NOBODY, "training", FAIL),
        (
            "slots",
            {"whole": 0, "slots_fault": SLOTS_BAD, "file": GONE, "copy": None},
            NOBODY,
            "training",
            WARN,
        ),
        ("slots", {"whole": None}, NOBODY, "training", WARN),
        ("slots", {"whole": None}, asked(), "training", PASS),
        ("slots", {}, asked(problem="slots-damaged"), "training", FAIL),
        ("slots", {}, asked(problem="device-secret-wrong"), "training", FAIL),
        ("device-secret", {}, NOBODY, "production", PASS),
        ("device-secret", {"store_disk": 1}, NOBODY, "production", WARN),
        ("device-secret", {"store_disk": 1}, NOBODY, "training", PASS),
        ("device-secret", {"file": GONE}, NOBODY, "training", WARN),
        ("device-secret", {"file": GONE, "copy": None}, NOBODY, "training", FAIL),
        ("device-secret", {"file": GONE, "elsewhere": True}, NOBODY, "training", WARN),
        ("device-secret", {"file": GONE, "elsewhere": True}, asked(), "training", PASS),
        ("device-secret", {"file": Source(visible=False)}, asked(), "training", WARN),
        ("device-secret-copy", {}, NOBODY, "training", PASS),
        ("device-secret-copy", {"copy": None}, NOBODY, "training", WARN),
        ("device-secret-copy", {"copy": Source(secret=b"2" * 32)}, NOBODY, "training", WARN),
        ("device-secret-copy", {"copy": GONE}, NOBODY, "training", WARN),
        ("device-secret-copy", {"copy": GONE, "seen_ms": NOW_MS - 30 * DAY_MS}, NOBODY, "training", PASS),
        ("device-secret-copy", {"copy": GONE, "seen_ms": NOW_MS - 31 * DAY_MS}, NOBODY, "training", WARN),
        ("device-secret-copy", {"copy": GONE, "seen_ms": NOW_MS + DAY_MS}, NOBODY, "training", WARN),
        ("device-secret-copy", {"copy": GONE, "noted": False}, NOBODY, "training", WARN),
    ],
)
def test_slots_and_device_secret(
    name: str, other: dict[str, Any], answer: Asked, realm: str, judged: Result
) -> None:
    seen = dataclasses.replace(MEDIA, **other)
    assert result(media.judge(seen, answer, NOW_MS, realm), name) is judged


def enrolled(*, tls: bool = True) -> Enrolment:
    keyset: Any = type("Keyset", (), {"version": 3})()
    return Enrolment("van-07", "training", (), keyset, b"", (Broker("broker.example", 8883, tls=tls),))


def good_for(days: int) -> Certificate:
    until_ms = NOW_MS + days * DAY_MS
    return Certificate("van-07", "training", until_ms - 365 * DAY_MS, until_ms, b"", (), ())


@pytest.mark.parametrize(
    ("name", "seen", "judged"),
    [
        ("enrolment", Papers(), WARN),
        ("enrolment", Papers(fault=MISSING), FAIL),
        ("enrolment", Papers(enrolled()), PASS),
        ("certificate", Papers(), WARN),
        ("certificate", Papers(enrolled()), FAIL),
        ("certificate", Papers(enrolled(tls=False)), PASS),
        ("certificate", Papers(enrolled(), None, good_for(14), key=True), PASS),
        ("certificate", Papers(enrolled(), None, good_for(13), key=True), WARN),
        ("certificate", Papers(enrolled(), None, good_for(60), key=True, longest_ms=20 * DAY_MS), PASS),
        ("certificate", Papers(enrolled(), None, good_for(59), key=True, longest_ms=20 * DAY_MS), WARN),
        ("certificate", Papers(enrolled(), None, good_for(0), key=True), FAIL),
        ("certificate", Papers(enrolled(), None, good_for(90), key=False), FAIL),
        ("certificate", Papers(enrolled(), None, good_for(90), key=None), WARN),
        (
            "certificate",
            Papers(enrolled(), None, dataclasses.replace(good_for(90), issued_ms=NOW_MS + 1), key=True),
            WARN,
        ),
    ],
)
def test_enrolment_and_certificate(name: str, seen: Papers, judged: Result) -> None:
    assert result(papers.judge(seen, NOW_MS), name) is judged


RUNS: Final = Uplink(runs=True, connected=True)
ALL: Final = Way(STEPS)


@pytest.mark.parametrize(
    ("name", "uplink", "way", "answer", "judged"),
    [
        ("uplink", RUNS, ALL, NOBODY, PASS),
        ("uplink", Uplink(runs=False), ALL, NOBODY, WARN),
        ("uplink", Uplink(runs=None), ALL, NOBODY, WARN),
        *((step, RUNS, ALL, NOBODY, PASS) for step in STEPS),
        ("broker-name", RUNS, Way((), "broker-name", "broker-name-unknown"), NOBODY, WARN),
        ("broker-tcp", RUNS, Way((), "broker-name", "broker-name-unknown"), NOBODY, WARN),
        ("broker-tcp", RUNS, Way(STEPS[:1], "broker-tcp", "broker-unreachable"), NOBODY, WARN),
        ("broker-tls", RUNS, Way(STEPS[:2], "broker-tls", "broker-not-trusted"), NOBODY, FAIL),
        ("broker-tls", RUNS, Way(STEPS[:2], "broker-tls", "certificate-revoked"), NOBODY, FAIL),
        ("broker-tls", RUNS, Way(STEPS[:2], "broker-tls", "uplink-key-not-seen"), NOBODY, WARN),
        ("broker-tls", RUNS, Way(STEPS[:2], tls=False), NOBODY, PASS),
        ("broker-mqtt", RUNS, Way(STEPS[:3], "broker-mqtt", "broker-refused"), NOBODY, FAIL),
        ("broker-mqtt", RUNS, Way(STEPS[:3], "broker-mqtt", ""), NOBODY, WARN),
        ("broker-mqtt", Uplink(runs=None), Way(STEPS[:2]), NOBODY, WARN),
        ("broker-rights", RUNS, Way(STEPS[:4], "broker-rights", "broker-refused"), NOBODY, FAIL),
        ("broker-rights", RUNS, Way(STEPS[:3], "broker-mqtt", "broker-refused"), NOBODY, WARN),
        ("receipts", RUNS, Way(STEPS, receipt_ms=NOW_MS - 2 * DAY_MS), NOBODY, PASS),
        ("receipts", RUNS, Way(STEPS, receipt_ms=NOW_MS - 2 * DAY_MS - 1), NOBODY, WARN),
        ("receipts", RUNS, Way(STEPS, receipt_ms=NOW_MS + 3 * DAY_MS), NOBODY, WARN),
        ("receipts", RUNS, Way(STEPS, heard=True), NOBODY, WARN),
        ("receipts", RUNS, ALL, NOBODY, WARN),
        ("receipts", RUNS, ALL, asked(), PASS),
        ("receipts", RUNS, ALL, asked(**stream(landed=9)), WARN),
        ("receipts", RUNS, ALL, asked(**stream(tip=0, landed=0)), WARN),
        ("receipts", RUNS, ALL, asked(**stream(landed=9), link={"code": "receipt-overdue"}), WARN),
    ],
)
def test_broker_step_by_step(name: str, uplink: Uplink, way: Way, answer: Asked, judged: Result) -> None:
    assert result(broker.judge(uplink, way, answer, NOW_MS), name) is judged
    assert broker.judge(uplink, None, answer, NOW_MS) == []


UNIT: Final[dict[str, Any]] = {"unit": {"id": "van-07", "realm": "training"}}
WITH_CUFF: Final = UnitConfig.model_validate(
    UNIT | {"device": [{"key": "cuff", "kind": "sig-bp", "port": "ble:AA:BB:CC:DD:EE:FF"}]}
)
RADIO: Final = Radio(bus=True, daemon=True, adapter=True, powered=True, lacking=())


def device(state: str, why: str | None = None) -> Asked:
    return asked(devices=[{"key": "cuff", "state": state, "code": why}])


@pytest.mark.parametrize(
    ("name", "seen", "answer", "judged"),
    [
        *((name, None, NOBODY, PASS) for name in bluetooth.NAMES),
        *((name, RADIO, asked(), PASS) for name in bluetooth.NAMES),
        ("bluetoothd", Radio(bus=False), NOBODY, WARN),
        ("bluetoothd", Radio(bus=True), NOBODY, FAIL),
        ("bluetooth-adapter", Radio(bus=True), NOBODY, WARN),
        ("bluetooth-adapter", Radio(bus=True, daemon=True), NOBODY, FAIL),
        ("bluetooth-adapter", dataclasses.replace(RADIO, powered=False), NOBODY, WARN),
        ("bluetooth-crypto", dataclasses.replace(RADIO, lacking=("cmac(aes)",)), NOBODY, WARN),
        ("bluetooth-crypto", dataclasses.replace(RADIO, lacking=None), NOBODY, WARN),
        ("bluetooth-agent", RADIO, NOBODY, WARN),
        ("bluetooth-agent", RADIO, device("gone", "radio-down"), FAIL),
        ("bluetooth-agent", RADIO, device("starting"), WARN),
    ],
)
def test_bluetooth(name: str, seen: Radio | None, answer: Asked, judged: Result) -> None:
    assert result(bluetooth.judge(seen, WITH_CUFF, answer), name) is judged


PORT: Final = Port("cuff", False, True, True, True, False, True)  # noqa: FBT003  there is no more to say


@pytest.mark.parametrize(
    ("name", "other", "answer", "judged"),
    [
        ("serial-ports", {}, NOBODY, PASS),
        ("serial-ports", {"there": False}, asked(), FAIL),
        ("serial-ports", {"there": None}, NOBODY, WARN),
        ("serial-ports", {"usable": False}, NOBODY, WARN),
        ("serial-ports", {"usable": False}, asked(), PASS),
        ("serial-rules", {}, NOBODY, PASS),
        ("serial-rules", {"twin": True}, NOBODY, WARN),
        ("serial-rules", {"lasting": False}, NOBODY, WARN),
        ("serial-rules", {"ruled": False}, NOBODY, WARN),
        ("serial-rules", {"ruled": False, "lasting": False, "simulated": True}, NOBODY, PASS),
    ],
)
def test_serial(name: str, other: dict[str, Any], answer: Asked, judged: Result) -> None:
    assert result(ports.judge([dataclasses.replace(PORT, **other)], answer), name) is judged
    assert result(ports.judge([], NOBODY), name) is PASS


MACHINE: Final = Machine(False, "0", True, (3, 11, 7), "3.53.4", "4.19.0", "50", "OpenSSL 4")  # noqa: FBT003


@pytest.mark.parametrize(
    ("name", "other", "judged"),
    [
        *((name, {}, PASS) for name in machine.NAMES),
        ("swap", {"swap": True}, WARN),
        ("swap", {"swap": None}, WARN),
        ("core-dumps", {"core_bytes": "unlimited"}, FAIL),
        ("core-dumps", {"core_bytes": None}, WARN),
        ("core-dumps", {"core_bytes": None, "agent": False}, WARN),
        ("versions", {"sqlite": "3.51.2"}, FAIL),
        ("versions", {"sqlite": "3.51.3"}, PASS),
        ("versions", {"cipher": ""}, FAIL),
        ("versions", {"python": (3, 10, 9)}, FAIL),
    ],
)
def test_machine(name: str, other: dict[str, Any], judged: Result) -> None:
    assert result(machine.judge(dataclasses.replace(MACHINE, **other)), name) is judged


@pytest.mark.parametrize(
    ("states", "judged"),
    [
        ({"qafila-agent.service": "active", "qafila-night.service": "inactive"}, PASS),
        ({"qafila-agent.service": "failed"}, FAIL),
        ({"qafila-agent.service": None}, WARN),
    ],
)
def test_system_units_where_some_are_installed(states: dict[str, str | None], judged: Result) -> None:
    assert result(machine.judge_units(states)) is judged
    assert machine.judge_units({}) == []


@pytest.mark.parametrize(
    ("seen", "judged"),
    [
        (Board(throttled=0), PASS),
        (Board(throttled=0x1), FAIL),
        (Board(throttled=0x10000), WARN),
        (Board(throttled=0x4), WARN),
        (Board(throttled=0x80000), WARN),
        (Board(temperature_c=74.9), PASS),
        (Board(temperature_c=75), WARN),
        (Board(temperature_c=82), FAIL),
    ],
)
def test_power_and_temperature(seen: Board, judged: Result) -> None:
    assert result(board.judge(seen)) is judged


def test_a_board_is_read_on_a_pi_and_nowhere_else(tmp_path: Path) -> None:
    firmware = tmp_path / "devices/platform/soc/soc:firmware"
    thermal = tmp_path / "class/thermal/thermal_zone0"
    for folder in (firmware, thermal):
        folder.mkdir(parents=True)
    (firmware / "get_throttled").write_text("50005\n")
    (thermal / "temp").write_text("61234\n")
    model = tmp_path / "model"
    model.write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    assert board.look(tmp_path, model) == Board(0x50005, 61.234)
    model.write_text("A laptop")
    assert board.judge(board.look(tmp_path, model)) == []
    assert board.judge(board.look(tmp_path, tmp_path / "none")) == []


def test_the_worst_finding_decides() -> None:
    good, odd, bad = passed("a", "x."), warned("b", "x.", "y."), failed("c", "x.", "y.")
    assert [exit_status(each) for each in ([good], [good, odd], [bad, odd, good])] == [0, 1, 2]


def test_a_check_that_hangs_or_breaks_costs_no_other_and_is_no_pass() -> None:
    def hang() -> list[Finding]:
        time.sleep(30)
        return []

    def broken() -> list[Finding]:
        raise KeyError("fatima")

    groups: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("a", hang),
        ("b", broken),
        ("c", lambda: [passed("c", "x.")]),
        ("d", list),
    ]
    begun_s = time.monotonic()
    found = run_all([Group((name,), run, within_s=0.5) for name, run in groups])
    assert time.monotonic() - begun_s < 10
    assert [(each.name, each.result) for each in found] == [("a", WARN), ("b", WARN), ("c", PASS)]
    assert "fatima" not in str([each.shown() for each in found])


def test_who_holds_a_lock_is_seen_without_taking_it(tmp_path: Path) -> None:
    import fcntl

    lock = tmp_path / "agent.lock"
    assert stores.holder_of(lock) == 0
    with lock.open("w") as file:
        assert stores.holder_of(lock) == 0
        fcntl.flock(file, fcntl.LOCK_EX)
        assert stores.holder_of(lock) not in {0, None}
    assert stores.holder_of(lock) == 0
    assert stores.holder_of(lock, tmp_path / "none") is None
