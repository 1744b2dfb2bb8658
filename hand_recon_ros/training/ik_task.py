"""Training IKNet: exact pairs drawn on the fly for its rotations, a detector's own points for its robustness."""
from __future__ import annotations

import dataclasses

import torch

from hand_recon_ros.geometry.rotations import matrix_to_quaternion, quaternion_to_matrix
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skeleton import KEYPOINT_JOINTS
from hand_recon_ros.networks.forward_kinematics import LandmarkKinematics
from hand_recon_ros.networks.ik_encoding import JOINT_KEYPOINTS, ROOT, ik_inputs
from hand_recon_ros.networks.ik_net import IkNet
from hand_recon_ros.training.detector_points import DetectorPoints
from hand_recon_ros.training.draws import generator
from hand_recon_ros.training.ik_losses import IkWeights, norm_loss, rotation_losses, xyz_loss
from hand_recon_ros.training.motion_capture import MotionCapture, PosedHands

VALIDATION_HANDS, VALIDATION_STEP = 2048, 2 ** 40      # a step that no schedule reaches


class IkTask:
    """IKNet on motion-capture-like hands and, where there are any, on detector points.

    The paper knows no rotations of the latter and supervises them by eq. 12 alone. Rendered hands have them; without,
    points say nothing of twist, and the network twists fingers by 16 degrees beyond what joints can.
    """
    name, figures = 'iknet', ('error_mm',)

    def __init__(self, model: HandModel, hands: MotionCapture, width: int = 1024, weights: IkWeights = IkWeights(),
                 seen: DetectorPoints | None = None, seen_held_out: DetectorPoints | None = None,
                 seen_share: float = 0.5, mean_rest: float = 0.5, seen_rotations: bool = True, seed: int = 0):
        """seen_share: of each batch, taken from `seen`. mean_rest: share of those given with the mean hand's rest, as of
        a person of whom nothing is known. seen_rotations: whether those learn from their true rotations."""
        torch.manual_seed(seed)
        self.network, self._hands, self._weights, self._seed = IkNet(width), hands, weights, seed
        self._kinematics = LandmarkKinematics(model)
        self._seen, self._held_out = (None if each is None else each.tensors() for each in (seen, seen_held_out))
        self._share = 0.0 if seen is None else seen_share
        self._mean_rest, self._seen_rotations = mean_rest, seen_rotations

    def to(self, device: torch.device) -> None:
        """Move the network and the hand."""
        self._device = device
        self.network.to(device)
        self._kinematics.to(device)

    def losses(self, network, step: int, rank: int, size: int) -> dict[str, torch.Tensor]:
        """Eq. 9's terms."""
        pairs = round(self._share * size)
        hands = self._moved(self._hands.batch(step, size - pairs, rank))
        points, rest, shape, truth, offsets = hands.points, hands.rest, hands.shape, hands.points, hands.offsets
        world = hands.world
        if pairs:
            draw = generator(self._seed, step, rank)
            rows = torch.randint(len(self._seen['points']), (pairs,), generator=draw)
            unknown = (torch.rand(pairs, 1, 1, generator=draw) < self._mean_rest).to(self._device)
            seen, true, still, form, turns = (self._seen[name][rows].to(self._device)
                                              for name in ('points', 'truth', 'rest', 'shape', 'world'))
            carried = self._offsets(still, form)
            told = torch.where(unknown, self._kinematics.rest(torch.zeros_like(form), carried), still)
            points, rest, shape = torch.cat([points, seen]), torch.cat([rest, told]), torch.cat([shape, form])
            truth, offsets = torch.cat([truth, true]), torch.cat([offsets, carried])
            world = torch.cat([world, turns]) if self._seen_rotations else world
        raw = network(ik_inputs(points, rest)).float()
        terms = rotation_losses(raw[:len(world)], matrix_to_quaternion(world[:, list(KEYPOINT_JOINTS)]))
        terms |= {'xyz': xyz_loss(self._posed(raw, shape, offsets), truth), 'norm': norm_loss(raw)}
        weights = dataclasses.asdict(self._weights)
        return {name: weights[name] * term for name, term in terms.items() if weights[name] > 0}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Landmark and rotation errors of hands never trained on; error_mm is of detector points where there are any.

        Those are told the mean hand's rest, as of people of whom nothing is known, unless none ever are (mean_rest 0);
        posed by their true shape, so that the error is of rotations alone.
        """
        hands = self._moved(self._hands.batch(VALIDATION_STEP, VALIDATION_HANDS, 0))
        raw = self.network(ik_inputs(hands.points, hands.rest)).float()
        figures = {'exact_mm': _error_mm(self._posed(raw, hands.shape, hands.offsets), hands.points)}
        unit = torch.nn.functional.normalize(raw, dim=-1)
        real = (unit * matrix_to_quaternion(hands.world[:, list(KEYPOINT_JOINTS)])).sum(-1).abs().clamp(max=1)
        figures['rotation_deg'] = float(torch.rad2deg(2 * torch.acos(real)).mean())
        if self._held_out is None:
            return {**figures, 'error_mm': figures['exact_mm']}
        points, truth, rest, shape = (self._held_out[name].to(self._device) for name in ('points', 'truth', 'rest', 'shape'))
        carried = self._offsets(rest, shape)
        told = self._kinematics.rest(torch.zeros_like(shape), carried) if self._mean_rest > 0 else rest
        posed = self._posed(self.network(ik_inputs(points, told)).float(), shape, carried)
        return {**figures, 'input_mm': _error_mm(points, truth), 'error_mm': _error_mm(posed, truth)}

    def _posed(self, raw, shape, offsets):
        return self._kinematics(quaternion_to_matrix(raw)[:, list(JOINT_KEYPOINTS)], shape, offsets)

    def _offsets(self, rest, shape):
        """Landmark offsets that rest landmarks of known shape hold."""
        return rest - self._kinematics.rest(shape, torch.zeros_like(rest))

    def _moved(self, hands: PosedHands) -> PosedHands:
        return PosedHands(*(part.to(self._device) for part in hands))


def _error_mm(points: torch.Tensor, truth: torch.Tensor) -> float:
    """Mean distance about the middle knuckle, millimetres."""
    away = points - points[:, ROOT:ROOT + 1] - truth + truth[:, ROOT:ROOT + 1]
    return float(away.norm(dim=-1).mean()) * 1e3
