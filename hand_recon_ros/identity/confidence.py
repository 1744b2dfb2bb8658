"""How much a sight may say about the shape: a confidence of each, and from them the attention weights of paper 5.

Paper 5 learns the confidence from image features by margin ranking; here it is computed from the fit, with weights that
the same loss found on rendered people.
"""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hand_recon_ros.hand_model.mirroring import mirror_points
from hand_recon_ros.identity.bundle import SharedShape
from hand_recon_ros.identity.sights import Sight

TEMPERATURE = 0.33      # paper 5, implementation details
FINGERS = np.arange(5, 21).reshape(4, 4)
PALM = (0, 5, 17)       # wrist, index and pinky knuckles


def attention_weights(confidences, temperature: float = TEMPERATURE) -> np.ndarray:
    """Paper 5 eq. 6: softmax of confidences (K,) / T. ValueError for none, not finite ones or a temperature of 0."""
    confidences = np.asarray(confidences, np.float64)
    if confidences.ndim != 1 or not len(confidences) or not np.isfinite(confidences).all():
        raise ValueError(f'confidences: {confidences.tolist()}, expected a list of finite numbers')
    if not temperature > 0:
        raise ValueError(f'temperature: {temperature}, expected more than 0')
    powers = np.exp((confidences - confidences.max()) / temperature)
    return powers / powers.sum()


@dataclass(frozen=True)
class SightQuality:
    """misfit: energy of the sight's own fit a landmark, half squared standard deviations. shape_std: mean standard
    deviation of the shape numbers that move. facing: 0 (palm edge-on) to 1 (palm or back towards the camera).
    straightness: -1 to 1, mean cosine between first and last bone of the four fingers. score: the detector's, 0 to 1.
    nearness: the hand's size in the image, its box's side as a share of the image's."""
    misfit: float
    shape_std: float
    facing: float
    straightness: float
    score: float
    nearness: float

    @classmethod
    def of(cls, sight: Sight, fit: SharedShape, directions: int) -> SightQuality:
        """Quality of a sight and the fit of it alone."""
        joints = np.asarray(sight.estimate.joints_m, np.float64)
        if sight.estimate.handedness == 'left':
            joints = mirror_points(joints)
        wrist, index, pinky = joints[list(PALM)]
        normal, ray = np.cross(index - wrist, pinky - wrist), joints[list(PALM)].mean(0)
        first, last = joints[FINGERS[:, 1]] - joints[FINGERS[:, 0]], joints[FINGERS[:, 3]] - joints[FINGERS[:, 2]]
        box = np.mean([k.box_size_px / max(f.width, f.height) for k, f in zip(sight.keypoints, sight.frames)])
        return cls(float(fit.energies.mean() / 21), float(fit.std[:directions].mean()), abs(_cosine(normal, ray)),
                   float(np.mean([_cosine(a, b) for a, b in zip(first, last)])),
                   min(float(k.score) for k in sight.keypoints), float(box))

    @property
    def features(self) -> np.ndarray:
        """(6,) numbers of about unit spread: what the confidence is linear in."""
        return np.array([-np.log(self.misfit + 0.1), -4.0 * np.log(self.shape_std + 1e-3), 3.0 * self.facing,
                         1.5 * self.straightness, 5.0 * self.score, 10.0 * self.nearness])


def _cosine(a, b) -> float:
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12))


@dataclass(frozen=True)
class ShapeConfidence:
    """Confidence c = weights . features. weights: (6,).

    The default ranks 800 sights of 15 rendered people by the error of their keypoints, margin 0.25: sharper attention
    helps where any sight is taken, and costs where the collector has chosen already. A single sight's shape error is
    no target: it is mostly the detector's habit with that person's hand, the same in every sight.
    """
    weights: np.ndarray = field(default_factory=lambda: np.array([0.36, 0.13, 0.08, 0.08, 0.05, 0.02]))

    def __call__(self, qualities: list[SightQuality]) -> np.ndarray:
        """(K,) confidences."""
        return np.array([quality.features @ self.weights for quality in qualities])

    @classmethod
    def ranked(cls, batches: list[tuple[np.ndarray, np.ndarray]], margin: float = 0.25, steps: int = 400,
               rate: float = 0.02) -> ShapeConfidence:
        """Weights that rank: batches of (features (N, 6), errors (N,)); paper 5's margin ranking loss over all
        pairs of a batch, by gradient descent. A smaller error ought to have the higher confidence. The margin sets how
        far confidences lie apart, and with the temperature how sharply attention chooses."""
        weights, mean, square = np.zeros(6), np.zeros(6), np.zeros(6)
        differences = []
        for features, errors in batches:
            first, second = np.triu_indices(len(errors), 1)
            sign = np.sign(errors[second] - errors[first])
            differences.append(sign[:, None] * (features[first] - features[second]))
        differences = np.concatenate(differences)
        for step in range(1, steps + 1):
            missed = differences @ weights < margin
            gradient = -(differences * missed[:, None]).mean(0)
            mean, square = 0.9 * mean + 0.1 * gradient, 0.99 * square + 0.01 * gradient ** 2
            weights = weights - rate * (mean / (1 - 0.9 ** step)) / (np.sqrt(square / (1 - 0.99 ** step)) + 1e-8)
        return cls(weights)
