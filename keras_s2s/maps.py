"""What goes on inside a model, for people to look at: attention over some sentences, or a map of context vectors.

A map is plain data, so that it can be kept in a file and drawn long after the model is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_s2s.pipeline import by_length
from keras_s2s.predictor import Predictor
from keras_s2s.scoring.text import pick, spread

SENTENCES = 4  # with attention
POINTS = 160  # sentences in a map of context vectors
LABELLED = 8  # pairs of neighbours written out in it
BATCH_BYTES = 16384


def look(predictor: Predictor, sources: Sequence[Any], references: Sequence[Any], answers: Sequence[Any]) -> dict[str, Any]:
    """What the target's scoring has to show of answers; else see `inside`."""
    found = predictor.model.target.scoring.look(sources, references, answers)
    return inside(predictor, sources, [answer.best for answer in answers]) if found is None else found


def inside(predictor: Predictor, sources: Sequence[Any], answers: Sequence[str]) -> dict[str, Any]:
    """The attention of some of the sentences and their answers; without attention, where all the sources lie.

    Returns:
        {"kind": "attention", "maps": [{"source": pieces, "target": pieces, "weights": [T][S]}]}, of what can be
            seen with "picture", see `Source.picture`; or
        {"kind": "context", "points": [N][2], "labels": sentences, "pairs": [[i, j]], "explained": share of the variance}.
    """
    if predictor.model.decoder.attention is not None:
        chosen = pick([str(source) for source in sources], SENTENCES, answers)
        maps = predictor.alignments([sources[i] for i in chosen], [answers[i] for i in chosen]) if chosen else []
        pictures = [predictor.model.source.picture(sources[i]) for i in chosen]
        return {"kind": "attention", "maps": [one if picture is None else one | {"picture": picture}
                                              for one, picture in zip(maps, pictures)]}
    chosen = spread(len(sources), POINTS)
    named = {str(sources[i]): sources[i] for i in chosen}
    vectors = context_vectors(predictor, list(named.values()))
    points, explained = project(vectors)
    return {"kind": "context", "points": np.round(points, 4).tolist(), "labels": list(named),
            "pairs": neighbours(vectors, points), "explained": round(explained, 4)}


def context_vectors(predictor: Predictor, sources: Sequence[Any]) -> np.ndarray:
    """What the encoder hands to the decoder for each source: all its last states, side by side [N, ...]."""
    source = predictor.model.source
    rows: list[Any] = [None] * len(sources)
    for part in by_length(source.sizes(sources), BATCH_BYTES):
        made = tf.constant(source.batch([sources[i] for i in part]), source.signature.dtype)
        encoded = predictor.model.encode(source.prepare(made))
        for i, vector in zip(part, np.concatenate([np.asarray(state, np.float32) for state in encoded.state], axis=1)):
            rows[i] = vector
    return np.stack(rows)


def project(vectors: np.ndarray) -> tuple[np.ndarray, float]:
    """Vectors [N, D] -> points [N, 2] along the two directions of most variance (PCA), and their share of it."""
    centred = (vectors - vectors.mean(axis=0)).astype(np.float64)
    alike = centred @ centred.T
    variances, directions = np.linalg.eigh(alike)  # of [N, N]: far quicker than the SVD of [N, D], and the same
    largest = np.maximum(variances[::-1][:2], 0)
    points = np.zeros((len(vectors), 2))
    points[:, :len(largest)] = directions[:, ::-1][:, :2] * np.sqrt(largest)
    return points, float(largest.sum() / max(np.trace(alike), 1e-30))


def neighbours(vectors: np.ndarray, points: np.ndarray, wanted: int = LABELLED) -> list[list[int]]:
    """Pairs of sentences that lie nearest to each other by cosine, from places far apart in the map."""
    if len(vectors) < 2:
        return []
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    alike = unit @ unit.T
    np.fill_diagonal(alike, -np.inf)
    pairs: list[list[int]] = []
    distance, taken = np.linalg.norm(points - points.mean(axis=0), axis=1), set[int]()
    while len(pairs) < wanted and distance.max() > 0:
        first = int(distance.argmax())
        second = int(alike[first].argmax())
        distance = np.minimum(distance, np.linalg.norm(points - points[first], axis=1)) if pairs else \
            np.linalg.norm(points - points[first], axis=1)
        distance[[first, second]] = 0
        if not {first, second} & taken:
            pairs.append([first, second])
            taken |= {first, second}
    return pairs
