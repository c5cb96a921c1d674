"""The page after a fault of ours: where it was, never what was in it."""

import traceback
from collections.abc import Sequence

from textual.worker import WorkerFailed

from edge.i18n.catalogue import Catalogue


def crash_page(say: Catalogue, error: BaseException | None, reference: str) -> Sequence[str]:
    """What a person reads after a fault of ours: where it was, never what was in it."""
    inner = error.error if isinstance(error, WorkerFailed) else error
    while inner is not None and inner.__cause__ is not None:
        inner = inner.__cause__
    frames = traceback.extract_tb(inner.__traceback__)[-3:] if inner is not None else []
    where = " < ".join(f"{f.filename.rsplit('/', 2)[-1]}:{f.lineno}" for f in reversed(frames))
    kind = type(inner).__name__ if inner is not None else "?"
    return (
        say("crash.title", reference=reference),
        say("crash.safe"),
        say("crash.next"),
        f"[{reference}] {kind} {where}",
    )
