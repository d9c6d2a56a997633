"""The runtime of small networks: the fastest sound way, named, and the same whoever calls it."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import safety.frame.runtime as runtime
from safety import ModelUnavailable
from safety.frame.runtime import Tolerance, load_network


def network(weight: float = 3.0, kind: int = TensorProto.FLOAT) -> bytes:
    """Y = weight * x, as ONNX bytes; x has a free first dimension."""
    scale = helper.make_tensor("w", kind, [1], [weight])
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "w"], ["y"])],
        "scaled",
        [helper.make_tensor_value_info("x", kind, ["n", 4])],
        [helper.make_tensor_value_info("y", kind, ["n", 4])],
        [scale],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    onnx.checker.check_model(content)
    return content


FEED = {"x": np.arange(8, dtype=np.float32).reshape(2, 4)}


@pytest.mark.parametrize("backend", ["auto", "onnxruntime"])
def test_every_way_computes_the_network(backend: Any) -> None:
    """Whatever computes it, the outputs are the network's; name, shapes and hash are told."""
    loaded = load_network(network(), backend=backend, streams=2)
    assert np.allclose(loaded.run(FEED)[0], FEED["x"] * 3)
    assert loaded.inputs == {"x": (None, 4)}
    assert len(loaded.sha256) == 64
    assert loaded.description.startswith("openvino" if backend == "auto" else "onnxruntime")
    assert loaded.description.endswith("cpu fp32, 1 thread x 2")


def test_the_outputs_stay_as_they_were_when_it_runs_again() -> None:
    """What one call returned is not overwritten by the next."""
    loaded = load_network(network(), streams=1)
    first = loaded.run(FEED)[0]
    before = first.copy()
    loaded.run({"x": FEED["x"] + 100})
    assert np.array_equal(first, before)


def test_many_threads_get_their_own_answers() -> None:
    """Calls at the same time do not mix."""
    loaded = load_network(network(), streams=2)
    wrong: list[int] = []

    def work(number: int) -> None:
        feed = {"x": np.full((1, 4), number, np.float32)}
        for _ in range(50):
            if not np.allclose(loaded.run(feed)[0], 3 * number):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_bf16_is_used_only_where_its_author_measured_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a processor with bf16, a network without a bf16 tolerance stays in fp32."""
    tried: list[str] = []
    known = runtime._openvino

    def spy(content: bytes, precision: Any, streams: int) -> Any:
        tried.append(precision)
        return known(content, "fp32", streams)

    monkeypatch.setattr(runtime, "_openvino", spy)
    monkeypatch.setattr(runtime, "_has_bf16", lambda: True)
    load_network(network())
    assert tried == ["fp32"]
    assert "bf16" in load_network(network(), tolerance=Tolerance(bf16=0.02)).description
    monkeypatch.setattr(runtime, "_has_bf16", lambda: False)
    assert "fp32" in load_network(network(), tolerance=Tolerance(bf16=0.02)).description


@pytest.mark.parametrize("wrong", ["other numbers", "nan", "another shape", "raises", "not taken"])
def test_a_faster_way_that_is_not_sound_is_not_taken(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the faster way computes something else on the probe, ONNX Runtime computes."""

    def broken(feed: Any) -> list[np.ndarray]:
        if wrong == "raises":
            raise RuntimeError("no such operation")
        changed = {"other numbers": feed["x"] * 3.1, "nan": feed["x"] * np.nan, "another shape": feed["x"][:, :1]}
        return [changed[wrong]]

    made: Sequence[Any] | None = None if wrong == "not taken" else [broken]
    monkeypatch.setattr(runtime, "_openvino", lambda content, precision, streams: made)
    loaded = load_network(network())
    assert loaded.description.startswith("onnxruntime")
    assert np.allclose(loaded.run(FEED)[0], FEED["x"] * 3)


def test_without_openvino_nothing_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed, ONNX Runtime computes, and openvino is not imported."""
    monkeypatch.setattr(runtime, "find_spec", lambda name: None)
    real = builtins.__import__

    def refusing(name: str, *rest: Any, **more: Any) -> Any:
        assert name != "openvino"
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refusing)
    assert load_network(network()).description.startswith("onnxruntime")


def test_what_is_no_network_is_refused_with_its_remedy() -> None:
    """Broken bytes, a probe that does not fit, and inputs that need a probe of their own are clear errors."""
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        load_network(b"not onnx")
    with pytest.raises(ModelUnavailable, match="does not run on its probe"):
        load_network(network(), probe={"x": np.zeros((1, 5), np.float32)[:, :0]})
    with pytest.raises(ModelUnavailable, match="give `probe`"):
        load_network(network(kind=TensorProto.DOUBLE))


def test_openvino_leaves_what_it_cannot_read_to_others() -> None:
    """A network that OpenVINO does not take is no error."""
    assert runtime._openvino(b"not onnx", "fp32", 1) is None
