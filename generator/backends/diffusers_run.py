"""A pipeline's call in step with whoever pulls: one thread, a wrapped scheduler, and what each step believes in."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from generator.errors import GenerationError


class _Stopped(BaseException):
    """Raised inside a pipeline's call to end it; not an Exception, so that nothing in it takes it for an error."""


class Running:
    """A pipeline's call in a thread of its own that waits after each denoising step until it is told to go on."""

    def __init__(self, pipe: Any, arguments: Mapping[str, Any]) -> None:
        self._pipe, self._arguments = pipe, arguments
        self._beliefs: queue.Queue[Any] = queue.Queue()
        self._go, self._stop = threading.Semaphore(0), threading.Event()
        self._made: Any = None
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._call, name="assay-diffusers", daemon=True)

    def __enter__(self) -> Running:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._go.release()
        self._thread.join()

    def steps(self) -> Iterator[Any]:
        """The latents that the model believes in after each step, or None where its scheduler does not say."""
        while True:
            self._go.release()
            kind, belief = self._beliefs.get()
            if kind == "end":
                return
            yield belief

    def frames(self) -> np.ndarray[Any, Any]:
        """The finished frames (N, h, w, 3) in [0, 1]; raises GenerationError where the call failed."""
        self._thread.join()
        if self._fault is not None:
            raise GenerationError(f"the pipeline failed: {type(self._fault).__name__}: {self._fault}") from self._fault
        made = np.asarray(self._made)
        if made.ndim != 4 or made.shape[-1] != 3 or not np.isfinite(made).all():
            raise GenerationError(f"the pipeline gave frames of the form {made.shape}, or not all of them numbers")
        return made

    def _call(self) -> None:
        plain = self._pipe.scheduler.step
        try:
            self._wait()
            self._pipe.scheduler.step = partial(self._step, plain)
            self._made = self._pipe(**self._arguments, output_type="np").frames[0]
        except _Stopped:
            pass
        except Exception as error:  # noqa: BLE001 (a model may raise anything; `frames` says it)
            self._fault = error
        finally:
            self._pipe.scheduler.__dict__.pop("step", None)
            self._beliefs.put(("end", None))

    def _step(self, plain: Callable[..., Any], model_output: Any, timestep: Any, *more: Any, **named: Any) -> Any:
        out = plain(model_output, timestep, *more, **named)
        sample = next((one for one in more if hasattr(one, "shape") and one.shape == model_output.shape), None)
        sample = named.get("sample", sample)
        times = named.get("per_token_timesteps")
        self._beliefs.put(("step", _belief(self._pipe.scheduler, out, model_output, sample, times)))
        self._wait()
        return out

    def _wait(self) -> None:
        self._go.acquire()
        if self._stop.is_set():
            raise _Stopped


def _belief(scheduler: Any, out: Any, model_output: Any, sample: Any, times: Any) -> Any:
    """The clean latents that a step believes in: as its scheduler says them, or by the rule of rectified flow."""
    told = getattr(out, "pred_original_sample", None)
    if (
        told is None
        and isinstance(out, tuple)
        and len(out) > 1
        and getattr(out[1], "shape", None) == model_output.shape
    ):
        told = out[1]
    if told is not None:
        return told
    flow = getattr(scheduler.config, "prediction_type", "flow_prediction") == "flow_prediction"
    after = getattr(scheduler, "step_index", None)
    if not flow or after is None or sample is None or not hasattr(scheduler, "sigmas"):
        return None
    if times is not None:  # a time for each token (LTX with given frames), and the model's output negated
        return sample + (times / scheduler.config.num_train_timesteps)[..., None].to(sample) * model_output
    clean, before = scheduler.sigmas[-1], scheduler.sigmas[after - 1]  # 0, or 1 where the scheduler counts upwards
    return sample + (clean - before).to(sample) * model_output
