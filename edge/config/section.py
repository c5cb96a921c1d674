"""What every section of ``unit.toml`` is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One section: no key but those that are named, and nothing changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
