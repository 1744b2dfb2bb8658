"""Whole runs: sets, task, loop, weight file with its card. What `hand-recon train` does for each system."""
from __future__ import annotations

import dataclasses
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from hand_recon_ros.detection.offsets import load_offsets
from hand_recon_ros.networks.det_net import DetNet
from hand_recon_ros.networks.hand_net import HandNet
from hand_recon_ros.training.checkpoint import BEST, best_weights, check_task, finished_weights
from hand_recon_ros.training.det_task import DetTask
from hand_recon_ros.training.detector_points import detector_points
from hand_recon_ros.training.fit import Fitted, fit
from hand_recon_ros.training.hand_batches import HandBatches
from hand_recon_ros.training.hand_labels import LabelModel
from hand_recon_ros.training.hand_stages import stage
from hand_recon_ros.training.hand_task import HandTask
from hand_recon_ros.training.ik_task import IkTask
from hand_recon_ros.training.motion_capture import MotionCapture
from hand_recon_ros.training.recipe import DataRecipe, DetRecipe, HandRecipe, IkRecipe, load_recipe, recipe_path
from hand_recon_ros.training.reread_hands import reread
from hand_recon_ros.training.schedule import Schedule
from hand_recon_ros.training.stereo_task import StereoTask
from hand_recon_ros.training.training_sets import TrainingSet, given_sets, synthetic_set
from hand_recon_ros.weights.files import DETNET_KINEMATICS, SUFFIX, WeightCard, checksum, read_card
from hand_recon_ros.weights.store import save_weights

SYNTHETIC_TABLE, REAL_TABLE = 'synthetic', 'real'


@dataclass(frozen=True)
class RunOptions:
    """config: 'small', 'paper' or a .yaml file. out: the run's folder. overrides: of the config's fields, see
    recipe.load_recipe. data, validation: of '[NAME:]ROOT[:SPLIT]', none for the recipe's synthetic sets. model: a hand model.
    device: of torch. workers: processes that make batches. command: for the record."""
    config: str
    out: Path
    overrides: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    model: str = 'open_hand'
    device: str = 'cpu'
    workers: int = 0
    command: str = ''


@dataclass(frozen=True)
class Ended:
    """task: its name. fitted: how the run went. weights: the file written, None in a process that only helped."""
    task: str
    fitted: Fitted
    weights: Path | None


def train_iknet(options: RunOptions) -> Ended:
    """IKNet by a recipe; ValueError for what cannot be used."""
    recipe = load_recipe(IkRecipe, recipe_path('iknet', options.config), options.overrides)
    check_task(options.out, IkTask.name)
    upon = checksum(recipe.detnet) if recipe.detnet else ''
    told = LabelModel.load(options.model)
    training, held_out = _sets(options, recipe.data)
    if recipe.detnet:
        # DetNet's points are the model's own keypoints: no offsets.
        tables, whose = [np.zeros((21, 3))], 'DetNet'
        read = [reread(each, told.model, recipe.detnet) for each in (training, held_out)]
    else:
        tables, whose = [load_offsets('mediapipe', name).offsets_m for name in (SYNTHETIC_TABLE, REAL_TABLE)], 'MediaPipe'
        read = [training.detected, held_out.detected]
    seen, seen_held_out = (detector_points(each.dataset, points, told, tables[0])
                           for each, points in zip((training, held_out), read))
    task = IkTask(told.model, MotionCapture(told.model, tables, recipe.hands, progress=True), recipe.width,
                  recipe.weights, seen, seen_held_out, recipe.seen_share, recipe.mean_rest, recipe.seen_rotations,
                  recipe.seed)
    card = _card(options, 'iknet', {'width': recipe.width}, told, training,
                 f"{whose}'s 21 points of a right hand, metres, and the same at rest",
                 upon=upon)
    return _ended(options, task, recipe, recipe.schedule, options.out, card, held_out, recipe.detnet and DETNET_KINEMATICS)


def train_detnet(options: RunOptions) -> Ended:
    """DetNet by a recipe; ValueError for what cannot be used."""
    recipe = load_recipe(DetRecipe, recipe_path('detnet', options.config), options.overrides)
    check_task(options.out, DetTask.name)
    told = LabelModel.load(options.model)
    settings = {'backbone': recipe.backbone, 'features': recipe.features}
    torch.manual_seed(recipe.seed)
    network = DetNet(**settings)
    training, held_out = _sets(options, recipe.data)
    task = DetTask(network, HandBatches(training.dataset, training.detected, told, recipe.crop, recipe.augmentation,
                                        recipe.seed),
                   HandBatches(held_out.dataset, held_out.detected, told, recipe.crop), workers=options.workers)
    card = _card(options, 'detnet', settings, told, training, f'crops of {recipe.crop} pixels', crop_px=recipe.crop)
    return _ended(options, task, recipe, recipe.schedule, options.out, card, held_out)


