"""`qafila ecg …`: what a program sees in an ECG recording, for a doctor to read."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import Anywhere, AsJson

app = typer.Typer(no_args_is_help=True)

HINT = "The intervals between beats are irregular: to be read by a doctor."


@app.callback()
def group() -> None:
    """What a program sees in an ECG recording, for a doctor to read."""


@app.command(epilog="Example: qafila ecg beats lead-ii.i16.gz --rate 250 --gain 200")
def beats(
    file: Annotated[Path, typer.Argument(help="Samples of one lead, int16 little-endian; gzip is accepted.")],
    rate: Annotated[float, typer.Option(help="Samples a second, 50 to 4000.")],
    gain: Annotated[float, typer.Option(help="Units of the samples in one millivolt.")],
    as_json: AsJson = False,
    _home: Anywhere = None,
) -> None:
    """Beats of one lead, the heart rate, and how far each ten seconds may be relied on. No diagnosis."""
    from cli.ecg_files import read_samples
    from cli.output import emit
    from edge.signals import ecg_quality, qrs

    raw = read_samples(file, rate, gain)
    found = qrs.beats(raw / gain, rate)
    judged = ecg_quality.windows(raw, gain, rate, found)
    reliable = ecg_quality.rate_is_reliable(judged, found, len(raw), rate)
    per_min = qrs.rate_per_min(found, rate) if reliable else None
    irregular = ecg_quality.intervals_are_irregular(found)
    answer: dict[str, Any] = {
        "beats": found.tolist(),
        "rate": None if per_min is None else round(per_min, 1),
        "quality": [
            {
                "from_s": each.from_s,
                "quality": each.quality.value,
                "failing": list(each.failing),
                **each.measures,
            }
            for each in judged
        ],
        "irregular": irregular,
        "hint": HINT if irregular else None,
    }
    emit(answer, as_json=as_json, human=lambda: _text(answer, len(raw) / rate))


def _text(answer: dict[str, Any], seconds: float) -> str:
    rate = "not reliable" if answer["rate"] is None else f"{answer['rate']:.0f} a minute, of the last beats"
    good = sum(each["quality"] == "good" for each in answer["quality"])
    lines = [
        f"beats     {len(answer['beats'])} in {seconds:.1f} s",
        f"rate      {rate}",
        f"quality   {good} of {len(answer['quality'])} windows of ten seconds are good",
    ]
    lines += [
        f"          from {each['from_s']:g} s: {each['quality']}"
        + (f" ({', '.join(each['failing'])})" if each["failing"] else "")
        for each in answer["quality"]
        if each["quality"] != "good"
    ]
    return "\n".join([*lines, *([answer["hint"]] if answer["hint"] else [])])
