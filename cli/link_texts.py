"""What `qafila status` and `qafila sync status` say of what waits for the link."""

from collections.abc import Mapping
from typing import Any

from edge.i18n.amounts import waits
from edge.i18n.catalogue import Catalogue
from edge.localapi.shapes import WaitingShown


def link_waits(say: Catalogue, link: Mapping[str, Any]) -> list[str]:
    """One line on what waits and how long it takes; none when the uplink has not said."""
    if link.get("waiting") is None:
        return []
    waiting = WaitingShown.model_validate(link["waiting"])
    return [f"to send   {waits(say, waiting, connected=link['connected'])}"]
