from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from safety.frame.runtime import load_network

SCRIPTS = Path(__file__).parents[3] / "scripts"


def script(name: str) -> ModuleType:
    """A script as a module; its own dependencies are those of the training extra."""
    loader = SourceFileLoader(name.replace("-", "_"), str(SCRIPTS / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up by name.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, loader.name, module)
        loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def training() -> Any:
    """scripts/train-frames."""
    pytest.importorskip("onnx")
    pytest.importorskip("sklearn")
    return script("train-frames")


@pytest.fixture(scope="module")
def measuring() -> Any:
    """scripts/measure-frames."""
    pytest.importorskip("scipy")
    return script("measure-frames")


@pytest.mark.parametrize("gamma", [0.001, 0.05])
def test_the_written_kernel_head_decides_as_the_trained_one(training: Any, tmp_path: Path, gamma: float) -> None:
    """The network's decision is the support vector machine's own, to four decimals, near and far from its vectors."""
    rng = np.random.default_rng(1)
    x = rng.normal(3, 2, (60, 25))
    head = training.kernel(gamma).fit(x, (x[:, 0] > 3).astype(int))
    graph = training.Graph()
    first = graph("Reshape", "patches", graph.value([25], np.int64))
    graph.save(tmp_path / "head.onnx", 25, training.head_graph(graph, first, head))
    network = load_network((tmp_path / "head.onnx").read_bytes(), backend="onnxruntime")
    for one in np.concatenate([x[:10], rng.normal(3, 6, (10, 25))]).astype(np.float32):
        (found,) = network.run({"patches": one[None]})
        assert float(np.asarray(found).reshape(())) == pytest.approx(head.decision_function(one[None])[0], abs=1e-4)


@given(st.lists(st.floats(0, 100), max_size=20).map(sorted))
def test_flagged_frames_within_a_second_are_one_alarm(measuring: Any, times: list[float]) -> None:
    """There is one alarm more than there are gaps over a second, and none where nothing is flagged."""
    gaps = sum(b - a > 1.0 for a, b in pairwise(times))
    assert measuring.runs(np.array(times)) == (gaps + 1 if times else 0)
