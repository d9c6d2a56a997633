"""Run settings: one frozen object, and the only reader of the environment.

Taken, later wins: defaults, the TOML file `assay.toml` in the working directory, `ASSAY_*` variables, flags. A policy
is not a setting: it is data (see `safety.Policy`); settings only name it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from assay.serving import Serving, Webhooks


class Deadlines(BaseModel):
    """Seconds that each stage may take before its process is ended and the job fails closed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: PositiveFloat = 120.0  # imports and model loading; a cold disk takes most of it
    prompt: PositiveFloat = 30.0
    input: PositiveFloat = 300.0
    generator: PositiveFloat = 1800.0
    frame: PositiveFloat = 3600.0
    provenance: PositiveFloat = 300.0


def _offered(epsilon: float) -> float:
    if epsilon not in (0.0, 1.0, 2.0):  # safety.frame.EPSILONS, which takes a while to import
        raise ValueError("what is offered is 0, 1 and 2")
    return epsilon


class Scan(BaseModel):
    """How videos are looked at. The defaults look at every frame; see docs/scanning.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Frames that differ by no more than this from one that was looked at are covered by it; 0: only identical ones.
    epsilon: Annotated[float, AfterValidator(_offered)] = 0.0
    early_stop: bool = False  # end at the first frame that is a block by itself


class OpenClip(BaseModel):
    """An open_clip model for frames, by name and pretrained tag or file, or a local folder; what was trained on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    pretrained: str | None = None
    heads: tuple[Path, ...] = ()  # made by scripts/train-head
    calibration: Path | None = None


class ImageClassifier(BaseModel):
    """An image classifier of transformers for frames, and what its labels mean."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str  # a folder, or a hub name with download = true
    labels: dict[str, str]  # label, or its number -> our category
    licence: str = "not stated"
    calibration: Path | None = None
    download: bool = False


class Vlm(BaseModel):
    """A vision-language model behind an OpenAI-compatible endpoint that judges a sample of frames."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    model: str  # as the server names it
    api_key_env: str | None = None  # the environment variable that holds its key
    timeout_s: PositiveFloat = 20.0
    side: int = 768  # pixels of the longer side of what is sent
    every_s: PositiveFloat = 2.0  # shown each shot, a frame every so many seconds,
    escalate: float = 0.5  # and, where a model that sees every frame reaches this,
    escalated_s: PositiveFloat = 0.5  # one every so many
    licence: str = "that of the model behind the endpoint"


class Guard(BaseModel):
    """A large guard for prompts in the uncertain band: a local model of a known family, or a chat endpoint (`chat`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: str  # a name of safety.prompt.guards.FAMILIES, or "chat"
    model: str  # a folder or hub name; for a chat endpoint, the model as the server names it
    url: str | None = None  # of the chat endpoint, e.g. http://judge:8000/v1
    api_key_env: str | None = None  # the environment variable that holds its key
    timeout_s: PositiveFloat = 20.0
    calibration: Path | None = None  # made by scripts/calibrate-guard; without one, raw probabilities stand
    low: float = 0.2
    high: float = 0.8
    download: bool = False  # may a hub name be fetched?
    device: str = "cpu"


class Diffusers(BaseModel):
    """A video pipeline of the diffusers library, for `backend = "diffusers"`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str  # a folder, or a hub name with download = true
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    device: str = "cpu"
    offload: Literal["none", "model", "sequential"] = "none"
    tiling: bool = False
    download: bool = False


class VideosApi(BaseModel):
    """A server that speaks the OpenAI-compatible Videos API, for `backend = "videos-api"`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str  # its base, e.g. http://generator:8000/v1
    model: str
    flavour: Literal["openai", "vllm-omni", "sglang"] = "openai"
    api_key_env: str | None = None
    timeout_s: PositiveFloat = 1800.0


class Recaption(BaseModel):
    """Who writes prompts out with `--expand`: the grammar of the embedded world, a chat endpoint, a local model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Literal["grammar", "chat", "local"] = "grammar"
    model: str = ""
    url: str | None = None
    api_key_env: str | None = None
    timeout_s: PositiveFloat = 30.0
    download: bool = False


class Likeness(BaseModel):
    """The two ONNX models that faces are compared by; none ships. Galleries lie under home/galleries."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    detector: Path  # with the outputs of YuNet
    embedder: Path


class Encoder(BaseModel):
    """A picture encoder for the detectors `d3`, `restrav` and `stall`; none ships. See docs/detect.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: Literal["openclip", "dinov2", "xclip"]
    model: str  # a folder, a hub name with download = true, or an architecture of open_clip
    pretrained: str | None = None  # for an architecture of open_clip: a tag or a safetensors file
    download: bool = False


