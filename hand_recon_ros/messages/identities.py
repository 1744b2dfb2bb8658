"""Whose hands are in view <-> HandIdentityArray."""
from __future__ import annotations

from hand_recon_ros.messages.arrays import unsigned
from hand_recon_ros.messages.hands import identity_to_msg, msg_to_identity
from hand_recon_ros.messages.stamps import to_header
from hand_recon_ros.msg import HandIdentityArray
from hand_recon_ros.types import HandIdentity


def identities_to_msg(identities: list[HandIdentity], owners: dict[int, str], stamp_ns: int = 0,
                      frame_id: str = '') -> HandIdentityArray:
    """Message of the identities in use; owners: {track id: name of its identity}. ValueError for a name not in use."""
    numbers = {identity.name: number for number, identity in enumerate(identities)}
    for name in owners.values():
        if name not in numbers:
            raise ValueError(f'owners: {name!r}, expected one of {", ".join(numbers) or "none"}')
    return HandIdentityArray(
        header=to_header(stamp_ns, frame_id),
        identities=[identity_to_msg(identity, stamp_ns, frame_id) for identity in identities],
        track_ids=[unsigned('track_ids', track_id) for track_id in owners],
        owners=[numbers[name] for name in owners.values()])


def msg_to_identities(msg: HandIdentityArray) -> tuple[list[HandIdentity], dict[int, int]]:
    """(identities, {track id: index of its identity}) of a message; ValueError where they do not fit."""
    identities = [msg_to_identity(identity) for identity in msg.identities]
    if len(msg.track_ids) != len(msg.owners):
        raise ValueError(f'owners: {len(msg.owners)}, expected {len(msg.track_ids)} as track_ids')
    for owner in msg.owners:
        if owner >= len(identities):
            raise ValueError(f'owners: {owner}, expected less than the {len(identities)} identities')
    return identities, {int(track): int(owner) for track, owner in zip(msg.track_ids, msg.owners)}
