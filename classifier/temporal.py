"""How the pictures of a stretch follow each other: spectrum in time, motion and what motion leaves, paths of features.

The first group survives re-encoding best (measured: trained on native files and tested on canonical ones, numbers like
these keep .83 of AUC where spatial ones fall to .56), so it is the larger one.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.spatial import Floats, Named, halved

_LEVELS: Final = 5  # bands of a Laplacian pyramid: 256, 128, 64, 32, 16 pixels
_SMALL: Final = 112  # pixels; the second view, on which motion is measured
_TINY: Final = 1e-2


def measured(luma: NDArray[np.uint8], chroma: NDArray[np.uint8]) -> Named:
    """The temporal numbers of a stretch: luma (T, H, W), chroma (T, 2, H / 2, W / 2)."""
    Y = luma.astype(np.float32)
    small = np.stack([cv2.resize(one, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA) for one in luma])
    flows = _flows(small)
    return {
        **_bands(Y),
        **_colour(chroma.astype(np.float32)),
        **_steadiness(Y),
        **_motion(flows),
        **_left_over(small, flows),
        **_stuck(Y, flows),
        **_path("light", _unit(cv2_small(small, 16))),
        **_path("edges", _unit(_oriented(small))),
    }


def cv2_small(planes: NDArray[np.uint8], side: int) -> Floats:
    """Planes (T, H, W) reduced to side x side, flat: (T, side * side)."""
    made = [cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA).ravel() for one in planes]
    return np.stack(made).astype(np.float32)


def _bands(Y: Floats) -> Named:
    """Per spatial band: correlation in time at lags 1 to 4, shares of the spectrum in time, how uneven change is."""
    made: Named = {}
    planes = Y
    for level in range(_LEVELS):
        lower = halved(planes)
        size = (planes.shape[2], planes.shape[1])
        back = [cv2.resize(one, size, interpolation=cv2.INTER_NEAREST) for one in lower]
        band = planes - np.stack([cv2.GaussianBlur(one, (0, 0), 1.0) for one in back])
        made |= {f"band{level}/{name}": value for name, value in _band(band).items()}
        planes = lower
    return made


def _band(band: Floats) -> Named:
    flat = band.reshape(len(band), -1)
    power = _energy(flat) + _TINY
    change = flat[1:] - flat[:-1]
    made: Named = {}
    energies = [_energy(flat[lag:] - flat[:-lag]) + _TINY for lag in (1, 2, 3, 4)]
    made["moves"] = float(np.log(energies[0] / power))
    for lag, one in zip((2, 3, 4), energies[1:], strict=True):
        made[f"lag{lag}"] = float(np.log(one / energies[0]))
    bend = change[1:] - change[:-1]
    made["bend"] = float(np.log((_energy(bend) + _TINY) / energies[0]))
    magnitude, square = np.abs(change), change * change
    size = magnitude.mean() + _TINY
    deviation = float(np.sqrt(max(0.0, energies[0] - _TINY - float(change.mean()) ** 2)))
    made["peaked"] = float(np.log((deviation + _TINY) / size))
    made["still"] = np.count_nonzero(magnitude < 0.2 * size) / magnitude.size
    moments = np.log(square.mean(1) + _TINY)
    made["uneven"] = float(moments.std())
    places = np.log(square.mean(0) + _TINY)
    made["patchy"] = float(places.std())
    made |= _in_time(flat)
    return made


def _energy(flat: Floats) -> float:
    """The mean square."""
    return float(np.vdot(flat, flat)) / flat.size


def _in_time(flat: Floats) -> Named:
    """The spectrum in time at four higher frequencies against a low one, read off between its points."""
    T = len(flat)
    waves = np.fft.rfft(np.diag(np.hanning(T + 2)[1:-1]), axis=0)  # as a matrix: T is small, the picture is not
    parts = np.concatenate([waves.real, waves.imag]).astype(np.float32) @ (flat - flat.mean(0))
    parts = (parts**2).mean(1).reshape(2, -1).sum(0)  # (T / 2 + 1,)
    where = np.arange(len(parts)) / T  # cycles a picture, up to 0.5
    logs = np.interp([0.125, 0.22, 0.31, 0.4, 0.5], where, np.log(parts + _TINY))
    return {f"time{place}": float(value) for place, value in enumerate(logs[1:] - logs[0])}


def _colour(C: Floats) -> Named:
    made: Named = {}
    for name, planes in (("blue", C[:, 0]), ("red", C[:, 1])):
        band = planes - np.stack([cv2.GaussianBlur(one, (0, 0), 2.0) for one in planes])
        found = _band(np.ascontiguousarray(band))
        made |= {f"{name}/{key}": found[key] for key in ("moves", "lag2", "lag3", "bend", "uneven", "patchy")}
    return made


def _steadiness(Y: Floats) -> Named:
    """Sharpness from picture to picture: its jitter, its drift, and the first picture against the rest."""
    fine = np.log(np.abs(Y[:, 1:, 1:] - Y[:, :-1, :-1]).mean((1, 2)) + _TINY)  # (T,)
    light = np.log(Y.mean((1, 2)) + 1.0)
    drift = np.polyfit(np.arange(len(fine)), fine, 1)[0]
    return {
        "steady/jitter": float(np.log(np.abs(np.diff(fine)).mean() + 1e-4)),
        "steady/drift": float(drift * len(fine)),
        "steady/first": float(fine[0] - fine[1:4].mean()),
        "steady/bend": float(np.log(np.abs(np.diff(fine, 2)).mean() + 1e-4)),
        "steady/light": float(np.log(np.abs(np.diff(light)).mean() + 1e-4)),
        "steady/light-bend": float(np.log(np.abs(np.diff(light, 2)).mean() + 1e-4)),
    }


def _flows(small: NDArray[np.uint8]) -> Floats:
    """Dense motion from every picture to the next: (T - 1, 112, 112, 2), pixels."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    return np.stack([search.calc(early, late, None) for early, late in pairwise(small)]).astype(np.float32)  # type: ignore[call-overload]


