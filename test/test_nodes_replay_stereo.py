"""Two cameras' recordings through the stereo nodes give what the pipeline in one process gives."""
import pytest
from stereo_scripts import pairs, recorded, scripted

from hand_recon_ros.bags.labelled_recording import LabelledRecording
from hand_recon_ros.evaluation.runs import RunSettings, evaluate_pairs
from hand_recon_ros.hand_model.jax_runtime import prepare_jax
from hand_recon_ros.nodes.live_runs import LiveRuns
from hand_recon_ros.pipeline import StereoSettings


@pytest.mark.parametrize('fusion', ['triangulation'])
def test_the_nodes_fuse_what_the_pipeline_fuses(tmp_path, fusion):
    prepare_jax()
    rig, truths = scripted('rectified', 0.12)
    recording = LabelledRecording.read(recorded(tmp_path / 'bag', rig, truths))
    settings = RunSettings(StereoSettings(fusion=fusion, offsets='none'), 'truth+noise', 1.0)
    with LiveRuns(settings, 1.0, lambda line: None) as nodes:
        run = nodes.evaluate('a', recording, tmp_path / 'out')
    assert run.replay.images == 12 and not any(run.replay.lost.values()), run.replay.lost
    live, here = run.judged.evaluation.metrics(), evaluate_pairs('a', rig, pairs(rig, truths), truths,
                                                                 settings).evaluation.metrics()
    for name in ('recall', 'handedness_accuracy', 'id_switches', 'keypoint_error_percent'):
        assert live[name] == pytest.approx(here[name], rel=1e-4), name
    for name in ('cs_mpjpe_mm', 'pa_mpjpe_mm', 'cs_mpvpe_mm'):
        assert live[name] == pytest.approx(here[name], rel=0.02), name
    assert run.judged.evaluation.true_hands == 24


def test_what_no_node_does_is_refused():
    with pytest.raises(ValueError, match="tailor: 'adam', expected none"):
        LiveRuns(RunSettings(StereoSettings(tailor='adam'), 'openvino'), 1.0)
