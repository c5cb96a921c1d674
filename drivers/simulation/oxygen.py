"""What oxygen does to a saturation: from what is breathed in to what an oximeter finds. Pure.

The saturation on air says how well the lungs work: by the dissociation curve it is a pressure in the
arteries, and beside the pressure in the alveoli it is a ratio that stays about the same when more oxygen
is breathed in. So the saturation on any flow follows.

Sources: dissociation curve and its inverse, Severinghaus JW, J Appl Physiol 1979;46:599-602; the ratio,
Gilbert R, Keighley JF, Am Rev Respir Dis 1974;109:142-145; four percent of oxygen for each litre a minute
through nasal prongs is the rule of thumb at the bedside. A patient whose ventilation falls under oxygen
is beyond this.
"""

import math
from typing import Final

AIR: Final = 0.21
FOR_EACH_LITRE: Final = 0.04
MOST: Final = 0.60
"""More than this no mask without a reservoir gives."""
BAROMETER_MMHG: Final = 760.0
WATER_MMHG: Final = 47.0
RESPIRATORY_QUOTIENT: Final = 0.8
NORMAL_CARBON_DIOXIDE_MMHG: Final = 40.0
HIGHEST: Final = 99.6
"""Percent; the curve gets near a hundred and never there."""


def saturation(
    on_air: float, litres_a_minute: float, *, carbon_dioxide_mmhg: float = NORMAL_CARBON_DIOXIDE_MMHG
) -> float:
    """The saturation in percent on some oxygen, of somebody who has ``on_air`` without it."""
    on_air = min(on_air, HIGHEST)
    if litres_a_minute <= 0:
        return on_air
    inspired = min(MOST, AIR + FOR_EACH_LITRE * litres_a_minute)
    ratio = arterial_mmhg(on_air) / _alveolar_mmhg(AIR, carbon_dioxide_mmhg)
    return max(on_air, min(HIGHEST, saturation_at(ratio * _alveolar_mmhg(inspired, carbon_dioxide_mmhg))))


def saturation_at(oxygen_mmhg: float) -> float:
    """The dissociation curve: percent at a partial pressure."""
    return 100 / (23_400 / (oxygen_mmhg**3 + 150 * oxygen_mmhg) + 1)


def arterial_mmhg(saturation: float) -> float:
    """The partial pressure that gives a saturation in percent: the positive root of the curve's cubic."""
    wanted = 23_400 * saturation / (100 - saturation)  # p³ + 150 p = wanted
    half, third = wanted / 2, 50.0
    root = math.sqrt(half**2 + third**3)
    return math.cbrt(half + root) + math.cbrt(half - root)


def _alveolar_mmhg(inspired: float, carbon_dioxide_mmhg: float) -> float:
    return inspired * (BAROMETER_MMHG - WATER_MMHG) - carbon_dioxide_mmhg / RESPIRATORY_QUOTIENT
