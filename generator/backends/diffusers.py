"""Video pipelines of the diffusers library as a generator: any model of a known family, by hub name or local folder.

The pipeline runs in a thread of its own, in step with whoever pulls the events: its scheduler's `step` is wrapped, and
there the thread waits. So there is progress and a preview after each denoising step with every family, also those
without a callback, and an abort takes effect within one step: it is raised inside the call, which leaves the pipeline
clean for the next.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import util
from pathlib import Path
from typing import Any, Literal

from generator.backends.diffusers_decode import decoder
from generator.backends.diffusers_given import given_frames
from generator.backends.diffusers_plan import Plan
from generator.backends.diffusers_run import Running
from generator.backends.families import FAMILIES, Family
from generator.errors import GenerationError, GeneratorUnavailable, InvalidRequest
from generator.request import GenerationRequest
from generator.stream import Completed, Event, GenerationRecord, Hook, Preview, Progress, drive

INSTALL = "diffusers models need: pip install 'assay-video[diffusers]'"


@dataclass(frozen=True)
class DiffusersModel:
    """Where a model is and how it is run.

    model     a folder with `model_index.json`, or a hub name with download = True
    dtype     of the weights; offload: parts wait in main memory until they are needed; tiling: frames are decoded in
              tiles, which bounds memory at a small cost
    """

    model: str
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    device: str = "cpu"
    offload: Literal["none", "model", "sequential"] = "none"
    tiling: bool = False
    download: bool = False


class DiffusersGenerator:
    """Raises GeneratorUnavailable where the extra, the model or its family is missing; the model is loaded once."""

    version = "1"
    backend = "diffusers"
    digital_source_type = "trainedAlgorithmicMedia"

    def __init__(self, where: DiffusersModel) -> None:
        if any(util.find_spec(name) is None for name in ("diffusers", "torch", "transformers")):
            raise GeneratorUnavailable(INSTALL)
        self._where = where
        self.name = Path(where.model).name
        self._pipe = _loaded(where)
        self._kind = type(self._pipe).__name__
        self._family: Family = FAMILIES[self._kind]
        self.weights_sha256: str | None = _weights_hash(where.model, self._pipe)
        self._busy = threading.Lock()

    def generate(
        self, request: GenerationRequest, *, hook: Hook | None = None, cancel: threading.Event | None = None
    ) -> Iterator[Event]:
        """See `VideoGenerator.generate`. InvalidRequest for given frames that the pipeline has no place for."""
        if request.storyboard:
            raise InvalidRequest(f"storyboard: {self._kind} takes one prompt; write one, or use another back-end")
        plan = Plan.of(self._pipe, self._family, request)
        given = given_frames(self._pipe, self._family, request, plan)
        return drive(self._events(request, plan, given), hook, cancel)

    def _events(self, request: GenerationRequest, plan: Plan, given: Mapping[str, Any]) -> Generator[Event, None, None]:
        if not self._busy.acquire(blocking=False):
            raise GenerationError(f"{self.name} is making another video; one at a time")
        try:
            arguments = {**_arguments(self._family, request, plan), **given}
            with Running(self._pipe, arguments) as running:
                for number, belief in enumerate(running.steps(), 1):
                    yield Progress(min(number, request.steps), request.steps)
                    decode = decoder(self._pipe, self._family, belief, plan.grid)
                    if decode is not None:
                        yield Preview(min(number, request.steps), request.steps, plan.fps, decode)
                made = running.frames()  # (N, h, w, 3) in [0, 1]
            yield from plan.finished(made, request)
            yield Completed(self._record(request, plan, len(made)))
        finally:
            self._busy.release()

    def _record(self, request: GenerationRequest, plan: Plan, native_frames: int) -> GenerationRecord:
        made = GenerationRecord.of(self, request, ("diffusers", "transformers", "torch", "numpy"))
        return replace(
            made,
            sampler=type(self._pipe.scheduler).__name__,
            guidance_scale=request.guidance_scale if self._family.guidance else None,
            native_size=plan.native,
            native_frames=native_frames,
            notes=(f"{self._kind}, {self._where.dtype}", *plan.notes(request, self._family)),
        )


def _arguments(family: Family, request: GenerationRequest, plan: Plan) -> dict[str, Any]:
    import torch

    out: dict[str, Any] = {
        "width": plan.native[0], "height": plan.native[1],
        "num_inference_steps": request.steps, "generator": torch.Generator("cpu").manual_seed(request.seed),
    }  # fmt: skip
    if family.takes != "video":  # such a pipeline makes as many frames as it is given
        out["num_frames"] = plan.native_frames
    if family.text:
        out["prompt"] = request.prompt
    if family.negative:
        out["negative_prompt"] = request.negative_prompt
    if family.guidance:
        out[family.guidance] = request.guidance_scale
    return out


def _loaded(where: DiffusersModel) -> Any:
    import diffusers
    import torch
    import transformers

    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # it breaks the lines of a log
    try:
        pipe = diffusers.DiffusionPipeline.from_pretrained(  # type: ignore[no-untyped-call]
            where.model, dtype=getattr(torch, where.dtype), local_files_only=not where.download,
            use_safetensors=True, trust_remote_code=False,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, AttributeError, ImportError) as error:
        raise GeneratorUnavailable(
            f"model {where.model!r}: cannot be loaded ({error}); give a folder with model_index.json and safetensors, "
            "or a hub name with download = true"
        ) from error
    if type(pipe).__name__ not in FAMILIES:
        raise GeneratorUnavailable(
            f"model {where.model!r} is a {type(pipe).__name__}; known are {', '.join(sorted(FAMILIES))}"
        )
    pipe.set_progress_bar_config(disable=True)
    if where.tiling and hasattr(pipe.vae, "enable_tiling"):
        pipe.vae.enable_tiling()
    if where.offload == "model":
        pipe.enable_model_cpu_offload(device=where.device)
    elif where.offload == "sequential":
        pipe.enable_sequential_cpu_offload(device=where.device)
    else:
        pipe.to(where.device)
    for part in pipe.components.values():
        if hasattr(part, "eval"):
            part.eval()  # a text encoder in training mode drops out, and no two calls are alike
    return pipe


def _weights_hash(model: str, pipe: Any) -> str:
    """sha256 over every safetensors file of a folder by its path; for a hub model, of the tensors that were loaded."""
    digest, folder = hashlib.sha256(), Path(model)
    if folder.is_dir():
        for path in sorted(folder.rglob("*.safetensors")):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()
    for name, part in sorted(pipe.components.items()):
        for key, tensor in sorted(part.state_dict().items()) if hasattr(part, "state_dict") else ():
            digest.update(f"{name}.{key}\0".encode() + tensor.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()