def _motion(flows: Floats) -> Named:
    """Strength, smoothness and steadiness of motion, and what of it is the camera's."""
    size = np.hypot(flows[..., 0], flows[..., 1])
    mean = float(size.mean()) + _TINY
    across, down = np.diff(flows, axis=2)[:, 1:], np.diff(flows, axis=1)[:, :, 1:]
    rough = float(np.hypot(across, down).mean())
    turning = float(np.abs(down[..., 0] - across[..., 1]).mean()) + 1e-3
    spreading = float(np.abs(across[..., 0] + down[..., 1]).mean()) + 1e-3
    change = float(np.hypot(*np.moveaxis(np.diff(flows, axis=0), -1, 0)).mean()) + 1e-3
    own = flows - _planes(flows)
    apart = float(np.hypot(own[..., 0], own[..., 1]).mean()) + 1e-3
    each = np.log(size.mean((1, 2)) + _TINY)
    return {
        "motion/size": float(np.log(mean)),
        "motion/spread": float(np.log((np.quantile(size, 0.95) + _TINY) / (np.quantile(size, 0.5) + _TINY))),
        "motion/still": float((size < 0.1).mean()),
        "motion/rough": float(np.log((rough + 1e-3) / mean)),
        "motion/turning": float(np.log(turning / spreading)),
        "motion/change": float(np.log(change / mean)),
        "motion/own": float(np.log(apart / mean)),
        "motion/uneven": float(each.std()),
        "motion/jerk": float(np.log(np.abs(np.diff(each, 2)).mean() + 1e-3)),
    }


def _planes(flows: Floats) -> Floats:
    """The part of each flow that is affine in the place: pan, zoom, turn."""
    T, H, W, _ = flows.shape
    down, across = np.meshgrid(np.linspace(-1, 1, H), np.linspace(-1, 1, W), indexing="ij")
    basis = np.stack([np.ones(H * W), across.ravel(), down.ravel()], 1).astype(np.float32)
    gram = np.linalg.inv(basis.T @ basis) @ basis.T  # (3, H * W)
    flat = flows.reshape(T, H * W, 2).transpose(1, 0, 2).reshape(H * W, T * 2)
    fitted = basis @ (gram.astype(np.float32) @ flat)  # (H * W, T * 2)
    return np.asarray(fitted.reshape(H * W, T, 2).transpose(1, 0, 2).reshape(flows.shape), np.float32)


