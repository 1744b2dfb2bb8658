"""What a person's recording gives the calibration: sights of two views and of one, fused as the live nodes fuse."""
from __future__ import annotations

from hand_recon_ros.benchmarks.rendered_people import Instant, SeenPerson
from hand_recon_ros.estimation.registry import build_estimator
from hand_recon_ros.fusion.stereo_fuser import StereoFuser, View
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.identity.sights import Sight, mono_sights, stereo_sights
from hand_recon_ros.refinement.tailor import Tailor


class SightMaker:
    """Of any person; compiled once. offsets_m: (21, 3) of the detector's landmarks."""

    def __init__(self, model: HandModel, offsets_m):
        self.estimator = build_estimator('closed_form_ik', model, offsets_m)
        self.fuser, self._tailor = StereoFuser(model, offsets_m), Tailor(model, offsets_m)

    def views(self, instant: Instant, identity=None) -> list[View]:
        """Both views with the estimates of their hands."""
        return [View(frame, hands, [self.estimator.estimate(frame, hand, identity) for hand in hands])
                for frame, hands in zip(instant.frames, instant.hands)]

    def stereo(self, person: SeenPerson) -> list[list[Sight]]:
        """Sights of every instant."""
        self.fuser.restart()
        found = []
        for instant in person.instants:
            views = self.views(instant)
            found.append(stereo_sights(person.rig, *views, self.fuser.fuse(person.rig, *views)))
        return found

    def mono(self, person: SeenPerson) -> list[list[Sight]]:
        """Sights of the left view alone."""
        found = []
        for instant in person.instants:
            left, _ = self.views(instant)
            found.append(mono_sights(left.frame, left.keypoints,
                                     self._tailor.refine(left.frame, left.keypoints, left.estimates)))
        return found
