"""Tiny pipelines of the real classes with random weights, built and saved locally; loaded by the code for real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def wan(folder: Path) -> Path:
    """Wan text-to-video."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, WanPipeline, WanTransformer3DModel

    torch.manual_seed(0)
    transformer = WanTransformer3DModel(**WAN, in_channels=16)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    return saved(
        WanPipeline(
            tokenizer=tokenizer(), text_encoder=umt5(), vae=wan_vae(), scheduler=scheduler, transformer=transformer
        ),
        folder,
    )


def wan_image(folder: Path) -> Path:
    """Wan image-to-video: 16 channels of noise, 4 of mask, 16 of the picture."""
    import torch
    from diffusers import UniPCMultistepScheduler, WanImageToVideoPipeline, WanTransformer3DModel

    torch.manual_seed(0)
    scheduler = UniPCMultistepScheduler(use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=3.0)
    return saved(
        WanImageToVideoPipeline(
            tokenizer=tokenizer(), text_encoder=umt5(), vae=wan_vae(), scheduler=scheduler,
            transformer=WanTransformer3DModel(**WAN, in_channels=36), image_encoder=None, image_processor=None,
        ),
        folder,
    )  # fmt: skip


def cogvideox(folder: Path) -> Path:
    """CogVideoX text-to-video."""
    import torch
    from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXPipeline, CogVideoXTransformer3DModel

    torch.manual_seed(0)
    vae = AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * 4, up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8), latent_channels=4, layers_per_block=1, norm_num_groups=2,
        temporal_compression_ratio=4,
    )  # fmt: skip
    transformer = CogVideoXTransformer3DModel(
        num_attention_heads=4, attention_head_dim=16, in_channels=4, out_channels=4, time_embed_dim=2,
        text_embed_dim=32, num_layers=1, sample_width=4, sample_height=4, sample_frames=9, patch_size=2,
        temporal_compression_ratio=4, max_text_seq_length=16, use_rotary_positional_embeddings=True,
    )  # fmt: skip
    return saved(
        CogVideoXPipeline(
            tokenizer=tokenizer(16), text_encoder=t5(), vae=vae, transformer=transformer,
            scheduler=CogVideoXDDIMScheduler(),
        ),
        folder,
    )  # fmt: skip


WAN: dict[str, Any] = {
    "patch_size": (1, 2, 2), "num_attention_heads": 2, "attention_head_dim": 12, "out_channels": 16, "text_dim": 32,
    "freq_dim": 256, "ffn_dim": 32, "num_layers": 2, "cross_attn_norm": True, "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 32,
}  # fmt: skip


def wan_vae() -> Any:
    from diffusers import AutoencoderKLWan

    return AutoencoderKLWan(
        base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )


def umt5() -> Any:
    from transformers import UMT5Config, UMT5EncoderModel

    return UMT5EncoderModel(UMT5Config(**_T5)).eval()


def t5() -> Any:
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(T5Config(**_T5)).eval()


_T5 = {"vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}


def tokenizer(length: int = 512) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "</s>", "<unk>", "a", "red", "ball", "moves", "over", "the", "sea", "blur"]
    raw = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=length
    )


def saved(pipe: Any, folder: Path) -> Path:
    pipe.save_pretrained(folder, safe_serialization=True)
    return folder
