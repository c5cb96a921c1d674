"""What cannot be played, and what a person is told to do instead."""

import pytest

from cli.device_recording import play
from cli.device_texts import played_for_people
from edge.security.recordings import RecordingRefused


@pytest.mark.parametrize(
    ("text", "code"), [(b"", "recording-empty"), (b"\n", "recording-empty"), (b"x\n", "not-a-recording")]
)
def test_a_recording_in_which_nothing_passed_is_told_from_a_file_that_is_none(text: bytes, code: str) -> None:
    with pytest.raises(RecordingRefused) as refused:
        play(text, real_time=False)
    assert refused.value.stable_code == code
    assert refused.value.next_step


@pytest.mark.parametrize(("differences", "often"), [(1, "once"), (2, "2 times")])
def test_how_often_the_driver_wrote_otherwise_is_said(differences: int, often: str) -> None:
    answer = {"kind": "nonin", "lasts_s": 1.0, "sessions": 1, "readings": [], "waves": [], "whole": True}
    said = played_for_people({**answer, "differences": differences, "ended": "recording-over"})
    assert f"than the recorded one {often}: " in said
