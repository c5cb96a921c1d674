"""The simulated oximeter: the unit in it, and the process around it."""

import os
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from drivers.codec.framing import Frame, Framer
from drivers.devices.contec_cms50.codec import Command, Contec, Generation, Packet, command, decode, unstuff
from drivers.devices.contec_cms50.display import WEAK_SIGNAL, Display
from drivers.devices.contec_cms50.unit import FORGOTTEN_AFTER_S, Unit
from drivers.simulation.patient_finger import PatientPulse
from drivers.simulation.person import take_person
from drivers.simulation.pulse import Pulse
from drivers.simulation.serial_device import read_script
from edge.vitals.quantity import Missing, Quantity
from edge.vitals.quantity import Unit as Unit_
from edge.vitals.reading import Reading
from tests.drivers.terminals import simulator

MODULE: Final = "drivers.devices.contec_cms50.simulator"


def nine_byte(*, perfusion: bool = True) -> Unit:
    return Unit(Generation.NINE_BYTE, Pulse(1), seed=1, perfusion=perfusion)


# ── The unit ─────────────────────────────────────────────────────────────────────────────────────


def test_a_nine_byte_unit_streams_when_asked_and_until_told() -> None:
    unit = nine_byte()
    assert unit.stream(60, 0) == b""
    assert unit.hear(command(Command.START), 0) == b""
    assert len(unit.stream(60, 0)) == 60 * 9
    assert unit.hear(command(Command.STOP), 0) == bytes.fromhex("0C80")
    assert unit.stream(60, 0) == b""


def test_a_five_byte_unit_streams_by_itself_and_answers_nothing() -> None:
    unit = Unit(Generation.FIVE_BYTE, Pulse(1), seed=1)
    assert unit.hear(command(Command.STOP), 0) == b""
    assert len(unit.stream(60, 0)) == 60 * 5


def test_a_nine_byte_unit_forgets_a_host_that_is_not_heard() -> None:
    unit = nine_byte()
    unit.hear(command(Command.START), 0)
    assert unit.stream(1, FORGOTTEN_AFTER_S)
    unit.hear(command(Command.KEEP_ALIVE), FORGOTTEN_AFTER_S)
    assert unit.stream(1, FORGOTTEN_AFTER_S + 5)
    assert not unit.stream(1, 2 * FORGOTTEN_AFTER_S + 1)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (Command.STOP, "0C80"),
        (Command.STOP_STORED, "0C80"),
        (Command.PI_SUPPORT, "0E8080"),
        (Command.USERS, "108081"),
        (Command.SET_DATE, "0B81B280"),
        (Command.KEEP_ALIVE, ""),
    ],
)
def test_commands_are_answered_as_the_vendor_writes(asked: Command, answer: str) -> None:
    assert nine_byte().hear(command(asked), 0) == bytes.fromhex(answer)


def test_a_command_that_is_not_played_is_answered_as_unsupported() -> None:
    answer = nine_byte().hear(bytes.fromhex("7D81AE808080808080"), 0)
    assert (answer[0], unstuff(answer)) == (Packet.ANSWER, bytes([0xAE, 5]))


def test_commands_are_found_between_noise_and_in_pieces() -> None:
    unit = nine_byte()
    sent = b"\x00\xff\x7d\x01" + command(Command.STOP) * 2
    assert b"".join(unit.hear(bytes([byte]), 0) for byte in sent) == bytes.fromhex("0C800C80")


def test_a_unit_without_perfusion_index_says_so() -> None:
    unit = nine_byte(perfusion=False)
    assert unit.hear(command(Command.PI_SUPPORT), 0) == bytes.fromhex("0E8081")


@pytest.mark.parametrize("generation", list(Generation))
def test_ten_minutes_with_a_break_in_the_middle(generation: Generation) -> None:
    unit = Unit(generation, Pulse(7, saturation=93, rate=180), seed=7)
    unit.finger = True
    for _ in range(2):
        unit.hear(command(Command.START), 0)
        framer, display, told = Framer(Contec(generation)), Display(), list[Reading]()
        for _ in range(300):
            for event in framer.feed(unit.stream(60, 0)):
                assert isinstance(event, Frame)
                report = decode(event)
                assert report is not None
                told += [e for e in display.packet(event, report) if isinstance(e, Reading)]
        assert len(told) >= 300
        assert told[-1].device_s == 300
        for reading in told:
            saturation, pulse = reading.values[0][1], reading.values[1][1]
            if isinstance(saturation, Quantity) and isinstance(pulse, Quantity):
                assert int(saturation.value) in {92, 93}
                assert int(pulse.value) in range(172, 189)
            else:
                assert reading.device_s is not None
                assert reading.device_s < 3


def test_the_same_seed_gives_the_same_bytes() -> None:
    def noisy(seed: int) -> bytes:
        unit = Unit(Generation.FIVE_BYTE, Pulse(seed), seed=seed)
        unit.finger = unit.noisy = True
        return unit.stream(600, 0)

    assert noisy(3) == noisy(3)
    assert noisy(3) != noisy(4)


