"""What a wanted device's history allows: states as a table, rests, quarantine, lost bonds."""

import itertools
import random

import pytest

from drivers.transport.ladder import PATIENCE, STEP_EVERY_S, Ladder, Step
from drivers.transport.peer import (
    FAILURES,
    LONGEST_REST_S,
    TRANSITIONS,
    WITHIN_S,
    Event,
    Peer,
    State,
)


def peer() -> Peer:
    return Peer(random.Random(7))  # noqa: S311  spreads waits


def state(device: Peer) -> State:
    """Read anew: a type checker believes that it stays what it was."""
    return device.state


def fail(device: Peer, now_s: float) -> None:
    device.on(Event.ADVERTISED)
    device.on(Event.CONNECT_BEGUN)
    device.failed(now_s)


@pytest.mark.parametrize(("before", "event"), itertools.product(State, Event))
def test_a_pair_of_state_and_event_is_in_the_table_or_changes_nothing(before: State, event: Event) -> None:
    device = peer()
    device.state = before
    device.on(event)
    assert device.state is TRANSITIONS.get((before, event), before)


def test_the_way_of_a_cuff_that_speaks_and_hangs_up() -> None:
    device = peer()
    seen = [device.state]
    for event in (
        Event.ADVERTISED,
        Event.PAIRING_BEGUN,
        Event.CONNECTED,
        Event.HUNG_UP,
        Event.RELEASED,
    ):
        device.on(event)
        seen.append(device.state)
    assert seen == [
        State.ABSENT,
        State.SEEN,
        State.PAIRING,
        State.READY,
        State.DRAINING,
        State.ABSENT,
    ]


@pytest.mark.parametrize("start", State)
def test_no_state_is_a_trap(start: State) -> None:
    reached = {start}
    while True:
        more = {to for (source, _), to in TRANSITIONS.items() if source in reached} - reached
        if not more:
            break
        reached |= more
    assert State.READY in reached


def test_rests_grow_with_each_failure_and_a_session_that_speaks_ends_them() -> None:
    device = peer()
    now_s, rests = 0.0, []
    for _ in range(FAILURES - 1):
        fail(device, now_s)
        rest_s = device.rests_for_s(now_s)
        assert rest_s is not None
        rests.append(rest_s)
        assert not device.may_connect(now_s + rest_s / 2)
        now_s += rest_s
        assert device.may_connect(now_s)
        assert device.rests_for_s(now_s) is None
    for expected, rest_s in zip((0.25, 0.5, 1.0, 2.0), rests, strict=True):
        assert 0.8 * expected <= rest_s <= 1.2 * expected
    device.on(Event.ADVERTISED)
    device.released(spoke=True)
    fail(device, now_s)
    assert device.state is State.RESTING
    assert (device.rests_for_s(now_s) or 0) <= 0.3


def test_no_rest_is_longer_than_a_minute() -> None:
    device = peer()
    now_s = 0.0
    for _ in range(50):
        fail(device, now_s)
        assert (device.rests_for_s(now_s) or 0) <= LONGEST_REST_S * 1.2
        now_s += WITHIN_S  # never five within ten minutes
    assert device.state is State.RESTING


def test_five_failures_in_ten_minutes_put_a_device_aside_for_ten_minutes() -> None:
    device = peer()
    for now_s in range(0, 500, 100):
        assert device.may_connect(now_s)
        fail(device, now_s)
    assert device.state is State.QUARANTINED
    assert not device.may_connect(400 + WITHIN_S - 1)
    assert device.may_connect(400 + WITHIN_S)


def test_somebody_who_asks_gets_another_try_at_once() -> None:
    device = peer()
    for now_s in range(0, 50, 10):
        device.wake(now_s)
        fail(device, now_s)
    assert device.state is State.QUARANTINED
    device.forgive()
    assert device.may_connect(50)


def test_keys_refused_twice_are_a_lost_bond_and_time_does_not_heal_it() -> None:
    device = peer()
    device.on(Event.ADVERTISED)
    device.keys_refused(0)
    assert state(device) is State.RESTING
    assert device.may_connect(1)
    device.on(Event.ADVERTISED)
    device.keys_refused(1)
    assert state(device) is State.BOND_LOST
    assert not device.may_connect(10**9)


def test_keys_refused_once_are_forgotten_when_the_device_speaks() -> None:
    device = peer()
    for now_s in (0, 100, 200):
        assert device.may_connect(now_s)
        device.on(Event.ADVERTISED)
        device.keys_refused(now_s)
        assert device.state is State.RESTING
        assert device.may_connect(now_s + 50)
        device.on(Event.ADVERTISED)
        device.released(spoke=True)


def test_the_adapters_fault_is_not_the_devices() -> None:
    device = peer()
    for _ in range(100):
        assert device.may_connect(0)
        device.on(Event.ADVERTISED)
        device.on(Event.CONNECT_BEGUN)
        device.on(Event.ADAPTER_FAILED)
    assert device.state is State.ABSENT


def test_the_ladder_is_climbed_one_step_for_every_few_troubles() -> None:
    ladder = Ladder()
    steps = [ladder.trouble(0) for _ in range(4 * PATIENCE)]
    assert [step for step in steps if step is not None] == list(Step)
    assert all(step is None for at, step in enumerate(steps, 1) if at % PATIENCE)


def test_no_step_is_taken_twice_within_ten_minutes() -> None:
    ladder = Ladder()
    taken: dict[Step, float] = {}
    for now_s in range(0, 3600, 7):
        step = ladder.climb(now_s)
        if step is not None:
            assert now_s - taken.get(step, -STEP_EVERY_S) >= STEP_EVERY_S
            taken[step] = now_s
    assert set(taken) == set(Step)


def test_the_adapter_is_down_after_a_few_troubles_and_up_when_it_works() -> None:
    ladder = Ladder()
    pauses = []
    for _ in range(12):
        ladder.trouble(0)
        pauses.append(ladder.pause_s())
    assert ladder.down
    assert pauses[0] == 0.25
    assert pauses == sorted(pauses)
    assert pauses[-1] == 10
    ladder.well()
    assert not ladder.down
