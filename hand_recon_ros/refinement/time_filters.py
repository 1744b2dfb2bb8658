"""Filters over time of points and rotations, sample after sample at uneven steps. NumPy, float64."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle


def tangent_between(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Tangent (..., 3) rad, after = before @ exp(tangent), of matrices (..., 3, 3)."""
    return matrix_to_axis_angle(np.swapaxes(before, -1, -2) @ after)


@dataclass
class State:
    """position: (N,) anything that is a vector. rotations: (J, 3, 3). speed: (N,), turning: (J, 3), per second.

    seen: the last unfiltered position and rotations.
    """
    position: np.ndarray
    rotations: np.ndarray
    speed: np.ndarray
    turning: np.ndarray
    seen: tuple[np.ndarray, np.ndarray]

    def ahead(self, elapsed_s: float, decay_s: float) -> State:
        """Where it is after a time by its own velocity, which fades as exp(-t / decay_s)."""
        share = decay_s * (1.0 - np.exp(-elapsed_s / decay_s))
        fading = np.exp(-elapsed_s / decay_s)
        return State(self.position + share * self.speed, self.rotations @ axis_angle_to_matrix(share * self.turning),
                     fading * self.speed, fading * self.turning, self.seen)


def started(position, rotations) -> State:
    """A state at rest."""
    position, rotations = np.array(position, np.float64), np.array(rotations, np.float64)
    return State(position, rotations, np.zeros(len(position)), np.zeros((len(rotations), 3)), (position, rotations))


@dataclass(frozen=True)
class OneEuro:
    """The 1 Euro filter (Casiez, Roussel, Vogel, CHI 2012) on a point and on rotations.

    A first-order low-pass whose cutoff is least_hz + beta |velocity|: steady hands are smoothed, fast ones followed.
    beta_per_m: Hz per m/s of the first three coordinates, which steer the whole vector. beta_per_rad: Hz per rad/s,
    each rotation by itself, in the tangent space of the filtered one. velocity_hz: cutoff of the velocity.

    The betas were chosen on rendered pairs (stereo_desk, stereo_crossing), the others as they were: the least jitter
    at rest with keypoints faster than 0.3 m/s at most 1 % further off the truth than unfiltered. Smaller ones take more
    jitter but cost real moving hands much: 30 and 1.2, about the wrist, put landmarks 1.7 times as far off the labels.
    """
    least_hz: float = 1.2
    beta_per_m: float = 150.0
    beta_per_rad: float = 8.0
    velocity_hz: float = 2.0

    def __post_init__(self):
        for name in ('least_hz', 'velocity_hz'):
            if not 0 < getattr(self, name) <= 1000:
                raise ValueError(f'{name}: {getattr(self, name)}, expected above 0 and at most 1000 Hz')
        for name in ('beta_per_m', 'beta_per_rad'):
            if not 0 <= getattr(self, name) <= 1000:
                raise ValueError(f'{name}: {getattr(self, name)}, expected 0 to 1000')

    def step(self, state: State, position, rotations, elapsed_s: float) -> tuple[State, float]:
        """The next state and the delay, seconds, that the point has just now: (1 - a) / a steps of a first-order filter
        of gain a."""
        share = _gain(self.velocity_hz, elapsed_s)
        moved = position - state.position
        turned, turned_since = tangent_between(np.stack([state.rotations, state.seen[1]]), rotations)
        # From one input to the next: against the filtered state the filter's own lag would count as motion.
        speed = state.speed + share * ((position - state.seen[0]) / elapsed_s - state.speed)
        turning = state.turning + share * (turned_since / elapsed_s - state.turning)
        gain = _gain(self.least_hz + self.beta_per_m * np.linalg.norm(speed[:3]), elapsed_s)
        gains = _gain(self.least_hz + self.beta_per_rad * np.linalg.norm(turning, axis=-1, keepdims=True), elapsed_s)
        state = State(state.position + gain * moved, state.rotations @ axis_angle_to_matrix(gains * turned), speed,
                      turning, (position, rotations))
        return state, float((1 - gain) / gain * elapsed_s)


@dataclass(frozen=True)
class ConstantVelocity:
    """A steady-state Kalman filter of constant velocity (alpha-beta): no lag at constant velocity, overshoot at stops.

    bandwidth_hz: of the observer, which is critically damped at every step: alpha = 1 - q^2, beta = (1 - q)^2 with
    q = exp(-2 pi bandwidth_hz dt).
    """
    bandwidth_hz: float = 2.5

    def __post_init__(self):
        if not 0 < self.bandwidth_hz <= 1000:
            raise ValueError(f'bandwidth_hz: {self.bandwidth_hz}, expected above 0 and at most 1000 Hz')

    def step(self, state: State, position, rotations, elapsed_s: float) -> tuple[State, float]:
        """The next state, and its delay at constant velocity: none."""
        q = np.exp(-2 * np.pi * self.bandwidth_hz * elapsed_s)
        alpha, beta = 1 - q * q, (1 - q) ** 2
        there = state.position + state.speed * elapsed_s
        turned = state.rotations @ axis_angle_to_matrix(state.turning * elapsed_s)
        off, angle = position - there, tangent_between(turned, rotations)
        return State(there + alpha * off, turned @ axis_angle_to_matrix(alpha * angle),
                     state.speed + beta / elapsed_s * off, state.turning + beta / elapsed_s * angle,
                     (position, rotations)), 0.0


def _gain(cutoff_hz, elapsed_s: float):
    """Share of a new sample that a first-order low-pass takes up: 1 / (1 + tau / dt)."""
    return 1.0 / (1.0 + 1.0 / (2 * np.pi * cutoff_hz * elapsed_s))
