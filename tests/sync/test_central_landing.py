"""The landing keeps what a registered unit validly signed, says so once it is durable, and nothing else."""

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.audit import chain
from edge.logs import EventAndFields
from edge.ports.sealing import StreamReceipt
from edge.records.fields import Stream
from sync.boxend.sealer import BoxSealer
from sync.central import database
from sync.central.landing import Upward
from sync.central.receipts import ReceiptWriter
from sync.central.sentences import DROPPED
from sync.wire import topics
from tests.sync.central_world import Centre, Unit, make_centre


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


@pytest.fixture
def unit(centre: Centre) -> Unit:
    unit = centre.unit()
    unit.visit()  # vitals: genesis and nine more
    return unit


def test_what_landed_is_receipted_with_the_heads_the_unit_signed(centre: Centre, unit: Unit) -> None:
    (receipt,) = centre.land(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    assert receipt.level == "landed"
    assert (receipt.unit, receipt.epoch, receipt.generation, receipt.rseq) == ("van-07", unit.epoch, 1, 1)
    head = unit.journal[Stream.VITALS][9].head[:16]
    assert receipt.streams == {Stream.VITALS: StreamReceipt(10, head, 10)}
    assert receipt.sessions_landed == (unit.sealer.session,)
    assert receipt.sessions_needed == ()
    assert receipt.nacks == ()


def test_a_gap_is_said_and_through_stops_before_it(centre: Centre, unit: Unit) -> None:
    first, middle, last = unit.batches(Stream.VITALS, 3, 6, 10)
    (receipt,) = centre.land(unit.key_message(), first, last)
    assert receipt.streams[Stream.VITALS].through == 3
    assert receipt.streams[Stream.VITALS].top == 10
    assert receipt.streams[Stream.VITALS].missing == ((4, 6),)
    (receipt,) = centre.land(middle)
    assert receipt.streams[Stream.VITALS].through == 10
    assert receipt.streams[Stream.VITALS].missing == ()


def test_without_the_first_entry_nothing_is_through(centre: Centre, unit: Unit) -> None:
    (receipt,) = centre.land(unit.batch(Stream.VITALS, 4, 10))
    start = chain.first_head("training", "van-07", unit.epoch, Stream.VITALS)[:16]
    assert receipt.streams == {Stream.VITALS: StreamReceipt(0, start, 10, ((1, 3),))}


def test_at_most_eight_gaps_are_said(centre: Centre, unit: Unit) -> None:
    for _ in range(3):
        unit.visit()
    messages = [unit.batch(Stream.VITALS, seq, seq) for seq in range(2, 30, 2)]
    (receipt,) = centre.land(*messages)
    assert receipt.streams[Stream.VITALS].missing == tuple((seq, seq) for seq in range(1, 17, 2))
    assert receipt.streams[Stream.VITALS].top == 28


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_any_order_of_overlapping_batches_gives_the_same_state(
    centre: Centre, unit: Unit, order: tuple[int, ...]
) -> None:
    batches = [unit.batch(Stream.VITALS, *ends) for ends in ((1, 4), (3, 8), (5, 6), (7, 10))]
    for index in order:
        centre.land(batches[index])
    receipt = centre.last("landed")
    head = unit.journal[Stream.VITALS][9].head[:16]
    assert receipt.streams == {Stream.VITALS: StreamReceipt(10, head, 10)}
    assert centre.value("SELECT count(*) FROM spans") == 1


def test_a_repeated_message_is_answered_again_and_kept_once(centre: Centre, unit: Unit) -> None:
    messages = [unit.key_message(), unit.batch(Stream.VITALS, 1, 10)]
    (first,) = centre.land(*messages)
    (again,) = centre.land(*messages)
    assert again.rseq == first.rseq + 1
    assert again.streams == first.streams
    assert centre.value("SELECT count(*) FROM landing") == 1
    assert centre.counters()["van-07", "batch-repeated"] == 1
    assert centre.counters()["van-07", "session-repeated"] == 1


def test_rseq_and_repeats_survive_a_restart(centre: Centre, unit: Unit) -> None:
    message = unit.batch(Stream.VITALS, 1, 10)
    centre.land(message)
    centre.restart()
    (receipt,) = centre.land(message)
    assert receipt.rseq == 2
    assert centre.value("SELECT count(*) FROM landing") == 1


def test_a_lost_receipt_is_there_to_be_sent_again(centre: Centre, unit: Unit) -> None:
    centre.land(unit.batch(Stream.VITALS, 1, 10))
    writer = ReceiptWriter("landed", "training", 1, centre.home.landed_key.read_bytes())
    (kept,) = writer.recent(centre.connection, centre.clock.wall_ms)
    assert kept.unit == "van-07"
    assert writer.recent(centre.connection, centre.clock.wall_ms + 40 * 86_400_000) == []


def test_a_batch_whose_key_message_has_not_come_names_the_session(centre: Centre, unit: Unit) -> None:
    (receipt,) = centre.land(unit.batch(Stream.VITALS, 1, 10))
    assert receipt.sessions_needed == (unit.sealer.session,)
    (receipt,) = centre.land(unit.key_message())
    assert receipt.sessions_needed == ()
    assert receipt.sessions_landed == (unit.sealer.session,)


def test_two_heads_after_one_entry_are_a_conflict_and_the_first_stays(centre: Centre, unit: Unit) -> None:
    other = unit.fork(Stream.VITALS, 8)
    other.observe(os.urandom(16), os.urandom(16), "spo2", 91)
    other.observe(os.urandom(16), os.urandom(16), "spo2", 92)
    centre.land(unit.batch(Stream.VITALS, 1, 10))
    (receipt,) = centre.land(other.batch(Stream.VITALS, 9, 10))
    assert receipt.streams[Stream.VITALS].head == unit.journal[Stream.VITALS][9].head[:16]
    ((level, seq, kept),) = centre.rows("SELECT level, seq, kept FROM conflicts")
    assert (level, seq, kept) == ("landed", 10, unit.journal[Stream.VITALS][9].head[:16])
    assert centre.value("SELECT count(*) FROM landing") == 2
    assert [code for (code,) in centre.rows("SELECT code FROM alarms")] == ["conflict"]
    centre.land(other.batch(Stream.VITALS, 9, 10))
    assert centre.value("SELECT count(*) FROM alarms") == 1


def test_a_wider_batch_with_another_end_does_not_replace_the_head_either(centre: Centre, unit: Unit) -> None:
    other = unit.fork(Stream.VITALS, 9)
    other.observe(os.urandom(16), os.urandom(16), "spo2", 91)
    centre.land(unit.batch(Stream.VITALS, 9, 10))
    (receipt,) = centre.land(other.batch(Stream.VITALS, 1, 10))
    assert receipt.streams[Stream.VITALS].through == 10
    assert receipt.streams[Stream.VITALS].head == unit.journal[Stream.VITALS][9].head[:16]


def test_each_unit_and_epoch_is_receipted_by_itself(centre: Centre, unit: Unit) -> None:
    other = centre.unit("van-08")
    receipts = centre.land(unit.batch(Stream.VITALS, 1, 10), other.batch(Stream.VITALS, 1, 1))
    assert {receipt.unit: receipt.streams[Stream.VITALS].through for receipt in receipts} == {
        "van-07": 10,
        "van-08": 1,
    }


def resealed_by(stranger: Unit, unit: Unit) -> Upward:
    """The unit's entries, sealed and signed by somebody else in its name."""
    sealer = BoxSealer(unit.name, unit.realm, unit.epoch, stranger.sign_private, unit.keyset)
    sealer.key_message(unit.tips())
    return Upward(
        topics.up(unit.name, "vitals"), sealer.seal(unit.journal[Stream.VITALS][:3], unit.tips()).content
    )


def test_an_unknown_unit_is_counted_and_dropped(centre: Centre) -> None:
    stranger = centre.unit("van-99", enrolled=False)
    assert centre.land(stranger.key_message(), stranger.batch(Stream.VITALS, 1, 1)) == []
    assert centre.counters() == {("", "dropped-unit-unknown"): 2}
    assert centre.rows("SELECT * FROM landing") == []


def test_another_units_key_is_counted_and_dropped(centre: Centre, unit: Unit) -> None:
    assert centre.land(resealed_by(centre.unit("van-08"), unit)) == []
    assert centre.counters() == {("van-07", "dropped-kid"): 1}


def test_the_other_realm_is_counted_and_dropped(centre: Centre, unit: Unit) -> None:
    unit.realm = "production"
    unit.new_session()
    assert centre.land(unit.key_message(), unit.batch(Stream.VITALS, 1, 3)) == []
    assert centre.counters() == {("van-07", "dropped-realm"): 2}


def test_a_batch_under_another_units_topic_is_counted_and_dropped(centre: Centre, unit: Unit) -> None:
    other = centre.unit("van-08")
    batch = unit.batch(Stream.VITALS, 1, 3).payload
    assert centre.land(Upward(topics.up(other.name, "vitals"), batch)) == []
    assert centre.counters() == {("van-08", "dropped-kid"): 1}


def test_a_unit_that_names_another_in_its_header_is_counted_and_dropped(centre: Centre, unit: Unit) -> None:
    centre.unit("van-08")
    sealer = BoxSealer("van-08", "training", unit.epoch, unit.sign_private, unit.keyset)
    message = sealer.key_message(unit.tips())
    assert centre.land(Upward(topics.up("van-07", "key"), message.content)) == []
    assert centre.counters() == {("van-07", "dropped-unit"): 1}


@pytest.mark.parametrize("word", ["alert", "key", "void"])
def test_a_batch_under_another_word_is_counted_and_dropped(centre: Centre, unit: Unit, word: str) -> None:
    assert centre.land(Upward(topics.up("van-07", word), unit.batch(Stream.VITALS, 1, 3).payload)) == []
    ((name, code),) = centre.counters()
    assert name == "van-07"
    assert code in {"dropped-topic", "dropped-signature"}


@pytest.mark.parametrize(
    "topic", ["qafila/v1/van-07/receipt/landed", "qafila/v1/van-07/up", "x", "qafila/v1/van-07/up/other"]
)
def test_a_topic_that_is_not_ours_is_counted_and_dropped(centre: Centre, unit: Unit, topic: str) -> None:
    assert centre.land(Upward(topic, unit.batch(Stream.VITALS, 1, 3).payload)) == []
    assert centre.counters() == {("", "dropped-topic"): 1}


def test_no_flipped_bit_lands(centre: Centre, unit: Unit) -> None:
    message = unit.batch(Stream.VITALS, 1, 3)
    flipped: list[Upward] = []
    for at in range(len(message.payload)):
        raw = bytearray(message.payload)
        raw[at] ^= 1 << at % 8
        flipped.append(Upward(message.topic, bytes(raw)))
    assert centre.land(*flipped) == []
    assert centre.rows("SELECT * FROM landing") == []
    assert sum(centre.counters().values()) == len(flipped)


def test_no_truncation_lands(centre: Centre, unit: Unit) -> None:
    message = unit.batch(Stream.VITALS, 1, 3)
    cut = [Upward(message.topic, message.payload[:size]) for size in range(len(message.payload))]
    assert centre.land(*cut, Upward(message.topic, message.payload + b"\x00")) == []
    assert centre.land(Upward(message.topic, message.payload + bytes(300_000))) == []
    assert centre.rows("SELECT * FROM landing") == []


def of_the_other_realm(_centre: Centre, unit: Unit) -> Upward:
    unit.realm = "production"
    unit.new_session()
    return unit.batch(Stream.VITALS, 1, 3)


def with_a_bad_signature(_centre: Centre, unit: Unit) -> Upward:
    message = unit.batch(Stream.VITALS, 1, 3)
    return Upward(message.topic, message.payload[:-1] + bytes([message.payload[-1] ^ 1]))


REFUSED: dict[str, Callable[[Centre, Unit], Upward]] = {
    "unit-unknown": lambda centre, _: centre.unit("van-99", enrolled=False).batch(Stream.VITALS, 1, 1),
    "realm": of_the_other_realm,
    "signature": with_a_bad_signature,
    "kid": lambda centre, unit: resealed_by(centre.unit("van-08"), unit),
    "too-large": lambda _, unit: Upward(topics.up(unit.name, "vitals"), bytes(300_000)),
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_is_dropped_is_told_in_a_sentence_with_the_next_step(
    centre: Centre, unit: Unit, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    message = REFUSED[code](centre, unit)
    for _ in range(12):
        assert centre.land(message) == []
    assert centre.value("SELECT count(*) FROM landing") == 0
    told = [vars(record) for record in caplog.records if record.name == "qafila.central"]
    assert [(each["msg"], each["code"], each["times"]) for each in told] == [
        ("message-dropped", code, times) for times in (1, 10)
    ]
    (sentence, next_step) = DROPPED[code]
    assert (told[0]["sentence"], told[0]["next"]) == (sentence, next_step)
    assert told[0]["unit"] == ("" if code == "unit-unknown" else "van-07")
    line = EventAndFields().format(caplog.records[-1])
    assert f"code={code}" in line
    assert f"sentence={sentence} next={next_step}" in line
    assert "Alaoui" not in line
    assert "van-99" not in line, "a name that anybody may invent fills no log"


def test_strangers_do_not_keep_the_others_of_a_group_from_landing(centre: Centre, unit: Unit) -> None:
    stranger = centre.unit("van-99", enrolled=False)
    (receipt,) = centre.land(
        stranger.key_message(), unit.batch(Stream.VITALS, 1, 10), Upward("x", b""), unit.key_message()
    )
    assert receipt.streams[Stream.VITALS].through == 10


def test_many_invented_names_fill_no_table(centre: Centre) -> None:
    centre.land(*(Upward(topics.up(f"van-{number}", "vitals"), b"") for number in range(100)))
    assert centre.counters() == {("", "dropped-unit-unknown"): 100}


def test_a_landing_that_fails_half_way_leaves_nothing(
    centre: Centre, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails within the transaction takes all of it along; the next receipt is the first."""
    message = unit.batch(Stream.VITALS, 1, 10)

    def fails(*_: object, **__: object) -> None:
        raise OSError("power cut")

    monkeypatch.setattr("sync.central.spans.add", fails)
    with pytest.raises(OSError, match="power cut"):
        centre.land(message)
    monkeypatch.undo()
    assert centre.rows("SELECT * FROM landing") == []
    assert centre.rows("SELECT * FROM receipts") == []
    (receipt,) = centre.land(message)
    assert receipt.rseq == 1


def test_receipts_are_signed_for_what_another_connection_can_see(centre: Centre, unit: Unit) -> None:
    """By the time `land` gives a receipt, what it speaks of is committed."""
    receipts = centre.land(unit.batch(Stream.VITALS, 1, 10))
    onlooker = database.connect(centre.home.database)
    assert onlooker.execute("SELECT max(last) FROM landing").fetchone() == (10,)
    assert onlooker.execute("SELECT rseq FROM receipts").fetchone() == (receipts[0].rseq,)
    onlooker.close()


def test_the_database_is_durable_and_owned(centre: Centre) -> None:
    assert centre.value("PRAGMA journal_mode") == "wal"
    assert centre.value("PRAGMA synchronous") == 2
