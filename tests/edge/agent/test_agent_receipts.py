"""What a receipt changes: pure, with honest, foreign, old, lying and random receipts."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.agent.receipts import LANDED, OPENED, Judgement, Move, Refused, Standing, judge
from edge.audit.chain import VISIBLE_HEAD_BYTES
from edge.ports.sealing import Nack, Receipt, StreamReceipt
from edge.records.fields import Stream
from edge.store.rows import Watermark

EPOCH = bytes(8)


def head(stream: Stream, seq: int) -> bytes:
    return bytes([stream]) + seq.to_bytes(31)


def honest(stream: Stream, through: int) -> StreamReceipt:
    return StreamReceipt(through, head(stream, through)[:VISIBLE_HEAD_BYTES], through)


def standing(**changes: object) -> Standing:
    marks = {stream: Watermark(tip=20, landed=10, opened=5, stopped=None) for stream in Stream}
    made = Standing(
        unit="van-07",
        epoch=EPOCH,
        generations=(1, 2),
        generation={LANDED: 1, OPENED: 1},
        rseq={LANDED: 7, OPENED: 7},
        watermarks=marks,
        head_at=lambda stream, seq: head(stream, seq) if 1 <= seq <= 20 else None,
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]  # each test names a field


def receipt(streams: Mapping[Stream, StreamReceipt] | None = None, **changes: object) -> Receipt:
    given_ = streams if streams is not None else {Stream.VITALS: honest(Stream.VITALS, 15)}
    made = Receipt(LANDED, "van-07", EPOCH, 1, 8, given_, (), (), (), 0, 0, 0)
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]  # each test names a field


def test_an_honest_receipt_moves_its_watermark() -> None:
    judgement = judge(receipt(), standing())
    assert judgement.believed
    assert judgement.moves == (Move(LANDED, Stream.VITALS, 15, new_generation=False),)
    assert judgement.refused == ()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"unit": "van-08"}, Refused.FOREIGN),
        ({"epoch": bytes([1] * 8)}, Refused.OTHER_EPOCH),
        ({"generation": 3}, Refused.UNKNOWN_GENERATION),
        ({"rseq": 6}, Refused.OLD_RSEQ),
        ({"level": "sent"}, Refused.LEVEL),
    ],
)
def test_a_receipt_that_is_not_ours_or_not_new_changes_nothing(changes: dict[str, Any], code: str) -> None:
    assert judge(receipt(**changes), standing()) == Judgement(refused=(Refused(code),))


def test_an_older_generation_is_refused() -> None:
    old = judge(receipt(rseq=99), standing(generation={LANDED: 2, OPENED: 2}))
    assert old == Judgement(refused=(Refused.OLD_GENERATION,))


def test_the_same_receipt_again_moves_nothing_but_what_it_asks_for_stands() -> None:
    again = judge(receipt(rseq=7, nacks=(Nack(Stream.VITALS, 1, 2, "key"),)), standing())
    assert not again.believed
    assert again.moves == ()
    assert again.refused == ()
    assert again.reseal == ((Stream.VITALS, (1, 2)),)


def test_another_head_stops_the_stream_and_only_that() -> None:
    lying = StreamReceipt(15, bytes(VISIBLE_HEAD_BYTES), 15)
    streams = {Stream.VITALS: lying, Stream.ALERT: honest(Stream.ALERT, 12)}
    judgement = judge(receipt(streams), standing())
    assert judgement.stops == ((Stream.VITALS, "head-mismatch"),)
    assert judgement.refused == (Refused.HEAD_MISMATCH,)
    assert judgement.moves == (Move(LANDED, Stream.ALERT, 12, new_generation=False),)


def test_a_receipt_beyond_our_tip_stops_the_stream() -> None:
    judgement = judge(receipt({Stream.VITALS: honest(Stream.VITALS, 21)}), standing())
    assert judgement.stops == ((Stream.VITALS, "beyond-tip"),)
    assert judgement.refused == (Refused.BEYOND_TIP,)
    assert judgement.moves == ()


def test_entries_seen_beyond_our_tip_stop_the_stream_though_they_have_not_all_come() -> None:
    seen = StreamReceipt(15, honest(Stream.VITALS, 15).head, 23, ((16, 22),))
    judgement = judge(receipt({Stream.VITALS: seen}), standing())
    assert judgement.stops == ((Stream.VITALS, "beyond-tip"),)
    assert judgement.moves == ()


def test_a_watermark_never_falls_within_a_generation() -> None:
    judgement = judge(receipt({Stream.VITALS: honest(Stream.VITALS, 9)}), standing())
    assert judgement.moves == ()
    assert judgement.refused == (Refused.FALLS,)


def test_a_stopped_stream_stays_where_it_is() -> None:
    marks = dict(standing().watermarks) | {Stream.VITALS: Watermark(20, 10, 5, "head-mismatch")}
    judgement = judge(receipt(), standing(watermarks=marks))
    assert judgement.moves == ()
    assert judgement.refused == (Refused.STREAM_STOPPED,)


def test_a_restored_centre_sets_what_it_has_and_takes_back_what_it_does_not_say() -> None:
    judgement = judge(receipt({Stream.VITALS: honest(Stream.VITALS, 4)}, generation=2, rseq=1), standing())
    moves = {(move.level, move.stream): move.through for move in judgement.moves}
    assert all(move.new_generation for move in judgement.moves)
    assert moves == {(LANDED, s): 4 if s is Stream.VITALS else 0 for s in Stream} | {
        (OPENED, s): 0 for s in Stream
    }


def test_what_a_restored_centre_has_opened_has_landed() -> None:
    opened = receipt({Stream.VITALS: honest(Stream.VITALS, 4)}, level=OPENED, generation=2, rseq=1)
    moves = {(move.level, move.stream): move.through for move in judge(opened, standing()).moves}
    assert moves[OPENED, Stream.VITALS] == 4
    assert moves[LANDED, Stream.VITALS] == 4
    assert moves[LANDED, Stream.ALERT] == 0


def test_a_restored_centre_with_another_head_moves_nothing_there() -> None:
    lying = {Stream.VITALS: StreamReceipt(4, bytes(VISIBLE_HEAD_BYTES), 4)}
    judgement = judge(receipt(lying, generation=2, rseq=1), standing())
    assert judgement.stops == ((Stream.VITALS, "head-mismatch"),)
    assert not [move for move in judgement.moves if move.stream is Stream.VITALS]


@pytest.mark.parametrize(("first", "n"), [(0, 3), (19, 3), (5, 0), (21, 1)])
def test_a_nack_of_what_we_do_not_have_seals_nothing(first: int, n: int) -> None:
    judgement = judge(receipt(nacks=(Nack(Stream.VITALS, first, n, "key"),)), standing())
    assert judgement.reseal == ()
    assert Refused.NACK_BEYOND_TIP in judgement.refused


marks = st.builds(
    lambda parts: Watermark(parts[2], parts[1], parts[0], None),
    st.lists(st.integers(0, 20), min_size=3, max_size=3).map(sorted),
)
streams = st.dictionaries(
    st.sampled_from(Stream),
    st.builds(
        lambda through, lies, stream: StreamReceipt(
            through,
            bytes(VISIBLE_HEAD_BYTES) if lies else head(stream, through)[:VISIBLE_HEAD_BYTES],
            through,
        ),
        st.integers(0, 25),
        st.booleans(),
        st.sampled_from(Stream),
    ),
)
received = st.builds(
    receipt,
    streams,
    level=st.sampled_from([LANDED, OPENED]),
    generation=st.integers(1, 3),
    rseq=st.integers(1, 9),
)


@given(received, st.fixed_dictionaries(dict.fromkeys(Stream, marks)))
def test_whatever_comes_nothing_moves_without_an_equal_head_within_our_tip(
    came: Receipt, watermarks: dict[Stream, Watermark]
) -> None:
    us = standing(watermarks=watermarks)
    judgement = judge(came, us)
    for move in judgement.moves:
        mark = watermarks[move.stream]
        assert move.through <= mark.tip
        if move.through > 0:
            stated = came.streams[move.stream]
            assert stated.head == head(move.stream, move.through)[:VISIBLE_HEAD_BYTES]
            assert stated.through == move.through
        if not move.new_generation:
            assert move.level == came.level
            assert move.through > (mark.landed if move.level == LANDED else mark.opened)
        else:
            assert came.generation > us.generation[came.level]
    if judgement.moves:
        assert judgement.believed
    if judgement.believed:
        level, generation = came.level, came.generation
        assert generation > us.generation[level] or came.rseq > us.rseq[level]
