"""Skin colours after published measurements: means and spreads of groups of people, and the tones drawn from them.

CIE L*a*b* under D65. Sources of the rows of GROUPS, in order:
- Xiao, Yates, Zardawi et al. 2017, "Characterising the variations in ethnic skin colours: a new calibrated data base
  for human skin", Skin Research and Technology 23:21-29: 960 people, spectrophotometer; forearm (hardly tanned) and
  forehead (tanned) of each group, taken here to have the back of the hand between them; cheek.
- Yun, Lee, Rah et al. 2010, "Skin color analysis using a spectrophotometer in Asians", Skin Research and Technology,
  doi 10.1111/j.1600-0846.2010.00434.x: 148 people, mean over five places of which the back of the hand is one.
- de Rigal, Des Mazis, Diridollou et al. 2010, "The effect of age on skin color and color heterogeneity in four ethnic
  groups", Skin Research and Technology 16:168-178: 185 people; means read off its plots, spreads are upper bounds.
- The Monk Skin Tone scale (Monk 2019), tones 6 to 8, its sRGB values converted to L*a*b*: a scale, no measurement, for
  the dark end, of which the tables above hold too little. One tone each, and one half way between two.
The figures of the first and third were taken from darktable's colour names (color_vocabulary.c), which quotes them,
those of the second from its abstract: the papers' own tables, the back of the hand's among them, were not at hand.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Group:
    """People measured at one place of the body. mean, spread (one standard deviation): L*, a*, b*."""
    source: str
    name: str
    mean: tuple[float, float, float]
    spread: tuple[float, float, float]


_XIAO, _YUN, _RIGAL, _MONK = 'Xiao 2017', 'Yun 2010', 'de Rigal 2010', 'Monk 2019'
GROUPS = (
    Group(_XIAO, 'Chinese, forearm', (60.9, 7.0, 15.0), (3.4, 1.7, 1.8)),
    Group(_XIAO, 'Thai, forearm', (61.9, 7.1, 17.4), (3.7, 1.7, 2.0)),
    Group(_XIAO, 'Kurdish, forearm', (60.6, 6.5, 16.4), (4.8, 1.6, 2.3)),
    Group(_XIAO, 'Caucasian, forearm', (63.0, 5.6, 14.0), (5.5, 1.9, 2.9)),
    Group(_XIAO, 'Chinese, forehead', (56.4, 11.7, 16.3), (3.2, 2.1, 1.4)),
    Group(_XIAO, 'Thai, forehead', (56.8, 11.6, 17.7), (4.1, 2.2, 1.8)),
    Group(_XIAO, 'Kurdish, forehead', (56.1, 11.3, 16.4), (4.5, 2.1, 2.2)),
    Group(_XIAO, 'Caucasian, forehead', (59.2, 11.6, 15.1), (5.1, 2.8, 2.3)),
    Group(_XIAO, 'Caucasian, cheek', (59.6, 11.8, 14.6), (5.5, 3.1, 2.6)),
    Group(_YUN, 'Asian, five places', (64.15, 8.96, 18.34), (4.86, 2.65, 2.39)),
    Group(_RIGAL, 'African-American, forehead', (44.0, 14.0, 19.0), (2.0, 1.0, 1.0)),
    Group(_RIGAL, 'African-American, cheek', (48.0, 15.0, 20.0), (1.0, 1.0, 1.0)),
    Group(_RIGAL, 'Mexican, forehead', (58.0, 15.0, 21.0), (1.0, 1.0, 1.0)),
    Group(_MONK, 'tone 6', (55.14, 7.79, 26.74), (0.0, 0.0, 0.0)),
    Group(_MONK, 'tone 7', (42.47, 12.33, 20.53), (0.0, 0.0, 0.0)),
    Group(_MONK, 'tones 7 and 8', (36.57, 12.00, 16.93), (0.0, 0.0, 0.0)),
    Group(_MONK, 'tone 8', (30.68, 11.67, 13.33), (0.0, 0.0, 0.0)),
)
# Points of a group's distribution, in standard deviations of L*, a*, b*. That darker skin of one group is drawn redder
# and yellower is a choice made here: correlations are not in the sources.
_POINTS = ((0.0, 0.0, 0.0), (1.2, -0.6, -0.6), (-1.2, 0.6, 0.6), (0.6, 0.8, 0.4))


def _tones() -> tuple[tuple[float, float, float], ...]:
    out = []
    for group in GROUPS:
        points = _POINTS if any(group.spread) else _POINTS[:1]
        out += [tuple(float(v) for v in np.add(group.mean, np.multiply(point, group.spread))) for point in points]
    return tuple(out)


TONES = _tones()


def sample_tone(rng: np.random.Generator) -> np.ndarray:
    """(3,) L*, a*, b*: a tone of TONES, drawn so that light and dark come equally often, a little varied."""
    tones = np.array(TONES)
    wanted = rng.uniform(tones[:, 0].min(), tones[:, 0].max())
    near = np.flatnonzero(np.abs(tones[:, 0] - wanted) <= max(3.0, np.abs(tones[:, 0] - wanted).min()))
    return tones[rng.choice(near)] + rng.normal(0, (0.8, 0.6, 0.7))
