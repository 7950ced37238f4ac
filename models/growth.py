"""Growth of one tree: where to split, and what its leaves say, from slopes of the log loss (Chen and Guestrin 2016)."""

from collections.abc import Sequence

import numpy as np

from models.hinges import Matrix
from models.trees import DEPTH, INNER, NEVER, NODES, Indices, Trees

CUTS = 16  # where a feature may be split: at so many quantiles
RATE = 0.2  # of each leaf's step
MOST_STEP = 3.0  # log-odds, before the rate
_SHRINKAGE = 1.0  # the curvature that a leaf has without a row
_LEAST_CURVATURE = 2.0  # on either side of a split: eight rows at least
_LEAST_GAIN = 1e-3


def grown(rows: Matrix, slopes: Matrix, curvatures: Matrix, asked: Indices) -> Trees:
    """One tree on compressed rows (n, features) that may ask for the features `asked`.

    `slopes` (n,) is outcome less probability, `curvatures` (n,) probability times its complement. What a leaf says is
    a Newton step, bounded and taken at RATE.
    """
    columns = rows[:, asked]
    cuts = np.sort(columns, axis=0)[np.arange(1, CUTS + 1) * (len(rows) - 1) // (CUTS + 1)]
    bins = (columns[:, :, None] > cuts.T).sum(axis=2)  # a cut k is passed by those whose bin is above k
    cells = (CUTS + 1) * np.arange(len(asked)) + bins
    weights = [np.repeat(each, len(asked)) for each in (slopes, curvatures)]
    features, thresholds = np.zeros(INNER, dtype=np.intp), np.full(INNER, NEVER)
    node = np.zeros(len(rows), dtype=np.intp)
    for level in range(DEPTH):
        first, width = 2**level - 1, 2**level
        gains = _gains(cells, weights, node - first, width).reshape(width, -1)
        best = gains.argmax(axis=1)
        splits = gains[np.arange(width), best] > _LEAST_GAIN
        column, cut = np.divmod(best, CUTS)
        inner = slice(first, first + width)
        features[inner] = asked[column]
        thresholds[inner] = np.where(splits, cuts[cut, column], NEVER)
        node = 2 * node + 1 + (rows[np.arange(len(rows)), features[node]] > thresholds[node])
    return Trees(
        features=features[None], thresholds=thresholds[None], values=_values(slopes, curvatures, node - INNER)[None]
    )


def _gains(cells: Indices, weights: Sequence[Matrix], node: Indices, width: int) -> Matrix:
    """What each split would win: (width, columns, CUTS); 0 where too little would lie on a side.

    `cells` (n, columns) are bins, counted over all columns; `weights` are slopes and curvatures of all cells.
    """
    columns = cells.shape[1]
    shape = (width, columns, CUTS + 1)
    all_cells = (node[:, None] * (columns * (CUTS + 1)) + cells).ravel()
    slope, curvature = (
        np.bincount(all_cells, each, width * columns * (CUTS + 1)).reshape(shape).cumsum(axis=2) for each in weights
    )
    all_slope, all_curvature = slope[..., -1:], curvature[..., -1:]
    left, below = slope[..., :-1], curvature[..., :-1]
    right, above = all_slope - left, all_curvature - below
    gain: Matrix = _won(left, below) + _won(right, above) - _won(all_slope, all_curvature)
    return np.where((below >= _LEAST_CURVATURE) & (above >= _LEAST_CURVATURE), gain, 0.0)


def _won(slope: Matrix, curvature: Matrix) -> Matrix:
    won: Matrix = slope**2 / (curvature + _SHRINKAGE)
    return won


def _values(slopes: Matrix, curvatures: Matrix, leaf: Indices) -> Matrix:
    """Of all nodes: a leaf's step, and above it the mean of the rows below."""
    values, rows = np.zeros(NODES), np.zeros(NODES)
    slope, curvature = (np.bincount(leaf, each, INNER + 1) for each in (slopes, curvatures))
    values[INNER:] = RATE * np.clip(slope / (curvature + _SHRINKAGE), -MOST_STEP, MOST_STEP)
    rows[INNER:] = np.bincount(leaf, minlength=INNER + 1)
    for node in reversed(range(INNER)):
        below = slice(2 * node + 1, 2 * node + 3)
        rows[node] = rows[below].sum()
        values[node] = np.dot(values[below], rows[below]) / rows[node] if rows[node] else 0.0
    return values