def _left_over(small: NDArray[np.uint8], flows: Floats) -> Named:
    """What motion does not explain: the next picture against this one carried along."""
    Y = small.astype(np.float32)
    left = np.stack([carried(late, flow) - early for early, late, flow in zip(Y[:-1], Y[1:], flows, strict=True)])
    left = left[:, 6:-6, 6:-6]
    plain = (Y[1:] - Y[:-1])[:, 6:-6, 6:-6]
    edges = np.abs(np.diff(Y, axis=2)).mean() + _TINY
    size = np.abs(left).mean() + _TINY
    each = np.log((left**2).mean((1, 2)) + _TINY)
    again = left[1:] - left[:-1]
    fine = left - np.stack([cv2.GaussianBlur(one, (0, 0), 2.0) for one in left])
    return {
        "left/explained": float(np.log(size / (np.abs(plain).mean() + _TINY))),
        "left/edges": float(np.log(size / edges)),
        "left/peaked": float(np.log((left.std() + _TINY) / size)),
        "left/uneven": float(each.std()),
        "left/again": float(np.log((again.std() + _TINY) / (left.std() + _TINY))),
        "left/fine": float(np.log((fine.std() + _TINY) / (left.std() + _TINY))),
        "left/patchy": float(np.log((left**2).mean(0) + _TINY).std()),
    }


def _stuck(Y: Floats, flows: Floats) -> Named:
    """Whether fine detail moves with things, stays where it was, or is drawn anew: correlations of noise residuals."""
    half = halved(Y)
    fine = half - np.stack([cv2.GaussianBlur(one, (0, 0), 1.0) for one in half])
    scale = half.shape[-1] / flows.shape[2]
    side = (half.shape[2], half.shape[1])
    along, fixed, twice = [], [], []
    for place, flow in enumerate(flows):
        wide = cv2.resize(flow, side, interpolation=cv2.INTER_LINEAR) * scale
        along.append(_tie(carried(fine[place + 1], wide), fine[place]))
        fixed.append(_tie(fine[place + 1], fine[place]))
        if place + 2 < len(fine):
            twice.append(_tie(fine[place + 2], fine[place]))
    return {
        "stuck/along": float(np.median(along)),
        "stuck/fixed": float(np.median(fixed)),
        "stuck/gain": float(np.median(np.subtract(along, fixed))),
        "stuck/twice": float(np.median(twice)),
        "stuck/uneven": float(np.std(along)),
    }


def _tie(a: Floats, b: Floats) -> float:
    a, b = np.clip(a, -12, 12)[6:-6, 6:-6], np.clip(b, -12, 12)[6:-6, 6:-6]
    below = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / below if below > 1.0 else 0.0


def carried(picture: Floats, flow: Floats) -> Floats:
    """The picture (H, W) read at every place plus the flow there."""
    height, width = picture.shape
    down, across = np.indices((height, width), np.float32)
    made = cv2.remap(
        picture, across + flow[..., 0], down + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(made, np.float32)


def _oriented(small: NDArray[np.uint8]) -> Floats:
    """Histograms of gradient directions, 7 x 7 cells of 16 pixels, 8 directions: (T, 392)."""
    made = []
    for one in small.astype(np.float32):
        gx, gy = cv2.Sobel(one, cv2.CV_32F, 1, 0), cv2.Sobel(one, cv2.CV_32F, 0, 1)
        size, angle = np.hypot(gx, gy), np.mod(np.arctan2(gy, gx), np.pi)
        kind = np.minimum((angle * 8 / np.pi).astype(int), 7)
        cell = np.arange(_SMALL) // 16
        key = (cell[:, None] * 7 + cell[None, :]) * 8 + kind
        made.append(np.bincount(key.ravel(), size.ravel(), minlength=392))
    return np.sqrt(np.stack(made)).astype(np.float32)


def _unit(points: Floats) -> Floats:
    centred = points - points.mean(1, keepdims=True)
    return np.asarray(centred / (np.linalg.norm(centred, axis=1, keepdims=True) + _TINY), np.float32)


def _path(name: str, points: Floats) -> Named:
    """Steps, turns and straightness of the path (T, D) that the pictures take through a space of features."""
    steps = np.diff(points, axis=0)
    lengths = np.linalg.norm(steps, axis=1) + 1e-4
    turns = (steps[1:] * steps[:-1]).sum(1) / (lengths[1:] * lengths[:-1])
    second = np.abs(np.diff(lengths, 2)) / lengths.mean()
    return {
        f"{name}/step": float(np.log(lengths.mean())),
        f"{name}/uneven": float(np.log(lengths).std()),
        f"{name}/turn": float(turns.mean()),
        f"{name}/turn-spread": float(turns.std()),
        f"{name}/jerk": float(np.log(second.mean() + 1e-3)),
        f"{name}/straight": float(np.linalg.norm(points[-1] - points[0]) / lengths.sum()),
    }
