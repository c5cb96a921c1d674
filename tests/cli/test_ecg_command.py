"""`qafila ecg beats` on files as people bring them."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cli.main import build, run

VECTORS = Path(__file__).parents[1] / "vectors" / "ecg"
NOISY = VECTORS / "mitbih-105-1190s.i16.gz"


def told(capsys: pytest.CaptureFixture[str], path: Path, *words: str) -> dict[str, Any]:
    arguments = ["ecg", "beats", str(path), "--rate", "360", "--gain", "200", "--json", *words]
    build(["ecg"])(arguments, standalone_mode=False)
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_packed_and_plain_are_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = VECTORS / "mitbih-100-0s.i16.gz"
    plain = tmp_path / "lead.i16"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    answer = told(capsys, packed)
    assert answer == told(capsys, plain)
    assert len(answer["beats"]) == 74
    assert 70 < answer["rate"] < 80
    assert (answer["irregular"], answer["hint"]) == (False, None)


def test_a_rate_that_cannot_be_relied_on_is_not_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "noisy.i16"
    cut.write_bytes(gzip.decompress(NOISY.read_bytes())[: 2 * 360 * 30])
    assert told(capsys, cut)["rate"] is None
    build(["ecg"])(["ecg", "beats", str(cut), "--rate", "360", "--gain", "200"], standalone_mode=False)
    assert "not reliable" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ()),
        (b"\x00\x01\x02", ()),
        (b"\x1f\x8b\x08\x00rubbish", ()),
        (gzip.compress(b"\x00\x00" * 5000, mtime=0)[:-9], ()),
        (b"\x00\x00" * 100, ("--rate", "0")),
        (b"\x00\x00" * 100, ("--rate", "nan")),
        (b"\x00\x00" * 100, ("--gain", "0")),
        (b"\x00\x00" * 100, ("--gain", "nan")),
        (None, ()),
    ],
    ids=range(9),  # the contents themselves would be the names
)
def test_what_is_no_recording_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: bytes | None,
    words: tuple[str, ...],
) -> None:
    path = tmp_path / "lead.i16"
    if content is not None:
        path.write_bytes(content)
    arguments = ["ecg", "beats", str(path), "--rate", "360", "--gain", "200", "--json", *words]
    monkeypatch.setattr("sys.argv", ["qafila", *arguments])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "recording-refused"
    assert error["next"]
