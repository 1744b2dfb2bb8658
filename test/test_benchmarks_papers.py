"""bench papers: on a handful of held-out hands every experiment gives its rows, and they say what they should."""
import dataclasses

import numpy as np
import pytest
import torch
from training_sets import SAMPLES, perfect_detections, small_set

from hand_recon_ros.benchmarks.paper_parts.hand_net import MEAN_POSE, TOLD, VARIANTS, hand_net_rows
from hand_recon_ros.benchmarks.paper_parts.held_out import HeldOut
from hand_recon_ros.benchmarks.paper_parts.kinematics import ABLATION, ablation_rows, kinematics_rows
from hand_recon_ros.benchmarks.paper_parts.segmentation import segmentation_rows
from hand_recon_ros.benchmarks.paper_parts.stage_times import time_rows
from hand_recon_ros.benchmarks.paper_parts.stereo_weights import ORACLE, stereo_rows
from hand_recon_ros.benchmarks.paper_parts.weight_cards import card_rows
from hand_recon_ros.cli import main
from hand_recon_ros.networks.hand_net import HandNet
from hand_recon_ros.training.training_sets import TrainingSet
from hand_recon_ros.weights.files import read_card, weight_file
from hand_recon_ros.weights.store import save_weights


@pytest.fixture(scope='module')
def held_out(tmp_path_factory):
    dataset = small_set(tmp_path_factory.mktemp('shards') / 'set')
    return HeldOut(TrainingSet(dataset, perfect_detections(dataset), 'some'))


def test_truth_is_what_the_pictures_show(held_out):
    assert len(held_out) == SAMPLES
    for place in (0, 1):
        sight = held_out.sight(held_out.numbers[0], place)
        np.testing.assert_allclose(sight.frame.camera.project(sight.joints_m), sight.keypoints.points_px, atol=1e-3)
        assert np.linalg.norm(sight.vertices_m - sight.joints_m[9], axis=1).max() < 0.2


def test_kinematics_on_the_truth_is_exact_but_for_the_limits(held_out):
    rows = {row['case']: row for row in kinematics_rows(held_out)}
    of = lambda kind, name: rows[f'inverse kinematics, {kind}, {name}']         # noqa: E731
    assert of('truth', 'the points themselves')['root_mpjpe_mm'] == pytest.approx(0, abs=1e-6)
    assert of('truth', 'gauss_newton + anatomy, from rest')['pa_mpjpe_mm'] < 4
    assert of('truth', 'closed_form_ik')['pa_mpjpe_mm'] < 4 and of('truth', 'iknet')['pa_mpjpe_mm'] < 12
    assert of('truth + 8 mm', 'iknet')['pa_mpjpe_mm'] < of('truth + 8 mm', 'the points themselves')['pa_mpjpe_mm']
    for name in ('closed_form_ik', 'iknet'):
        assert of('truth', name)['violations_per_hand'] == 0
    assert all(row['ours_ms'] > 0 for row in rows.values() if 'ours_ms' in row)


def test_masks_and_pairs_are_compared(held_out):
    masks = {row['case']: row for row in segmentation_rows(held_out)}
    assert masks['mask, HandNet']['iou'] > 0.5 and masks['mask, HSV']['paper_iou'] == 0.18
    pairs = {row['case']: row for row in stereo_rows(held_out)}
    assert pairs['HandNet, one view']['pa_mpvpe_to_mono'] == 1
    assert pairs['HandNet, two views, learned weights']['pa_mpvpe_to_mono'] < 1.1
    assert 0.5 < pairs[f'HandNet, two views, {ORACLE}']['pa_mpvpe_to_mono'] <= 1
    assert all(row['hands'] == SAMPLES for row in pairs.values())


def test_ablations_read_the_runs(held_out, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))       # DetNet's reading is kept there
    card = dataclasses.replace(read_card('handnet'), crop_px=64, sigma_px=1.0)
    torch.manual_seed(0)
    for variant in VARIANTS:
        folder = tmp_path / variant.folder
        folder.mkdir(parents=True)
        save_weights(HandNet(**card.settings).eval(), card, folder / 'handnet.safetensors')
    curves = {}
    rows = hand_net_rows(held_out, tmp_path, curves)
    assert len(rows) == len(curves) == len(VARIANTS) * len(TOLD)
    assert rows[-1]['case'] == MEAN_POSE and 2 < rows[-1]['pa_mpvpe_mm'] < 30
    assert rows[0]['all_stages_over_this'] == 1 and rows[1]['paper_all_stages_over_this'] == pytest.approx(0.78 / 0.85)
    assert all(errors.shape == (SAMPLES, 21) for errors in curves.values())
    for name in ABLATION:
        (tmp_path / name).mkdir()
        (tmp_path / name / 'iknet.safetensors').write_bytes(weight_file('iknet').read_bytes())
    table = ablation_rows(held_out, tmp_path)
    assert [row['pa_mpjpe_mm'] for row in table[1:-2]] == [table[1]['pa_mpjpe_mm']] * len(ABLATION)
    assert table[0]['case'] == "table 2, MediaPipe's points" and table[1]['paper_auc_20_50'] == 0.948
    assert table[-2]['case'] == "table 2, DetNet's points" and table[-1]['pa_mpjpe_mm'] < 20


def test_times_and_cards(held_out):
    times = {row['case']: row for row in time_rows(held_out)}
    assert times['network, DetNet']['paper_ms'] == 8.9 and times['whole estimate, iknet']['ours_ms'] > 0
    assert max(row.get('relative_difference', 0) for row in times.values()) < 1e-2
    cards = {row['case']: row for row in card_rows()}
    assert {f'weights, {name}' for name in ('detnet', 'handnet', 'iknet', 'iknet_detnet', 'stereo_weights')} == set(cards)
    assert sum(row['size_mb'] for row in cards.values()) < 60
    assert all(row['command'].startswith('hand-recon train ') and row['hours'] > 0 for row in cards.values())


def test_wrong_usage_is_named(capsys, tmp_path):
    for arguments, named in ((['--samples', '0'], '--samples: 0, expected at least 1'),
                             (['--runs', str(tmp_path / 'none')], '--runs: ')):
        assert main(['bench', 'papers', *arguments]) == 2
        assert named in capsys.readouterr().err
