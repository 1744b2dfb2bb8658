"""From sights of one person to that person's identity: confidence, attention, one shape, its size in millimetres."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.parameters import HandParameters
from hand_recon_ros.identity.bundle import SharedShape, ShapeBundle
from hand_recon_ros.identity.confidence import ShapeConfidence, SightQuality, attention_weights
from hand_recon_ros.identity.landmark_response import LandmarkResponse
from hand_recon_ros.identity.outline_energy import OutlineEnergy
from hand_recon_ros.identity.outline_finder import OutlineFinder
from hand_recon_ros.identity.measures import HandMeasures, HandSize
from hand_recon_ros.identity.sights import Sight
from hand_recon_ros.types import HandIdentity

# Outlines are looked for around the model, which they move: once more from where it went.
OUTLINE_PASSES = 2
# Factors between the fits' own standard deviations and the errors of 15 rendered people: the detector's habits and the
# edges' are alike in all frames, which the fits count as independent.
LANDMARK_INFLATION, OUTLINE_INFLATION = 1.4, 2.0


@dataclass(frozen=True)
class Calibration:
    """identity: name, shape, standard deviations, whether the scale is measured. size: millimetres. covariance: (B, B)
    of the shape. weights: (K,) attention of the sights, summing to 1."""
    identity: HandIdentity
    size: HandSize
    covariance: np.ndarray
    weights: np.ndarray


class ShapeCalibration:
    """Paper 5's personalisation on sights of any estimator. Not thread-safe.

    outlines: where the sights' frames carry images, the hand's outline in them is fitted too, after the landmarks.
    Checked on renders, whose shapes the model can take; on real hands, thicker or thinner than the model's, not yet.
    """

    def __init__(self, model: HandModel, response: LandmarkResponse, confidence: ShapeConfidence = ShapeConfidence(),
                 outlines: bool = False):
        self.model, self._bundle, self._confidence = model, ShapeBundle(model, response), confidence
        self.measures = HandMeasures(model)
        self._finder = OutlineFinder(model) if outlines else None
        self._outlined = None
        if outlines:      # the whole shape: how thick fingers are moves outlines, and would be taken for length else
            self._outlined = ShapeBundle(model, response, directions=model.shape_size, energy=OutlineEnergy(model))

    def qualities(self, sights: list[Sight], fits: list[SharedShape] | None = None) -> list[SightQuality]:
        """Quality of every sight by the fit of it alone."""
        fits = self._bundle.each(sights) if fits is None else fits
        return [SightQuality.of(sight, fit, self._bundle.directions) for sight, fit in zip(sights, fits)]

    def confidences(self, qualities: list[SightQuality]) -> np.ndarray:
        """(K,) confidences of sights by their qualities."""
        return self._confidence(qualities)

    def weights(self, sights: list[Sight], qualities: list[SightQuality] | None = None) -> np.ndarray:
        """(K,) attention of sights, paper 5 eq. 6."""
        return attention_weights(self.confidences(self.qualities(sights) if qualities is None else qualities))

    def calibrate(self, sights: list[Sight], name: str = '', qualities: list[SightQuality] | None = None,
                  attention: bool = True) -> Calibration:
        """Identity of the person whom all sights show. attention False: every sight counts the same.

        metric is True when any sight is a stereo one. ValueError without sights or when the fit is not finite.
        """
        if not sights:
            raise ValueError('sights: none, expected at least one')
        weights = self.weights(sights, qualities) if attention else np.full(len(sights), 1 / len(sights))
        fit, factor = self._bundle.together(sights, weights), LANDMARK_INFLATION
        if self._finder is not None and any(frame.image is not None for sight in sights for frame in sight.frames):
            factor = OUTLINE_INFLATION
            for _ in range(OUTLINE_PASSES):
                rows = [HandParameters(*(leaf[row] for leaf in fit.parameters)) for row in range(len(sights))]
                outlines = [self._finder.find(sight, row) for sight, row in zip(sights, rows)]
                fit = self._outlined.together(sights, weights, outlines, fit.parameters)
        covariance = inflated(fit.covariance, factor)
        std = np.sqrt(np.diagonal(covariance))
        identity = HandIdentity(name, self.model.name, fit.shape, std, any(sight.stereo for sight in sights))
        return Calibration(identity, self.measures.size(fit.shape, covariance), covariance, weights)


def inflated(covariance: np.ndarray, factor: float) -> np.ndarray:
    """Covariance (B, B) if what was seen were `factor` times less exact; the prior N(0, 1) in it stays as it is."""
    eye = np.eye(len(covariance))
    return np.linalg.inv((np.linalg.inv(covariance) - eye) / factor ** 2 + eye)
