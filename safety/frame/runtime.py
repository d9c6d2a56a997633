"""Runs a small ONNX network in the fastest way that was found sound here, and says which way that is.

The order is fixed, so that the same machine always computes the same scores: OpenVINO in bf16 where the processor has
it in hardware and the network's author found it accurate, OpenVINO in fp32, ONNX Runtime in fp32. A way is sound when,
on a fixed probe, its output differs from ONNX Runtime's fp32 by no more than `Tolerance` says; else the next is taken.
One thread a call, and as many calls at once as there are streams: two threads in one operation were slower than one.
"""

from __future__ import annotations

import hashlib
import os
import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from safety.errors import ModelUnavailable

Precision = Literal["fp32", "bf16"]
Tensor = NDArray[Any]
Feed = Mapping[str, Tensor]
Judge = Callable[[Sequence[Tensor]], Tensor]

_PROBE_SEED = 20261122


def _everything(outputs: Sequence[Tensor]) -> Tensor:
    return np.concatenate([output.ravel() for output in outputs])


@dataclass(frozen=True)
class Tolerance:
    """How far a faster way may be from ONNX Runtime in fp32 on the probe: |a - b| <= tolerance x (1 + |b|), everywhere.

    `fp32` allows for another order of additions. `bf16` is None where the network's author has not measured that
    its scores hold in bf16, and then it is never used; otherwise the difference that was measured to be harmless.
    `judged` picks what is compared, where not all outputs matter alike (boxes in pixels beside probabilities).
    """

    fp32: float = 1e-3
    bf16: float | None = None
    judged: Judge = _everything


class _Session(Protocol):
    """One network, ready to run, called by one thread at a time."""

    def __call__(self, feed: Feed) -> list[Tensor]: ...


@dataclass(frozen=True)
class Network:
    """A loaded network. `run` may be called from any number of threads; `streams` of them compute at once.

    description  what computes it, for the posture: "openvino 2026.4 cpu bf16, 1 thread x 2"
    sha256       of the ONNX file
    inputs       name -> shape, with None for a dimension that is free
    """

    description: str
    sha256: str
    inputs: Mapping[str, tuple[int | None, ...]]
    streams: int
    _idle: queue.SimpleQueue[_Session] = field(repr=False)

    def run(self, feed: Feed) -> list[Tensor]:
        """The outputs, in the file's order, for inputs by name. Waits while all streams are busy."""
        with self._session() as session:
            return session(feed)

    @contextmanager
    def _session(self) -> Iterator[_Session]:
        session = self._idle.get()
        try:
            yield session
        finally:
            self._idle.put(session)


def load_network(
    content: bytes,
    *,
    tolerance: Tolerance | None = None,
    probe: Feed | None = None,
    streams: int | None = None,
    backend: Literal["auto", "onnxruntime"] = "auto",
) -> Network:
    """The network in an ONNX file's bytes (kilobytes to some tens of megabytes; weights inside).

    tolerance  by default fp32 only
    probe      inputs on which the ways are compared; by default noise in [0, 1], free dimensions 1
    streams    calls at once; by default the processor's cores, at most 4
    backend    onnxruntime: do not look for anything faster

    Raises ModelUnavailable where the bytes are no network that ONNX Runtime runs.
    """
    tolerance, streams = tolerance or Tolerance(), streams or min(os.cpu_count() or 1, 4)
    reference, inputs = _onnxruntime(content)
    feed = probe or _noise(inputs)
    expected = tolerance.judged(_probed(reference, feed))
    shapes = {name: shape for name, (shape, _) in inputs.items()}
    for precision, allowed in _candidates(tolerance, backend):
        made = _openvino(content, precision, streams)
        if made is not None and _close(made[0], feed, expected, allowed, tolerance.judged):
            words = f"openvino {metadata.version('openvino')} cpu {precision}, 1 thread x {streams}"
            return Network(words, _sha256(content), shapes, streams, _queue(made))
    # One session serves all threads: ONNX Runtime's own `run` bears them.
    words = f"onnxruntime {metadata.version('onnxruntime')} cpu fp32, 1 thread x {streams}"
    return Network(words, _sha256(content), shapes, streams, _queue([reference] * streams))


