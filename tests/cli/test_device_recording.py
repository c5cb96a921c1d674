"""What cannot be played, and what a person is told to do instead."""

import pytest

from cli.device_recording import play
from edge.security.recordings import RecordingRefused


@pytest.mark.parametrize(
    ("text", "code"), [(b"", "recording-empty"), (b"\n", "recording-empty"), (b"x\n", "not-a-recording")]
)
def test_a_recording_in_which_nothing_passed_is_told_from_a_file_that_is_none(text: bytes, code: str) -> None:
    with pytest.raises(RecordingRefused) as refused:
        play(text, real_time=False)
    assert refused.value.stable_code == code
    assert refused.value.next_step
