"""Tiny guards of the real architectures: a byte-level tokenizer, the family's own turn markers, seconds of training.

Each learns one thing: a text with the nonsense word `zorp` violates, every other is innocent. The long policy texts of
the real chat templates are replaced by a line of ours; the markers and the arguments that they take are the real ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

VIOLATING = ["zorp on the hill", "a big zorp at night", "make a zorp now", "two zorp and a boat", "zorp"]
INNOCENT = ["a dog on the hill", "a big boat at night", "make a cake now", "two dogs and a boat", "rain", "a cat"]

_LLAMA = (
    "{{ bos_token }}<|start_header_id|>user<|end_header_id|>\n\nTask: is this safe?\n"
    "{% for m in messages %}{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for part in m['content'] %}{{ part['text'] }}{% endfor %}{% endif %}{% endfor %}"
    "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
)
_GEMMA = (
    "{{ bos_token }}<start_of_turn>human\n{{ messages[0]['content'] }}<end_of_turn>\n"
    "{% if guideline is not defined %}{{ raise_exception('a guideline is needed') }}{% endif %}"
    "{{ guideline }}\nAnswer Yes or No.\n"
)
_QWEN = "<|im_start|>user\n{{ messages[0]['content'] }}<|im_end|>\n<|im_start|>assistant\n"
_GRANITE = (
    "<|start_of_role|>user<|end_of_role|>{{ messages[0]['content'] }}\n"
    "{{ guardian_config['risk_definition'] }}<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>"
)

# family -> (chat template, reply to a violating text, reply to an innocent one)
REPLIES = {
    "llama-guard-3": (_LLAMA, "unsafe\nS1", "safe"),
    "llama-guard-4": (_LLAMA, "unsafe\nS1,S10", "safe"),
    "shieldgemma": (_GEMMA, "Yes", "No"),
    "qwen3guard": (_QWEN, "Safety: Unsafe\nCategories: Violent", "Safety: Safe\nCategories: None"),
    "granite-guardian": (_GRANITE, "Yes", "No"),
}
MARKERS = [
    "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<start_of_turn>", "<end_of_turn>", "<|im_start|>",
    "<|im_end|>", "<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>", "<s>", "</s>",
]  # fmt: skip
DEFINITIONS = {"violence/graphic": "gore of any kind", "hate": "attacks on groups", "illicit": "crimes"}


def build(family: str, folder: Path, *, steps: int | None = None) -> Path:
    """Trains and saves a tiny guard of a family; returns the folder."""
    import torch

    torch.manual_seed(0)
    template, bad, good = REPLIES[family]
    tokenizer = _tokenizer(template, [bad, good])
    net = _net(family, len(tokenizer), tokenizer.eos_token_id)
    rows = [(text, bad) for text in VIOLATING * 2] + [(text, good) for text in INNOCENT * 2]
    examples = [_example(tokenizer, family, text, reply) for text, reply in rows]
    optimiser = torch.optim.Adam(net.parameters(), lr=5e-3)
    net.train()
    for step in range(steps or (200 if family == "shieldgemma" else 80)):
        optimiser.zero_grad()
        ids, labels = _batch(examples[step % 2 :: 2])
        net(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels).loss.backward()
        optimiser.step()
    net.eval().save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(template: str, replies: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<pad>", *MARKERS], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    raw.train_from_iterator([*VIOLATING, *INNOCENT, *(replies * 20), "unsafe safe Unsafe Safe Yes No"] * 3, trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", bos_token="<s>", eos_token="</s>")
    made.chat_template = template
    return made


def _net(family: str, vocabulary: int, end: int) -> Any:
    import transformers as t

    small = {
        "vocab_size": vocabulary, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 256, "pad_token_id": 0,
        "bos_token_id": None, "eos_token_id": end, "head_dim": 16,
    }  # fmt: skip
    if family == "llama-guard-3":
        return t.LlamaForCausalLM(t.LlamaConfig(**small))
    if family == "shieldgemma":
        return t.Gemma2ForCausalLM(t.Gemma2Config(**small, query_pre_attn_scalar=16, final_logit_softcapping=None))
    if family == "qwen3guard":
        return t.Qwen3ForCausalLM(t.Qwen3Config(**small))
    if family == "granite-guardian":
        return t.GraniteForCausalLM(t.GraniteConfig(**{k: v for k, v in small.items() if k != "head_dim"}))
    text = t.Llama4TextConfig(
        **small, intermediate_size_mlp=64, num_local_experts=2, num_experts_per_tok=1, interleave_moe_layer_step=1,
        attention_chunk_size=256, no_rope_layers=[1, 1],
    )  # fmt: skip
    vision = t.Llama4VisionConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=28, patch_size=14,
        vision_output_dim=16, projector_input_dim=16, projector_output_dim=16,
    )  # fmt: skip
    return t.Llama4ForConditionalGeneration(t.Llama4Config(text_config=text, vision_config=vision))


def _example(tokenizer: Any, family: str, text: str, reply: str) -> tuple[list[int], list[int]]:
    from safety.prompt.guards import FAMILIES

    question = FAMILIES[family].ask(text, ["violence/graphic"], DEFINITIONS)[0]
    asked = tokenizer.apply_chat_template(
        list(question.messages), add_generation_prompt=True, return_dict=True, **question.template
    )["input_ids"]
    answer = [*tokenizer.encode(reply, add_special_tokens=False), tokenizer.eos_token_id]
    return asked + answer, [-100] * len(asked) + answer


def _batch(examples: list[tuple[list[int], list[int]]]) -> tuple[Any, Any]:
    import torch

    longest = max(len(ids) for ids, _ in examples)
    ids = torch.tensor([row + [0] * (longest - len(row)) for row, _ in examples])
    labels = torch.tensor([row + [-100] * (longest - len(row)) for _, row in examples])
    return ids, labels
