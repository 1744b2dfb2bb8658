"""A tree of small arrays as one vector: one transfer to the compiled fit and one back instead of a dozen each."""
from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np


@dataclass(frozen=True)
class Packing:
    """Layout of a tree of float32 arrays in one vector of `size` numbers."""
    structure: object
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, example) -> Packing:
        """Layout of trees like `example` (arrays, or anything with a shape)."""
        leaves, structure = jax.tree.flatten(example)
        return cls(structure, tuple(tuple(leaf.shape) for leaf in leaves))

    def pack(self, tree, concatenate=np.concatenate):
        """Vector (size,) of a tree; ValueError when a leaf has another shape. `concatenate`: NumPy's or JAX's."""
        leaves = jax.tree.leaves(tree)
        shapes = tuple(leaf.shape for leaf in leaves)
        if shapes != self.shapes:
            raise ValueError(f'shapes: {shapes}, expected {self.shapes}')
        return concatenate([leaf.reshape(-1) for leaf in leaves])

    def unpack(self, vector):
        """Tree whose leaves are views of the last axis of vector (..., size); NumPy or JAX."""
        leaves, start = [], 0
        for shape in self.shapes:
            count = int(np.prod(shape))
            leaves.append(vector[..., start:start + count].reshape(vector.shape[:-1] + shape))
            start += count
        return jax.tree.unflatten(self.structure, leaves)
