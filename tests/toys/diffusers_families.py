"""More tiny pipelines of the real classes with random weights: the families beside Wan and CogVideoX text-to-video."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers_toys import WAN, cogvideox, saved, t5, tokenizer, umt5, wan_vae


def wan_vace(folder: Path) -> Path:
    """Wan VACE: given frames anywhere, by a video and a mask."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, WanVACEPipeline, WanVACETransformer3DModel

    torch.manual_seed(0)
    transformer = WanVACETransformer3DModel(**WAN, in_channels=16, vace_layers=[0], vace_in_channels=96)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    return saved(
        WanVACEPipeline(
            tokenizer=tokenizer(), text_encoder=umt5(), vae=wan_vae(), scheduler=scheduler, transformer=transformer
        ),
        folder,
    )


def wan_video(folder: Path) -> Path:
    """Wan video-to-video."""
    import torch
    from diffusers import UniPCMultistepScheduler, WanTransformer3DModel, WanVideoToVideoPipeline

    torch.manual_seed(0)
    transformer = WanTransformer3DModel(**WAN, in_channels=16)
    scheduler = UniPCMultistepScheduler(use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=3.0)
    return saved(
        WanVideoToVideoPipeline(
            tokenizer=tokenizer(), text_encoder=umt5(), vae=wan_vae(), scheduler=scheduler, transformer=transformer
        ),
        folder,
    )


def ltx(folder: Path) -> Path:
    """LTX text-to-video."""
    from diffusers import LTXPipeline

    return saved(LTXPipeline(**_ltx_parts()), folder)


def ltx_condition(folder: Path) -> Path:
    """LTX with given frames at any place, each with a strength."""
    from diffusers import LTXConditionPipeline

    return saved(LTXConditionPipeline(**_ltx_parts()), folder)


def ltx_image(folder: Path) -> Path:
    """LTX image-to-video."""
    from diffusers import LTXImageToVideoPipeline

    return saved(LTXImageToVideoPipeline(**_ltx_parts()), folder)


def _ltx_parts() -> dict[str, Any]:
    import torch
    from diffusers import AutoencoderKLLTXVideo, FlowMatchEulerDiscreteScheduler, LTXVideoTransformer3DModel

    torch.manual_seed(0)
    transformer = LTXVideoTransformer3DModel(
        in_channels=8, out_channels=8, num_attention_heads=4, attention_head_dim=8, cross_attention_dim=32,
        num_layers=1, caption_channels=32,
    )  # fmt: skip
    vae = AutoencoderKLLTXVideo(
        latent_channels=8, block_out_channels=(8, 8, 8, 8), decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1), decoder_layers_per_block=(1, 1, 1, 1, 1), patch_size=4,
        encoder_causal=True, decoder_causal=False,
    )  # fmt: skip
    vae.use_framewise_encoding = vae.use_framewise_decoding = False
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(), "vae": vae, "text_encoder": t5(),
        "tokenizer": tokenizer(), "transformer": transformer,
    }  # fmt: skip


def cogvideox_video(folder: Path) -> Path:
    """CogVideoX video-to-video, from the parts of CogVideoX."""
    from diffusers import CogVideoXPipeline, CogVideoXVideoToVideoPipeline

    made = CogVideoXPipeline.from_pretrained(cogvideox(folder / "parts"), local_files_only=True)
    return saved(CogVideoXVideoToVideoPipeline(**made.components), folder)


def mochi(folder: Path) -> Path:
    """Mochi text-to-video."""
    import torch
    from diffusers import AutoencoderKLMochi, FlowMatchEulerDiscreteScheduler, MochiPipeline, MochiTransformer3DModel

    torch.manual_seed(0)
    transformer = MochiTransformer3DModel(
        patch_size=2, num_attention_heads=2, attention_head_dim=8, num_layers=2, pooled_projection_dim=16,
        in_channels=12, text_embed_dim=32, time_embed_dim=4, max_sequence_length=16,
    )  # fmt: skip
    vae = AutoencoderKLMochi(
        latent_channels=12, layers_per_block=(1, 1, 1, 1, 1),
        encoder_block_out_channels=(32, 32, 32, 32), decoder_block_out_channels=(32, 32, 32, 32),
    )  # fmt: skip
    parts = {"vae": vae, "text_encoder": t5(), "tokenizer": tokenizer(), "transformer": transformer}
    return saved(MochiPipeline(scheduler=FlowMatchEulerDiscreteScheduler(invert_sigmas=True), **parts), folder)


