"""What every section of ``unit.toml`` is."""

import typing
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError


class Section(BaseModel):
    """One section: no key but those that are named, and nothing changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _a_number_is_a_number(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401  whatever TOML holds
        """``true`` is not 1, and ``"60"`` is not 60: who wrote that meant something else."""
        wanted = _sorts_of(cls.model_fields[str(info.field_name)].annotation)
        if wanted & {int, float} and isinstance(value, bool | str) and type(value) not in wanted:
            raise PydanticKnownError("float_type" if float in wanted else "int_type")
        return value


def _sorts_of(annotation: Any) -> set[Any]:  # noqa: ANN401  any annotation
    """The plain types of which a value may be one."""
    inside = typing.get_args(annotation)
    return {sort for each in inside for sort in _sorts_of(each)} if inside else {annotation}
