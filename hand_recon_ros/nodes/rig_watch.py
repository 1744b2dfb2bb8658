"""What RigHealth finds wrong with the rig in use, as named faults of a node."""
from __future__ import annotations

from collections.abc import Callable, Mapping

from hand_recon_ros.fusion.rig_faults import FAULTS, CameraFacts
from hand_recon_ros.fusion.rig_health import RigHealth, RigReport
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.nodes.monitoring import Faults
from hand_recon_ros.types import HandKeypoints


class RigWatch:
    """Follows the rig that is in use; a new calibration is judged anew.

    told: called with every new verdict, twice a second while hands are in both views.
    """

    def __init__(self, faults: Faults, told: Callable[[RigReport], None] = lambda _: None):
        self._faults, self._told = faults, told
        self._rig = self._health = self._report = None

    def see(self, rig: StereoRig | None, facts: tuple[CameraFacts, CameraFacts] | None, stamp_ns: int,
            left: list[HandKeypoints], right: list[HandKeypoints],
            palm_length_m: Mapping[str, float] | None = None) -> None:
        """The hands of an instant. rig None: none can be made of the calibrations `facts`. palm_length_m: by
        handedness, of people whose identity is known."""
        known = rig if rig is not None else facts and tuple(_said(one) for one in facts)
        if self._health is None or known != self._rig:
            self._rig, self._report = known, None
            self._health = None
            try:
                self._health = RigHealth(rig, *(facts or (None, None)))
            except ValueError:
                self._say({})   # no rig and nothing to tell why: the node says what is missing
                return
        self._health.add(stamp_ns, left, right, palm_length_m)
        report = self._health.report()
        if report is self._report:
            return
        self._report = report
        self._say({fault.name: fault.text for fault in report.faults})
        if report.seconds > 0:
            self._told(report)

    def _say(self, found: dict[str, str]) -> None:
        """What is wrong now, and no longer."""
        for name in FAULTS:
            if name in found:
                self._faults.put(f'rig {name}', f'rig: {name}: {found[name]}', warning=True)
            else:
                self._faults.clear(f'rig {name}')

    def values(self) -> dict[str, str]:
        """For a diagnostics entry."""
        report: RigReport | None = self._report
        if report is None:
            return {}
        return {'rig_residual_px': f'{report.residual_px:.2f}', 'rig_bias_px': f'{report.bias_px:+.2f}',
                'rig_trend_px_per_s': f'{report.trend_px_per_s:+.3f}', 'rig_palm_ratio': f'{report.palm_ratio:.3f}'}


def _said(facts: CameraFacts) -> tuple:
    """What is compared of a calibration."""
    return (facts.width, facts.height, facts.K.tobytes(), facts.P.tobytes(), facts.image_size)
