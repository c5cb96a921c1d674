"""Tables: the lock, the roles, states of records, and that handlers and messages agree."""

import inspect
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.agent.lockstate import TRANSITIONS, Event, State, after
from edge.agent.permissions import ALLOWED, PATIENT_TOPICS, WITHOUT_SESSION, Role, may, may_follow
from edge.agent.service import Agent
from edge.agent.states import Progress, RecordState, cut, runs, state_of_all, uncovered
from edge.localapi.messages import METHODS
from edge.records.fields import Stream
from tests.edge.agent.agent_world import World


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair_of_state_and_event_moves_by_the_table_or_not_at_all(state: State, event: Event) -> None:
    assert after(state, event) is TRANSITIONS.get((state, event), state)


def test_only_a_right_pin_leads_out_of_locked_and_only_opening_to_unlocked() -> None:
    assert {event for (state, event) in TRANSITIONS if state is State.LOCKED} == {Event.PIN_RIGHT}
    assert {state for (state, _), to in TRANSITIONS.items() if to is State.UNLOCKED} == {State.OPENING}


def test_every_state_can_be_left_and_leads_back_to_locked() -> None:
    reached = {State.LOCKED}
    while grown := {state for (state, _), to in TRANSITIONS.items() if to in reached} - reached:
        reached |= grown
    assert reached == set(State)


def test_every_method_has_roles_or_needs_no_session() -> None:
    assert set(ALLOWED) | WITHOUT_SESSION == set(METHODS)
    assert not set(ALLOWED) & WITHOUT_SESSION
    assert set(METHODS) >= {"status", "metrics", "sign-in", "recover.ask", "recover"} == WITHOUT_SESSION


def test_a_technician_meets_no_patient() -> None:
    allowed = {method for method in METHODS if may(Role.TECHNICIAN, method)}
    of_devices = {
        f"device.{what}"
        for what in ("scan", "pair", "passkey", "forget", "secret", "test", "listen", "record")
    }
    assert allowed - of_devices - {"recording.open"} == {
        *("sign-out", "lock", "snapshot", "subscribe", "users.list", "pin.change", "present", "store.verify"),
        *("break-glass", "store.backup", "site.list", "site.arrive"),
        *("sync.now", "sync.quarantine", "sync.retry"),
    }
    assert of_devices < allowed
    assert not any(may_follow(Role.TECHNICIAN, topic) for topic in PATIENT_TOPICS)
    assert not may("stranger", "status")


def test_every_method_has_a_handler_that_takes_its_fields(world: World) -> None:
    handlers = Agent(world.parts()).handlers()
    assert set(handlers) == set(METHODS)
    for method, handler in handlers.items():
        _, *fields = inspect.signature(handler).parameters.values()
        required = {field.name for field in fields}
        assert required == set(METHODS[method].takes.model_fields), method
        assert all(field.default is inspect.Parameter.empty for field in fields), method


def test_states_in_their_order() -> None:
    progress = Progress(tip=10, landed=6, opened=3, sent=((7, 7), (9, 9)))
    states = [progress.state_of(seq).value for seq in (3, 4, 6, 7, 8, 9, 10)]
    assert states == ["received", "arrived", "arrived", "sent", "saved", "sent", "saved"]
    assert progress.sent_through == 7


def test_a_whole_is_as_far_as_its_last_part() -> None:
    progress = {stream: Progress(10, 6, 3) for stream in Stream}
    assert state_of_all(progress, [(Stream.VITALS, 3), (Stream.ALERT, 4)]) is RecordState.ARRIVED
    assert state_of_all(progress, []) is RecordState.RECEIVED


spans = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 6)).map(lambda s: (s[0], s[0] + s[1])))


@given(st.integers(0, 20), st.integers(0, 30), spans)
def test_what_is_uncovered_is_exactly_what_no_span_holds(
    landed: int, tip: int, covered: list[tuple[int, int]]
) -> None:
    held = {seq for first, last in covered for seq in range(first, last + 1)}
    gaps = uncovered(landed, tip, covered)
    missing = [seq for first, last in gaps for seq in range(first, last + 1)]
    assert missing == [seq for seq in range(landed + 1, tip + 1) if seq not in held]


@given(spans, st.integers(1, 7))
def test_joining_and_cutting_loses_nothing(given_: list[tuple[int, int]], most: int) -> None:
    everything = {seq for first, last in given_ for seq in range(first, last + 1)}
    joined = runs(given_)
    assert {seq for first, last in joined for seq in range(first, last + 1)} == everything
    assert all(b[0] > a[1] + 1 for a, b in itertools.pairwise(joined))
    pieces = [piece for span in joined for piece in cut(span, most)]
    assert [seq for first, last in pieces for seq in range(first, last + 1)] == sorted(everything)
    assert all(last - first < most for first, last in pieces)
