"""Re-captioning by a language model that runs here: any chat model by hub name or folder, through transformers."""

from __future__ import annotations

from typing import Any

from generator.errors import GenerationError, GeneratorUnavailable

_INSTRUCTIONS = (
    "Write the following short prompt out as one detailed prompt for a video generator, in one to three sentences: "
    "subject, what it does, place, light, camera. Keep its meaning and its language. Answer with the prompt alone."
)
_TOKENS = 160
_LONGEST = 1000  # characters


class LocalRecaptioner:
    """Implements `Recaptioner`; safetensors only, no code from the folder, no network unless `download`. Greedy."""

    def __init__(self, model: str, *, download: bool = False, device: str = "cpu") -> None:
        try:
            import torch
            import transformers
        except ImportError as error:
            raise GeneratorUnavailable("a local re-captioner needs: pip install 'assay-video[transformers]'") from error
        self.name = f"local {model.rstrip('/').rpartition('/')[2]}"
        options = {"local_files_only": not download, "trust_remote_code": False}
        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(model, **options)
            net: Any = transformers.AutoModelForCausalLM.from_pretrained(model, use_safetensors=True, **options)
        except (OSError, ValueError, KeyError) as error:
            raise GeneratorUnavailable(
                f"re-captioner {model!r}: cannot be loaded ({error}); give a folder with config, tokenizer and "
                "safetensors, or a hub name with download = true"
            ) from error
        if self._tokenizer.chat_template is None:
            raise GeneratorUnavailable(f"re-captioner {model!r}: its tokenizer has no chat template")
        self._net, self._torch = net.to(device).eval(), torch

    def expand(self, prompt: str, seed: int) -> str:
        """The detailed prompt; greedy, so the seed changes nothing. GenerationError where the model wrote none."""
        messages = [{"role": "user", "content": f"{_INSTRUCTIONS}\n\n{prompt}"}]
        ids = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        ).to(self._net.device)
        with self._torch.inference_mode():
            out = self._net.generate(
                **ids, max_new_tokens=_TOKENS, do_sample=False, pad_token_id=self._tokenizer.eos_token_id
            )
        text = self._tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True).strip()
        if not text or len(text) > _LONGEST:
            raise GenerationError(f"the prompt could not be written out: {self.name} wrote {len(text)} characters")
        return str(text)
