"""Whose hands the tracks are: the latched hands/identities, checked against the model in use."""
from __future__ import annotations

from hand_recon_ros.messages.identities import msg_to_identities
from hand_recon_ros.nodes.identity_source import of_model
from hand_recon_ros.nodes.monitoring import Faults
from hand_recon_ros.types import HandIdentity


class IdentitiesSource:
    """Keeps the identity of every track whose person is known; a message of another model is refused by name."""

    def __init__(self, faults: Faults, model: str):
        self._faults, self._model = faults, model
        self.by_track: dict[int, HandIdentity] = {}

    def update(self, message) -> None:
        """Callback of the topic (hand_recon_ros/msg/HandIdentityArray)."""
        try:
            identities, owners = msg_to_identities(message)
            for identity in identities:
                of_model(identity, self._model)
        except ValueError as error:
            self._faults.put('identities', f'hands/identities: {error}', warning=True)
            return
        self.by_track = {track_id: identities[owner] for track_id, owner in owners.items()}
        self._faults.clear('identities')
