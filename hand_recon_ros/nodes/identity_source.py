"""Whose hand it is: the latched hands/identity, checked against the model in use."""
from __future__ import annotations

from hand_recon_ros.messages.hands import is_nobody, msg_to_identity
from hand_recon_ros.nodes.monitoring import Faults
from hand_recon_ros.types import HandIdentity


def of_model(identity: HandIdentity, model: str) -> HandIdentity:
    """The identity, or ValueError when its shape is another model's."""
    if identity.model != model:
        raise ValueError(f'identity {identity.name!r}: of model {identity.model!r}, expected {model!r} '
                         '(parameter model)')
    return identity


class IdentitySource:
    """Keeps the last usable identity, None where nobody's is known; one of another model is refused by name and the
    former one stays."""

    def __init__(self, faults: Faults, model: str):
        self._faults, self._model = faults, model
        self.identity: HandIdentity | None = None

    def update(self, message) -> None:
        """Callback of the topic (hand_recon_ros/msg/HandIdentity)."""
        if is_nobody(message):
            self.identity = None
            self._faults.clear('identity')
            return
        try:
            identity = of_model(msg_to_identity(message), self._model)
        except ValueError as error:
            self._faults.put('identity', f'hands/identity: {error}', warning=True)
            return
        self.identity = identity
        self._faults.clear('identity')
