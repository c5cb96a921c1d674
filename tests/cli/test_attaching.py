"""What a stick may hold in the place of a photo: nothing of it is opened that is no file."""

import os
from pathlib import Path

import pytest

from cli.attaching import read_file
from cli.attachment_texts import in_words
from cli.files import FileRefused
from edge.attachments.limits import MAX_BYTES


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "good.jpg").write_bytes(b"photo")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "good.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "empty.jpg").write_bytes(b"")
    with (tmp_path / "large.jpg").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with (tmp_path / "just.jpg").open("wb") as file:
        file.truncate(MAX_BYTES)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("link.jpg", "no-file"),
        ("pipe.jpg", "no-file"),
        ("folder.jpg", "no-file"),
        ("/dev/zero", "no-file"),
        ("empty.jpg", "attachment-empty"),
        ("large.jpg", "attachment-too-large"),
        ("none.jpg", "file-missing"),
        ("good.jpg/x", "file-refused"),
    ],
)
def test_what_is_no_file_or_too_large_is_refused_unread(stick: Path, name: str, code: str) -> None:
    with pytest.raises(FileRefused) as refused:
        read_file(stick / name)
    assert refused.value.stable_code == code
    assert refused.value.next_step


def test_ten_megabytes_are_taken(stick: Path) -> None:
    assert read_file(stick / "good.jpg") == b"photo"
    assert len(read_file(stick / "just.jpg")) == MAX_BYTES


def test_a_caption_from_elsewhere_cannot_steer_the_terminal() -> None:
    shown: dict[str, object] = {
        "attachment": "01997f3e5d3a7c419a550c8be7a2f901",
        "media": "image/jpeg\x1b[2J",
    }
    shown |= {"size": 1_234_567, "received": 2, "parts": 5, "caption": "\x1b[31mrouge"}
    said = in_words(shown)
    assert "\x1b" not in said
    assert "1.2 MB, 2 of 5 parts received" in said