def test_noise_adds_cuts_and_replaces() -> None:
    unit = Unit(Generation.FIVE_BYTE, Pulse(1), seed=1)
    unit.finger = unit.noisy = True
    framer = Framer(Contec(Generation.FIVE_BYTE))
    events = framer.feed(unit.stream(6000, 0))
    whole = [event for event in events if isinstance(event, Frame)]
    assert 5000 < len(whole) < 6000
    assert len(events) - len(whole) > 300


def test_a_pulse_keeps_to_its_rate_and_to_seven_bits() -> None:
    pulse = Pulse(5, rate=90)
    samples = [(pulse.step(1 / 60), pulse.beat) for _ in range(60 * 60)]
    assert all(0 <= sample <= 127 for sample, _ in samples)
    assert max(sample for sample, _ in samples) - min(sample for sample, _ in samples) > 60
    assert 85 <= sum(beat for _, beat in samples) <= 95


# ── The process ──────────────────────────────────────────────────────────────────────────────────


def test_it_says_when_it_is_ready_and_ends_with_its_owner(tmp_path: Path) -> None:
    with simulator(tmp_path / "port", "--generation", "old") as unit:
        assert unit.ready["event"] == "ready"
        assert unit.ready["link"] == str(unit.link)
        assert unit.ready["pid"] == unit.pid
        assert str(unit.link.resolve()) == unit.ready["port"]
        assert unit.end() == 0
    assert not unit.link.is_symlink()


def test_it_ends_when_told(tmp_path: Path) -> None:
    with simulator(tmp_path / "port") as unit:
        unit.say("unplug", "unplug", "replug", "replug", "quit")
        assert unit.end() == 0
    assert not unit.link.is_symlink()


def test_an_order_that_is_not_understood_is_named_and_changes_nothing(tmp_path: Path) -> None:
    orders = "dance\nspo2 101\npulse -3\npulse \u00b2\nfinger maybe\n\n"
    done = subprocess.run(
        [sys.executable, "-m", MODULE, "--link", str(tmp_path / "port")],
        input=orders, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert done.stderr.count("code: order-unknown") == 5


def test_without_an_owner_it_goes_on(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", MODULE, "--link", str(tmp_path / "port")],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    process.terminate()
    process.communicate(timeout=30)


def test_a_script_is_played_in_device_time(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("# a short life\n\n0.5 finger on\n30 quit   # at 100 times the speed\n")
    start_s = time.monotonic()
    with simulator(tmp_path / "port", "--speed", "100", "--script", str(script)) as unit:
        assert unit.end() == 0
    assert time.monotonic() - start_s < 20  # of thirty


def test_a_script_is_lines_of_seconds_and_orders() -> None:
    assert read_script(iter(["1.5 finger on\n", "# nothing\n", "", "2 quit # now"])) == [
        (1.5, "finger on"),
        (2.0, "quit"),
    ]
    with pytest.raises(ValueError, match="finger"):
        read_script(iter(["finger on"]))


def test_it_costs_next_to_nothing(tmp_path: Path) -> None:
    with simulator(tmp_path / "idle", "--generation", "old") as unit:
        before_s = _cpu_s(unit.pid)
        time.sleep(1)
        assert _cpu_s(unit.pid) - before_s < 0.05


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_the_pulse_of_a_missing_finger_is_no_number() -> None:
    unit = Unit(Generation.FIVE_BYTE, Pulse(1), seed=1)
    for event in Framer(Contec()).feed(unit.stream(120, 0)):
        report = decode(event) if isinstance(event, Frame) else None
        assert report is not None
        assert isinstance(report.pulse, Missing)


def test_the_finger_of_a_scenario_is_its_patients() -> None:
    person = take_person({"scenario": "sepsis-getting-worse", "began": "0"}, 0.0)
    unit = Unit(Generation.NINE_BYTE, PatientPulse(person.vitals, 1380.0), seed=1)
    unit.finger = True
    unit.hear(command(Command.START), 0)
    unit.stream(60 * 5, 0)
    reports = [
        decode(frame) for frame in Framer(Contec()).feed(unit.stream(60, 0)) if isinstance(frame, Frame)
    ]
    last = reports[-1]
    assert last is not None
    found = person.vitals.now(1386.0)
    assert last.saturation == Quantity(Decimal(round(found.spo2)), Unit_.PERCENT)
    assert isinstance(last.pulse, Quantity)
    assert abs(float(last.pulse.value) - found.pulse) <= 4
    assert isinstance(last.perfusion, Quantity)
    assert abs(float(last.perfusion.value) - found.perfusion) < 0.1
    unit.moving = True
    (frame,) = (event for event in Framer(Contec()).feed(unit.stream(2, 0))[:1] if isinstance(event, Frame))
    moved = decode(frame)
    assert moved is not None
    assert moved.signal <= WEAK_SIGNAL
