"""Whose hands are in view: shapes of tracks against known identities, each with one left and one right hand."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from hand_recon_ros.types import HANDEDNESS, HandIdentity, checked_choice

UNKNOWN = ''
# Two calibrations of one person err alike, because the detector's habits with that hand are the same: of the standard
# deviations that both state, this share is between them (15 rendered people, 8 sights against 20).
REPEAT_SHARE = 0.65
# How sure an answer must be, and how likely a stranger is beside each known person before anything was seen.
LEAST_PROBABILITY = 0.8
STRANGER_WEIGHT = 0.3


@dataclass(frozen=True)
class TrackShape:
    """What a track's sights say of its shape so far: shape (B,), covariance (B, B), as SharedShape has them."""
    handedness: str
    shape: np.ndarray
    covariance: np.ndarray

    def __post_init__(self):
        checked_choice('handedness', self.handedness, HANDEDNESS)


@dataclass(frozen=True)
class Recognition:
    """name: the identity's, or UNKNOWN. probability: of that answer. candidates: of all names and UNKNOWN."""
    name: str
    probability: float
    candidates: dict[str, float]


class Recogniser:
    """Compares shapes with identities of one model. directions: how many shape numbers are looked at."""

    def __init__(self, identities: list[HandIdentity], directions: int = 3,
                 least_probability: float = LEAST_PROBABILITY, stranger_weight: float = STRANGER_WEIGHT):
        names = [identity.name for identity in identities]
        if len(set(names)) < len(names) or UNKNOWN in names:
            raise ValueError(f'identities: names {names}, expected each once and none empty')
        if len({(identity.model, len(identity.shape)) for identity in identities}) > 1:
            raise ValueError(f'identities: of models {sorted({i.model for i in identities})}, expected one model')
        if not 0.5 <= least_probability < 1:
            raise ValueError(f'least_probability: {least_probability}, expected 0.5 to 1')
        self._identities, self._directions = list(identities), directions
        if not stranger_weight > 0:
            raise ValueError(f'stranger_weight: {stranger_weight}, expected more than 0')
        self._least, self._stranger = least_probability, stranger_weight

    def recognise(self, tracks: dict[int, TrackShape]) -> dict[int, Recognition]:
        """An answer for every track: the likeliest assignment of all, each of them UNKNOWN where it is not sure."""
        answers = {}
        for side in HANDEDNESS:
            numbers = [number for number, track in tracks.items() if track.handedness == side]
            answers |= self._one_side(numbers, [tracks[number] for number in numbers])
        return answers

    def log_likelihood(self, track: TrackShape, identity: HandIdentity | None) -> float:
        """Log density of a track's shape if the hand were the identity's, or a stranger's (None): of N(0, 1)."""
        count = self._directions
        covariance = np.asarray(track.covariance, np.float64)[:count, :count]
        # What was seen, without the prior that is in the shape already.
        information = np.linalg.inv(covariance) - np.eye(count)
        values, vectors = np.linalg.eigh(information)
        information = vectors @ np.diag(np.maximum(values, 1e-3)) @ vectors.T
        seen = np.linalg.solve(information, np.linalg.solve(covariance, np.asarray(track.shape, np.float64)[:count]))
        spread = np.linalg.inv(information)
        if identity is None:
            mean, spread = np.zeros(count), spread + np.eye(count)
        else:
            mean = np.asarray(identity.shape, np.float64)[:count]
            std = np.nan_to_num(np.asarray(identity.shape_std, np.float64)[:count], nan=0.0)
            spread = REPEAT_SHARE ** 2 * (spread + np.diag(std ** 2))
        away = seen - mean
        return float(-0.5 * (away @ np.linalg.solve(spread, away) + np.linalg.slogdet(2 * np.pi * spread)[1]))

    def _one_side(self, numbers: list[int], tracks: list[TrackShape]) -> dict[int, Recognition]:
        if not tracks:
            return {}
        known = np.array([[self.log_likelihood(track, identity) for identity in self._identities] for track in tracks])
        known = known.reshape(len(tracks), len(self._identities))
        stranger = np.array([self.log_likelihood(track, None) for track in tracks]) + np.log(self._stranger)
        # A column of its own for every track's stranger: strangers are many, a person has one hand of a side.
        costs = np.full((len(tracks), len(self._identities) + len(tracks)), 1e9)
        costs[:, :len(self._identities)] = -known
        costs[range(len(tracks)), len(self._identities) + np.arange(len(tracks))] = -stranger
        rows, columns = linear_sum_assignment(costs)
        answers = {}
        for row, column in zip(rows, columns):
            logs = np.append(known[row], stranger[row])
            shares = np.exp(logs - logs.max())
            shares /= shares.sum()
            candidates = {identity.name: float(share) for identity, share in zip(self._identities, shares)}
            candidates[UNKNOWN] = float(shares[-1])
            name = self._identities[column].name if column < len(self._identities) else UNKNOWN
            if candidates[name] < self._least:
                name = UNKNOWN
            answers[numbers[row]] = Recognition(name, candidates[name], candidates)
        return answers
