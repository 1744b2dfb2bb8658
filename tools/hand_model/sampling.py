"""Sample adults in MakeHuman's shape space: phenotypes (sex, age, build, origin) and local changes of the hand."""
import numpy as np
import torch
from anny.models.model_data import PHENOTYPE_LABELS
from anny.models.phenotype import make_phenotype_anchors, phenotype_blendshape_weights

from extract import HandSource

ADULT_AGE = (.64, .87)            # MakeHuman's age axis: about 20 to 70 years
# local change -> standard deviation, mean of its weight, clipped to -1..1
LOCAL_CHANGES = {"r-hand-scale": (.15, 0), "r-hand-fingers-length": (.25, .15), "r-hand-fingers-diameter": (.30, 0),
                 "r-hand-fingers-distance": (.2, 0), "measure-wrist-circ": (.25, 0)}


def target_weights(source: HandSource, phenotype: dict, local: dict) -> np.ndarray:
    """Weights (N, B) of the targets for phenotype values (label -> (N,) in 0..1) and local changes (-1..1)."""
    count = len(next(iter(phenotype.values())))
    values = np.full((count, len(PHENOTYPE_LABELS)), 0.5)
    for label, value in phenotype.items():
        values[:, PHENOTYPE_LABELS.index(label)] = value
    mask = torch.as_tensor(source.phenotype_mask).double()
    weights = np.zeros((count, len(source.target_names)))
    weights[:, :mask.shape[0]] = phenotype_blendshape_weights(
        torch.as_tensor(values), PHENOTYPE_LABELS, make_phenotype_anchors(dtype=torch.float64), mask, False).numpy()
    for name, value in local.items():
        weights[:, source.target_names.index(f"local_change:{name}-incr")] = np.clip(value, 0, None)
        weights[:, source.target_names.index(f"local_change:{name}-decr")] = np.clip(-value, 0, None)
    return weights


def neutral_adult(source: HandSource) -> np.ndarray:
    """Target weights (1, B) of the average adult, who decides where the arm is cut."""
    return target_weights(source, dict(age=np.array([.7])), {})


def sample_people(source: HandSource, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Target weights (N, B) of `count` adults, every second one a woman, and is_woman (N,)."""
    rng = np.random.default_rng(seed)
    is_woman = np.arange(count) % 2 == 1

    def centred(shape):
        return rng.beta(shape, shape, count)

    origin = rng.dirichlet([1, 1, 1], count)
    phenotype = dict(age=rng.uniform(*ADULT_AGE, count), gender=is_woman.astype(float), muscle=centred(4),
                     weight=centred(4), height=centred(5), proportions=centred(4),
                     african=origin[:, 0], asian=origin[:, 1], caucasian=origin[:, 2])
    local = {name: np.clip(mean + deviation * rng.standard_normal(count), -1, 1)
             for name, (deviation, mean) in LOCAL_CHANGES.items()}
    return target_weights(source, phenotype, local), is_woman


def displaced(rest: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Points (N, P, 3) of N people: rest (P, 3) plus the targets (B, P, 3) by weight (N, B)."""
    return rest[None] + np.tensordot(weights.astype(np.float32), targets, 1)