class Detect(BaseModel):
    """Who judges whether pixels were generated, and under which threshold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # "embedded", "d3", "restrav", "stall", or "module:factory" of a classifier.ForensicDetector; () for nobody.
    detectors: tuple[str, ...] = ("embedded",)
    encoder: Encoder | None = None
    # "auto": of each detector, the calibration that `assay calibrate` made, where there is one; "shipped": never.
    calibration: Literal["auto", "shipped"] = "auto"
    zero_shot: bool = False  # a hint by the model of [openclip]; no part of the answer


class Settings(BaseSettings):
    """What runs, where it keeps its state, and for how long a stage may take."""

    model_config = SettingsConfigDict(
        env_prefix="ASSAY_", env_nested_delimiter="__", toml_file="assay.toml", frozen=True, extra="forbid"
    )

    home: Path = Field(default_factory=lambda: Path.home() / ".local" / "share" / "assay")
    policy: str = "default"
    backend: str = "embedded"
    diffusers: Diffusers | None = None
    videos_api: VideosApi | None = None
    recaption: Recaption = Recaption()
    # Names of built-in classifiers, or "module:factory" of third-party ones; a factory takes no arguments.
    prompt_classifiers: tuple[str, ...] = ("embedded",)
    frame_classifiers: tuple[str, ...] = ("canary", "ocr")
    guards: tuple[Guard, ...] = ()  # asked in this order, each where those before it are uncertain
    nudenet: Literal["auto", "on", "off"] = "auto"  # auto: used where the [nudenet] extra is installed
    batch_commit_s: PositiveFloat = 2.0  # for so long a finished file of a batch waits, to be written with others
    openclip: OpenClip | None = None
    images: tuple[ImageClassifier, ...] = ()
    vlm: Vlm | None = None
    likeness: Likeness | None = None
    detect: Detect = Detect()
    banks: tuple[str, ...] | None = None  # names of the banks that are on; None: every bank under home/banks
    certificate_chain: Path | None = None  # PEM, leaf first; with private_key: production signing
    private_key: Path | None = None
    signing_algorithm: str = "es256"
    signer: str | None = None  # "module:factory" of a provenance.SigningIdentity: a KMS, or a key in a PKCS #11 token
    tsa_url: str | None = None  # an RFC 3161 time-stamp authority
    timestamp: Literal["inline", "later"] = "later"  # later: `assay keys stamp`, so that signing never waits
    trust_anchors: tuple[Path, ...] = ()  # PEM files trusted on reading besides our own root
    tsa_anchors: tuple[Path, ...] = ()  # PEM files of the authorities whose time-stamps count
    review_expiry_hours: PositiveFloat = 72.0
    quarantine_key: Path | None = None  # the file (0600) that opens the quarantine; None: home/quarantine.key
    scan: Scan = Scan()
    deadlines: Deadlines = Deadlines()
    prompts: Literal["full", "hashed", "none"] = "full"  # what is kept of the texts of a job that has ended
    pseudonym_days: PositiveFloat = 90.0  # after which actors get new names; three generations of keys are kept
    ledger_url: str | None = None  # SQLAlchemy's, e.g. postgresql+psycopg://assay@db/assay; None: SQLite under home
    serve: Serving = Serving()
    webhooks: Webhooks = Webhooks()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def keys(self) -> Path:
        """Folder of the development certificate chain (0700)."""
        return self.home / "keys"

    @property
    def own_names(self) -> Path:
        """Folder of the deployment's own gazetteer files: see `assay policy gazetteer`."""
        return self.home / "gazetteer"

    @property
    def calibrations(self) -> Path:
        """Folder of the thresholds that `assay calibrate` set."""
        return self.home / "calibrations"

    @property
    def private(self) -> Path:
        """Folder of files that nobody has allowed yet (0700)."""
        return self.home / "private"

    @property
    def quarantine(self) -> Path:
        """Folder of sealed evidence (0700)."""
        return self.home / "quarantine"

    @property
    def held(self) -> Path:
        """Folder of outputs that wait for a person (0700)."""
        return self.home / "held"

    @property
    def videos(self) -> Path:
        """Folder of what the API makes, a folder a job (0700): signed videos, and inputs while they are needed."""
        return self.home / "videos"

    @property
    def emergency_mark(self) -> Path:
        """A file that says which emergency rules are in force, for whoever has not opened the SQLite ledger."""
        return self.home / "ledger.sqlite.emergency"

    @property
    def policies(self) -> Path:
        """Folder of the policies that were rolled out, each under its digest (0700)."""
        return self.home / "policies"

    @property
    def audit(self) -> Path:
        """Folder of the key that signs checkpoints, of its public half, and of the last checkpoints (0700)."""
        return self.home / "audit"

    @property
    def ledger(self) -> str:
        """The ledger's SQLAlchemy URL."""
        return self.ledger_url or f"sqlite:///{self.home / 'ledger.sqlite'}"
