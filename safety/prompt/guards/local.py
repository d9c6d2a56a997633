"""A guard that runs here: any model of a known family, by hub name or local folder, through transformers.

Safetensors only, no code from the folder, and no network unless `download` says so. Greedy and on one device, so the
same text gets the same answer.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from safety.errors import ModelUnavailable
from safety.prompt.calibration import Calibration
from safety.prompt.guards.families import FAMILIES, Family, Question, Unparsable
from safety.prompt.guards.weighing import calibrated, read_calibration
from safety.score import Absence, Item, Score
from safety.stages import source

_HASHED = ("*.safetensors", "*.json", "*.jinja", "tokenizer.model")


@dataclass(frozen=True)
class GuardModel:
    """Where a guard's model is, how it is calibrated, and whether it may be downloaded."""

    family: str
    model: str
    calibration: Path | None = None
    download: bool = False
    device: str = "cpu"


class LocalGuard:
    """Implements `safety.PromptClassifier`; ModelUnavailable where extra, family, model or calibration is missing.

    definitions: our categories -> what they forbid, in words; families that are asked category by category are shown
    them, and no guard answers for a category without one.
    """

    def __init__(self, where: GuardModel, definitions: Mapping[str, str]) -> None:
        if where.family not in FAMILIES:
            raise ModelUnavailable(f"{where.family!r} is no family of guards; known are {', '.join(FAMILIES)}")
        self._family: Family = FAMILIES[where.family]
        self._definitions = dict(definitions)
        self.categories: tuple[str, ...] = self._family.categories(self._definitions)
        self._torch, self._tokenizer, self._net = _loaded(where)
        self.licence = self._family.licence
        self.weights_sha256: str | None = _folder_hash(where, self._net)
        self._calibration: Calibration | None = read_calibration(where.calibration, self.weights_sha256)
        self.name = f"{self._family.name}-{Path(where.model).name}".lower().replace("@", "-")
        self.version = "1" if self._calibration else "1-uncalibrated"
        self.runtime: str | None = (
            f"transformers {metadata.version('transformers')}, torch {self._torch.__version__} {where.device}"
        )

    def score(self, item: Item, text: str) -> list[Score]:
        """One score for each of `categories`; a reply that is not of the family's form is a failure."""
        values: dict[str, float | Absence] = {}
        notes: dict[str, str] = {}
        for question in self._family.ask(text, self.categories, self._definitions):
            try:
                values |= self._family.read(*self._reply(question), question)
            except Unparsable as error:
                values |= dict.fromkeys(question.categories, Absence.FAILED)
                notes |= dict.fromkeys(question.categories, str(error))
            except _TooLong as error:
                values |= dict.fromkeys(question.categories, Absence.UNSUPPORTED)
                notes |= dict.fromkeys(question.categories, str(error))
        return [self._score(item, category, values[category], notes.get(category)) for category in self.categories]

    def _score(self, item: Item, category: str, value: float | Absence, note: str | None) -> Score:
        if isinstance(value, Absence):
            return Score.absent(item, category, source(self), value, note)
        return Score.measured(item, category, source(self), calibrated(self._calibration, category, value))

    def _reply(self, question: Question) -> tuple[str, float]:
        """The whole reply, and the probability of the violating word where the deciding word stands."""
        ids = self._tokenizer.apply_chat_template(
            list(question.messages), add_generation_prompt=True, return_tensors="pt", return_dict=True,
            **question.template,
        ).to(self._net.device)  # fmt: skip
        length = ids["input_ids"].shape[1]
        window = getattr(self._net.config.get_text_config(), "max_position_embeddings", None)
        if window is not None and length + self._family.reply_tokens > window:
            raise _TooLong(f"{length} tokens; {self.name} reads {window - self._family.reply_tokens}")
        with self._torch.inference_mode():
            out = self._net.generate(
                **ids, max_new_tokens=self._family.reply_tokens, do_sample=False, output_logits=True,
                return_dict_in_generate=True, pad_token_id=self._tokenizer.eos_token_id,
            )  # fmt: skip
        new = out.sequences[0, length:].tolist()
        reply = self._tokenizer.decode(new, skip_special_tokens=True)
        return reply, self._probability(new, [step[0] for step in out.logits])

    def _probability(self, new: list[int], logits: list[Any]) -> float:
        """p(violating) / (p(violating) + p(innocent)) at the token that begins the deciding word."""
        for position, token in enumerate(new):
            piece = self._tokenizer.decode([token], skip_special_tokens=True)
            bare = piece.strip()
            said = _begun(bare, self._family)
            if said is None:
                continue
            other = self._family.innocent if said == self._family.violating else self._family.violating
            lead = piece[: len(piece) - len(piece.lstrip())]
            against = _first_token(self._tokenizer, lead + (other.lower() if bare.islower() else other))
            if against == token:
                raise Unparsable(f"{self.name} cannot tell its two words apart by their first token")
            gap = float(logits[position][token] - logits[position][against])
            sure = 1.0 / (1.0 + math.exp(-max(min(gap, 60.0), -60.0)))
            return sure if said == self._family.violating else 1.0 - sure
        raise Unparsable(f"{self._family.name} wrote neither {self._family.violating!r} nor {self._family.innocent!r}")


class _TooLong(ValueError):
    """The text does not fit the guard's window."""


def _begun(piece: str, family: Family) -> str | None:
    """Which of the two words a token begins; Controversial (Qwen3Guard) counts with the violating one."""
    if len(piece) < 2:
        return None
    if "Controversial".startswith(piece) and family.name == "qwen3guard":
        return family.violating
    for word in (family.violating, family.innocent):
        if word.lower().startswith(piece.lower()):
            return word
    return None


def _first_token(tokenizer: Any, text: str) -> int:
    ids = tokenizer.encode(text, add_special_tokens=False)
    return int(ids[0])


def _loaded(where: GuardModel) -> tuple[Any, Any, Any]:
    try:
        import torch
        import transformers
    except ImportError as error:
        raise ModelUnavailable(
            "a local guard needs transformers and torch: pip install 'assay-video[transformers]'"
        ) from error
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # standard error is the command's own
    options = {"local_files_only": not where.download, "trust_remote_code": False}
    try:
        config = transformers.AutoConfig.from_pretrained(where.model, **options)
        pictures = any(name.endswith("ForConditionalGeneration") for name in config.architectures or ())
        kind = transformers.AutoModelForImageTextToText if pictures else transformers.AutoModelForCausalLM
        tokenizer = transformers.AutoTokenizer.from_pretrained(where.model, **options)
        net = kind.from_pretrained(where.model, use_safetensors=True, dtype="auto", **options)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelUnavailable(
            f"guard {where.model!r}: cannot be loaded ({error}); give a folder with config, tokenizer and safetensors, "
            f"or a hub name with download = true"
        ) from error
    if tokenizer.chat_template is None:
        raise ModelUnavailable(f"guard {where.model!r}: its tokenizer has no chat template, so it cannot be asked")
    placed: Any = net
    return torch, tokenizer, placed.to(where.device).eval()


def _folder_hash(where: GuardModel, net: Any) -> str:
    """sha256 of everything that shapes an answer: weights, configuration, tokenizer, chat template."""
    folder = Path(where.model)
    digest = hashlib.sha256()
    if folder.is_dir():
        for path in sorted({path for pattern in _HASHED for path in folder.glob(pattern)}):
            digest.update(path.name.encode() + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    else:  # from the hub's cache: what was loaded
        for name, tensor in sorted(net.state_dict().items()):
            digest.update(name.encode() + b"\0" + tensor.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()