def _candidates(tolerance: Tolerance, backend: str) -> list[tuple[Precision, float]]:
    """The faster ways that may be tried here, fastest first, with what each may differ by."""
    if backend != "auto" or find_spec("openvino") is None:
        return []
    ways: list[tuple[Precision, float]] = [("fp32", tolerance.fp32)]
    if tolerance.bf16 is not None and _has_bf16():
        ways.insert(0, ("bf16", tolerance.bf16))
    return ways


def _has_bf16() -> bool:
    """Whether the processor computes in bf16 itself; emulated, it is slower than fp32."""
    import openvino

    listed = str(openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    return "BF16" in listed


def _onnxruntime(content: bytes) -> tuple[_Session, dict[str, tuple[tuple[int | None, ...], str]]]:
    """A session, and its inputs: name -> (shape, type)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own exceptions share no base
        raise ModelUnavailable(
            f"an ONNX network cannot be loaded: {error!s:.300}; install the package again"
        ) from error
    inputs = {
        one.name: (tuple(size if isinstance(size, int) else None for size in one.shape), str(one.type))
        for one in session.get_inputs()
    }

    def run(feed: Feed) -> list[Tensor]:
        return [np.asarray(output) for output in session.run(None, dict(feed))]

    return run, inputs


def _openvino(content: bytes, precision: Precision, streams: int) -> list[_Session] | None:
    """A session a stream; None where OpenVINO does not take the network."""
    import openvino

    hint = {"fp32": openvino.Type.f32, "bf16": openvino.Type.bf16}[precision]
    settings = {
        "INFERENCE_PRECISION_HINT": hint,
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # pinned, the streams of several processes would share one core
    }
    core = openvino.Core()
    try:
        model = core.read_model(content)
        return [_request(core.compile_model(model, "CPU", settings)) for _ in range(streams)]
    except RuntimeError:  # an operation that it lacks, or a precision: ONNX Runtime remains
        return None


def _request(compiled: Any) -> _Session:
    request = compiled.create_infer_request()
    count = len(compiled.outputs)

    def run(feed: Feed) -> list[Tensor]:
        request.infer(dict(feed))
        # Copies: the request's own tensors are overwritten by its next call.
        return [np.array(request.get_output_tensor(index).data) for index in range(count)]

    return run


def _noise(inputs: Mapping[str, tuple[tuple[int | None, ...], str]]) -> dict[str, Tensor]:
    generator = np.random.default_rng(_PROBE_SEED)
    made: dict[str, Tensor] = {}
    for name, (shape, kind) in inputs.items():
        if kind != "tensor(float)":
            raise ModelUnavailable(f"input {name} is {kind}: give `probe`, for noise would not do")
        made[name] = generator.random([size or 1 for size in shape], np.float32)
    return made


def _probed(reference: _Session, feed: Feed) -> list[Tensor]:
    try:
        return reference(feed)
    except Exception as error:
        raise ModelUnavailable(f"an ONNX network does not run on its probe: {error!s:.300}") from error


def _close(session: _Session, feed: Feed, expected: Tensor, allowed: float, judged: Judge) -> bool:
    """Whether what is judged of the session's outputs on the probe is near enough to the reference's; NaN never is."""
    try:
        found = judged(session(feed))
    except (RuntimeError, IndexError, ValueError):
        return False
    return found.shape == expected.shape and bool((np.abs(found - expected) <= allowed * (1 + np.abs(expected))).all())


def _queue(sessions: Sequence[_Session]) -> queue.SimpleQueue[_Session]:
    idle: queue.SimpleQueue[_Session] = queue.SimpleQueue()
    for session in sessions:
        idle.put(session)
    return idle


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
