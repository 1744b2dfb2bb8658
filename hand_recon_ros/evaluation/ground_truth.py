"""Ground truth whose meshes were left out of the recording, made whole from its parameters."""
from __future__ import annotations

from dataclasses import replace

from hand_recon_ros.hand_model.mirroring import posed_hand
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.types import HandEstimate


class MeshCompletion:
    """Poses `model` by the parameters of estimates that carry no vertices."""

    def __init__(self, model: HandModel):
        self._model, self._hand = model, JaxHand(model)

    def __call__(self, hands: list[HandEstimate]) -> list[HandEstimate]:
        """The same hands, each with vertices; one of another model or with its own vertices is passed on as it is."""
        return [hand if len(hand.vertices_m) or hand.model != self._model.name else self._completed(hand)
                for hand in hands]

    def _completed(self, hand: HandEstimate) -> HandEstimate:
        vertices, _ = posed_hand(self._hand, hand.pose, hand.shape, hand.translation, hand.handedness)
        return replace(hand, vertices_m=vertices)