def train_handnet(options: RunOptions, stage_name: str) -> Ended:
    """One stage of HandNet, upon the stage before it in the same folder; ValueError where that is missing."""
    recipe = load_recipe(HandRecipe, recipe_path('handnet', options.config), options.overrides)
    plan = stage(stage_name)
    if stage_name not in recipe.schedules:
        raise ValueError(f'config {options.config}: no schedule for stage {stage_name!r}, expected one of '
                         f'{", ".join(recipe.schedules)}')
    settings, sizes = {'backbone': recipe.backbone}, {'crop_px': recipe.crop, 'sigma_px': recipe.sigma_px}
    torch.manual_seed(recipe.seed)
    network = HandNet(**settings)
    done = {}
    if plan.follows:
        folder = options.out / plan.follows
        if not (folder / BEST).is_file():
            raise ValueError(f'{folder}: no weights, expected stage {plan.follows!r} to be trained before {stage_name!r}')
        weights, file = finished_weights(folder), folder / f'handnet{SUFFIX}'
        card = read_card(file)
        was = {**card.settings, 'crop': card.crop_px, 'sigma_px': card.sigma_px}
        for field, value in was.items():
            if getattr(recipe, field) != value:
                raise ValueError(f'{field}: {getattr(recipe, field)!r}, expected {value!r} as in {folder}')
        done = {'upon': checksum(file), 'hours': card.hours}
        network.load_state_dict({name.removeprefix('network.'): value for name, value in weights.items()})
    told = LabelModel.load(options.model)
    training, held_out = _sets(options, recipe.data)
    augmentation = recipe.augmentation
    if not plan.sees_image:
        # Nothing else is seen, so there is nothing to learn from keypoints that are not this hand's.
        augmentation = dataclasses.replace(augmentation, lost=0.0, garbage=0.0)
    batches = HandBatches(training.dataset, training.detected, told, recipe.crop, augmentation, recipe.seed)
    unchanged = HandBatches(held_out.dataset, held_out.detected, told, recipe.crop)
    schedule, folder = recipe.schedules[stage_name], options.out / stage_name
    if plan.pairs:
        if max(len(options.data), len(options.validation)) > 1:
            raise ValueError('--data, --validation: several sets, expected one of pairs for stage stereo')
        task = StereoTask(network, told.model, batches, unchanged, sigma_px=recipe.sigma_px, workers=options.workers)
        card = _card(options, 'stereo_weights', {}, told, training, "both views' base features of HandNet", **done)
        return _ended(options, task, recipe, schedule, folder, card, held_out)
    task = HandTask(stage_name, network, told.model, batches, unchanged, sigma_px=recipe.sigma_px, weights=recipe.weights,
                    workers=options.workers)
    card = _card(options, 'handnet', settings, told, training,
                 f"crops of {recipe.crop} pixels and heat maps of {recipe.sigma_px} pixels around MediaPipe's landmarks",
                 **sizes, **done)
    return _ended(options, task, recipe, schedule, folder, card, held_out)


def _sets(options: RunOptions, recipe: DataRecipe) -> tuple[TrainingSet, TrainingSet]:
    if bool(options.data) != bool(options.validation):
        raise ValueError('--data, --validation: only one is given, expected both or neither')
    threads = os.cpu_count() or 1
    if options.data:
        return given_sets(options.data, threads), given_sets(options.validation, threads)
    return synthetic_set(recipe.training, threads), synthetic_set(recipe.validation, threads)


def _card(options: RunOptions, network: str, settings: dict, told: LabelModel, training: TrainingSet, inputs: str,
          hours: float = 0.0, **taken) -> WeightCard:
    """The card as far as it is known before the run. hours: of the stages before it. taken: further fields of it."""
    hardware = torch.cuda.get_device_name() if options.device.startswith('cuda') else f'{os.cpu_count()} CPU cores'
    return WeightCard(network, settings, told.model.name, inputs, training.told, options.command,
                      f'{hardware}, {platform.machine()}', hours, {}, **taken)


def _ended(options: RunOptions, task, recipe, schedule: Schedule, folder: Path, card: WeightCard, held_out: TrainingSet,
           name: str = '') -> Ended:
    """Train, then write the best weights with their card into the run's folder. name: of the file, the network's own
    where it is ''."""
    settings = dataclasses.asdict(recipe)
    for told_elsewhere in ('schedule', 'schedules', *(('data',) if options.data else ())):
        settings.pop(told_elsewhere, None)
    settings |= {'model': card.model, 'training': card.data, 'validation': held_out.told, 'upon': card.upon}
    fitted = fit(task, schedule, folder, settings, options.device)
    if not fitted.leads:
        return Ended(task.name, fitted, None)
    task.network.load_state_dict(best_weights(folder))
    best = next(line for line in fitted.history if line['step'] == fitted.progress.best_step)
    card = dataclasses.replace(card, hours=card.hours + fitted.progress.seconds / 3600, figures={
        figure: value for figure, value in best.items() if figure != 'step' and not figure.startswith('loss_')})
    plain = getattr(task.network, 'network', task.network)
    file = folder / f'{name or card.network}{SUFFIX}'
    save_weights(plain.cpu(), card, file)
    return Ended(task.name, fitted, file)
