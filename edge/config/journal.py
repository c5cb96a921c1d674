"""What becomes of what was written: how it leaves, by which link, and how long it is kept."""

from typing import Annotated, Literal

from pydantic import Field

from edge.config.section import Section


class SealSection(Section):
    """How entries leave."""

    batch: Annotated[int, Field(ge=1, le=4096, description="how many entries a merged batch aims at")] = 200


class LinkSection(Section):
    """The way to the centre, and what it may cost."""

    profile: Annotated[
        Literal["satellite", "2g", "4g", "wifi"],
        Field(description="what kind of link it is: how patient to be, and how many bytes a day"),
    ] = "4g"
    day_mb: Annotated[
        int | None,
        Field(ge=0, le=1_000_000, description="megabytes the link may carry in a day; 0 without bound"),
    ] = None


class MetricsSection(Section):
    """What the unit says of itself to programs that watch units; it names no patient."""

    port: Annotated[
        int,
        Field(
            ge=0,
            le=65535,
            description="where the uplink publishes OpenMetrics, on this machine only (the system unit allows"
            " 9464); 0 publishes nothing",
        ),
    ] = 0


class KeepingSection(Section):
    """How long what the centre has opened is kept here; what it has not is kept for ever."""

    values_days: Annotated[
        int,
        Field(ge=30, le=3650, description="values and alerts of a visit, but for a patient's last one"),
    ] = 400
    waves_days: Annotated[int, Field(ge=1, le=3650, description="samples of ECG and other waves")] = 7
    attachments_days: Annotated[
        int, Field(ge=1, le=3650, description="bytes of photos and documents that requests had with them")
    ] = 30
    frames_days: Annotated[int, Field(ge=1, le=400, description="the bytes that devices sent")] = 7