def hunyuan(folder: Path) -> Path:
    """HunyuanVideo 1.0 text-to-video."""
    import torch
    from diffusers import (
        AutoencoderKLHunyuanVideo,
        FlowMatchEulerDiscreteScheduler,
        HunyuanVideoPipeline,
        HunyuanVideoTransformer3DModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, LlamaConfig, LlamaModel

    torch.manual_seed(0)
    transformer = HunyuanVideoTransformer3DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=10, num_layers=1, num_single_layers=1,
        num_refiner_layers=1, text_embed_dim=16, pooled_projection_dim=8, rope_axes_dim=(2, 4, 4),
    )  # fmt: skip
    vae = AutoencoderKLHunyuanVideo(
        latent_channels=4, block_out_channels=(8, 8, 8, 8), layers_per_block=1, norm_num_groups=4,
        mid_block_add_attention=True,
    )  # fmt: skip
    llama = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=37, num_hidden_layers=5, num_attention_heads=4,
        bos_token_id=0, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    clip = CLIPTextConfig(
        vocab_size=64, hidden_size=8, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4,
        projection_dim=32, bos_token_id=0, eos_token_id=1, pad_token_id=0, max_position_embeddings=77,
    )  # fmt: skip
    return saved(
        HunyuanVideoPipeline(
            text_encoder=LlamaModel(llama).eval(), tokenizer=tokenizer(), transformer=transformer, vae=vae,
            scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0), text_encoder_2=CLIPTextModel(clip).eval(),
            tokenizer_2=tokenizer(77),
        ),
        folder,
    )  # fmt: skip


def hunyuan15(folder: Path) -> Path:
    """HunyuanVideo 1.5 text-to-video: no callback, its own guider."""
    import torch
    from diffusers import (
        AutoencoderKLHunyuanVideo15,
        ClassifierFreeGuidance,
        FlowMatchEulerDiscreteScheduler,
        HunyuanVideo15Pipeline,
        HunyuanVideo15Transformer3DModel,
    )
    from transformers import ByT5Tokenizer, Qwen2_5_VLTextConfig, Qwen2_5_VLTextModel, T5Config, T5EncoderModel

    torch.manual_seed(0)
    transformer = HunyuanVideo15Transformer3DModel(
        in_channels=9, out_channels=4, num_attention_heads=2, attention_head_dim=8, num_layers=1, num_refiner_layers=1,
        text_embed_dim=16, text_embed_2_dim=32, image_embed_dim=12, rope_axes_dim=(2, 2, 4), target_size=16,
        task_type="t2v",
    )  # fmt: skip
    vae = AutoencoderKLHunyuanVideo15(
        latent_channels=4, block_out_channels=(16, 16), layers_per_block=1, spatial_compression_ratio=4,
        temporal_compression_ratio=2, downsample_match_channel=False, upsample_match_channel=False,
    )  # fmt: skip
    words = Qwen2_5_VLTextConfig(
        vocab_size=64, hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=2048, pad_token_id=0,
        rope_scaling={"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
    )  # fmt: skip
    glyphs = T5Config(vocab_size=384, d_model=32, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    qwen = tokenizer(1024)
    qwen.chat_template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
    return saved(
        HunyuanVideo15Pipeline(
            text_encoder=Qwen2_5_VLTextModel(words).eval(), tokenizer=qwen, transformer=transformer, vae=vae,
            scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0), text_encoder_2=T5EncoderModel(glyphs).eval(),
            tokenizer_2=ByT5Tokenizer(), guider=ClassifierFreeGuidance(guidance_scale=1.0),
        ),
        folder,
    )  # fmt: skip


def svd(folder: Path) -> Path:
    """Stable Video Diffusion: a picture in, no prompt, a fixed number of frames."""
    import torch
    from diffusers import (
        AutoencoderKLTemporalDecoder,
        EulerDiscreteScheduler,
        StableVideoDiffusionPipeline,
        UNetSpatioTemporalConditionModel,
    )
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    unet = UNetSpatioTemporalConditionModel(
        sample_size=8, block_out_channels=(32, 64), layers_per_block=2, cross_attention_dim=32,
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        num_attention_heads=8, projection_class_embeddings_input_dim=96, addition_time_embed_dim=32, num_frames=8,
    )  # fmt: skip
    vae = AutoencoderKLTemporalDecoder(
        block_out_channels=(32, 64, 64, 64), down_block_types=("DownEncoderBlock2D",) * 4, latent_channels=4
    )
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", interpolation_type="linear",
        num_train_timesteps=1000, prediction_type="v_prediction", sigma_max=700.0, sigma_min=0.002,
        steps_offset=1, timestep_spacing="leading", timestep_type="continuous", use_karras_sigmas=True,
    )  # fmt: skip
    eye = CLIPVisionConfig(
        hidden_size=32, projection_dim=32, num_hidden_layers=2, num_attention_heads=4, image_size=224,
        intermediate_size=37, patch_size=32,
    )  # fmt: skip
    looks = CLIPImageProcessor(crop_size=32, size=32)
    image_encoder = CLIPVisionModelWithProjection(eye).eval()
    return saved(
        StableVideoDiffusionPipeline(
            vae=vae, image_encoder=image_encoder, unet=unet, scheduler=scheduler, feature_extractor=looks
        ),
        folder,
    )
