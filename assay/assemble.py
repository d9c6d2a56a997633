"""The one place that turns settings into objects: which models, policy and keys. Everything else receives them."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from assay import banking, picture_models
from assay.prompting import PromptStage
from assay.settings import Guard, Settings
from media import UsageError
from safety import ChatEndpoint, Examiner, FrameClassifier, ModelUnavailable, Policy, PromptClassifier, Stage, source

if TYPE_CHECKING:  # a command that only reads prompts waits for none of these
    from assay.quarantine import Quarantine
    from assay.signing import Signer
    from assay.stages import Stages
    from assay.stamping import StampQueue
    from generator import Recaptioner, VideoGenerator
    from provenance import SigningIdentity, Trust
    from safety.frame import FaceEmbedder

BACKENDS = ("embedded", "procedural", "diffusers", "videos-api")


def assemble(settings: Settings, owner: str, *, generator: bool) -> Stages:
    """The stages that a command needs. Models that no rule of the policy asks about are not loaded.

    Raises PolicyError, ModelUnavailable or SigningError, each with its remedy.
    """
    from assay.ledger import Ledger
    from assay.stages import Stages

    prompt = prompt_stage(settings)
    banks = banking.Banks.load(settings)
    frame = frame_classifiers(settings, prompt, banks)
    return Stages(
        prompt=prompt,
        frame=frame,
        banks=banks,
        generator=video_generator(settings) if generator else None,
        recaptioner=recaptioner(settings) if generator else None,
        generator_backend=settings.backend if generator else None,
        signer=signer(settings),
        ledger=Ledger(settings.ledger),
        private=settings.private / owner,
        held=settings.held,
        quarantine=lambda: quarantine(settings),
        worst=banking.worst_categories(settings),
        owner=owner,
        prompts=settings.prompts,
        scoring_digest=scoring_digest(
            [*prompt.classifiers, *frame],
            prompt.policy.zero_shot_digest,
            # With covering, a score also depends on the thresholds near which nothing is covered.
            (settings.scan.epsilon, prompt.policy.decision_digest) if settings.scan.epsilon else (),
        ),
        review_expiry_hours=settings.review_expiry_hours,
        epsilon=settings.scan.epsilon,
        early_stop=settings.scan.early_stop,
    )


def prompt_stage(settings: Settings) -> PromptStage:
    """The policy and the classifiers of texts."""
    policy = banking.policy(settings)
    made = [_prompt_classifier(name, settings) for name in settings.prompt_classifiers]
    for guard in settings.guards if made else ():
        made[0] = _guarded(made[0], guard, policy)
    return PromptStage(policy, made)


def _guarded(first: PromptClassifier, guard: Guard, policy: Policy) -> PromptClassifier:
    """The classifier with a large guard behind it, asked where the first is uncertain."""
    from safety.prompt.guards import Band, Cascade

    return Cascade(first, guard_alone(guard, policy, first.categories), Band(guard.low, guard.high))


def guard_alone(guard: Guard, policy: Policy, categories: Sequence[str]) -> PromptClassifier:
    """A large guard, shown the policy's own definitions of the categories."""
    from safety.prompt.guards import ChatGuard, GuardModel, LocalGuard

    words = {name: text.definition for name, text in policy.categories.items() if name in categories}
    if guard.family != "chat":
        where = GuardModel(guard.family, guard.model, guard.calibration, guard.download, guard.device)
        return LocalGuard(where, words)
    if guard.url is None:
        raise UsageError("settings: a guard of family 'chat' needs the url of its endpoint")
    return ChatGuard(ChatEndpoint(guard.url, guard.model, guard.api_key_env, guard.timeout_s), words, guard.calibration)


def _prompt_classifier(name: str, settings: Settings) -> PromptClassifier:
    if name == "embedded":
        from safety.prompt import EmbeddedPromptClassifier

        return EmbeddedPromptClassifier(own_names=settings.own_names)
    made: PromptClassifier = third_party(name)()
    return made


def frame_classifiers(
    settings: Settings, prompt: PromptStage, banks: banking.Banks | None = None
) -> list[FrameClassifier]:
    """The frame classifiers, cheapest first; those that score nothing the policy asks about are left out."""
    from safety import frame as eyes

    built_in: dict[str, Callable[[], FrameClassifier]] = {
        "canary": lambda: eyes.CanaryClassifier(),
        "ocr": lambda: eyes.OcrClassifier(prompt.classifiers),
        "trunk": lambda: eyes.TrunkClassifier(),
    }
    made = [built_in.get(name, lambda name=name: third_party(name)())() for name in settings.frame_classifiers]
    installed = importlib.util.find_spec("nudenet") is not None
    if settings.nudenet == "on" or (settings.nudenet == "auto" and installed):
        made.append(eyes.NudenetClassifier())
    made += picture_models.configured(settings, prompt.policy)
    if settings.likeness is not None:
        made.append(likeness(settings))
    made += (banks or banking.Banks.load(settings)).classifiers()
    shown = (Stage.FRAME, Stage.INPUT_IMAGE, Stage.INPUT_VIDEO)
    asked = {category for stage in shown for category in prompt.policy.categories_for(stage)}
    return sorted((one for one in made if asked.intersection(one.categories)), key=lambda one: one.cost_ms)


def face_embedder(settings: Settings) -> FaceEmbedder:
    """Finds and compares faces by the models of the settings; UsageError where none are named."""
    from safety.frame import FaceEmbedder

    if settings.likeness is None:
        raise UsageError("settings: likeness.detector and likeness.embedder name no models, and none ship with Assay")
    return FaceEmbedder(settings.likeness.detector, settings.likeness.embedder)


def likeness(settings: Settings) -> FrameClassifier:
    """Faces against every gallery of this installation."""
    from safety.frame import Gallery, LikenessClassifier

    paths = sorted((settings.home / "galleries").glob("*.gallery"))
    return LikenessClassifier(face_embedder(settings), [Gallery.load(path) for path in paths])


def video_generator(settings: Settings) -> VideoGenerator:
    """The generator of the configured back-end."""
    name = settings.backend
    if name == "embedded":
        from generator import EmbeddedGenerator

        return EmbeddedGenerator()
    if name == "procedural":
        from generator import ProceduralGenerator

        return ProceduralGenerator()
    if name == "diffusers" and settings.diffusers is not None:
        from generator import DiffusersGenerator, DiffusersModel

        return DiffusersGenerator(DiffusersModel(**settings.diffusers.model_dump()))
    if name == "videos-api" and settings.videos_api is not None:
        from generator import VideosApiGenerator, VideosServer

        return VideosApiGenerator(VideosServer(**settings.videos_api.model_dump()))
    if name in BACKENDS:
        raise UsageError(f"backend {name!r} needs the settings [{name.replace('-', '_')}]; see docs/generation.md")
    if ":" in name:
        made: VideoGenerator = third_party(name)()
        return made
    raise UsageError(f"{name!r} is no back-end; known are {', '.join(BACKENDS)} and module:factory")


def recaptioner(settings: Settings) -> Recaptioner:
    """Who writes prompts out where a request asks for that."""
    asked = settings.recaption
    if asked.by == "grammar":
        from generator import GrammarRecaptioner

        return GrammarRecaptioner()
    if asked.by == "local":
        from generator import LocalRecaptioner

        return LocalRecaptioner(asked.model, download=asked.download)
    from assay.recaptioning import ChatRecaptioner

    if asked.url is None:
        raise UsageError("settings: recaption by chat needs the url of its endpoint")
    return ChatRecaptioner(ChatEndpoint(asked.url, asked.model, asked.api_key_env, asked.timeout_s))


def signing_identity(settings: Settings) -> SigningIdentity:
    """Who signs: a configured key service or certificate, or a development chain made on first use."""
    identity = _signing_key(settings)
    return replace(identity, tsa_url=settings.tsa_url) if settings.timestamp == "inline" else identity


def _signing_key(settings: Settings) -> SigningIdentity:
    from provenance import DevelopmentKeys, SigningIdentity

    if settings.signer is not None:
        made = third_party(settings.signer)()
        if not isinstance(made, SigningIdentity):
            raise UsageError(f"settings: signer {settings.signer!r} made {type(made).__name__}, no SigningIdentity")
        return made
    chain, key = settings.certificate_chain, settings.private_key
    if (chain is None) != (key is None):
        raise UsageError("settings: certificate_chain and private_key belong together; give both or neither")
    if chain is not None and key is not None:
        return SigningIdentity.from_pem(chain, key, settings.signing_algorithm)
    return DevelopmentKeys.load_or_create(settings.keys).identity


def signer(settings: Settings) -> Signer:
    """Who signs, and whom reading back trusts."""
    from assay.signing import Signer
    from provenance import Trust

    identity = signing_identity(settings)
    later = settings.tsa_url is not None and settings.timestamp == "later"
    return Signer(identity, Trust.of(identity), stamp_queue(settings) if later else None)


def quarantine(settings: Settings) -> Quarantine:
    """Where the worst material goes; made, with its key, when it is first needed."""
    from assay.quarantine import Quarantine

    return Quarantine(settings.quarantine, settings.quarantine_key or settings.home / "quarantine.key")


def stamp_queue(settings: Settings) -> StampQueue:
    """The files that were signed offline and await their time-stamp."""
    from assay.stamping import StampQueue

    return StampQueue(settings.home / "stamps")


def trust(settings: Settings) -> Trust:
    """What reading trusts: our own root and the configured anchors."""
    from provenance import Trust

    return Trust.of(signing_identity(settings)) + Trust.from_files(settings.trust_anchors, tsa=settings.tsa_anchors)


def scoring_digest(examiners: Sequence[Examiner], zero_shot_digest: str, covering: Sequence[object] = ()) -> str:
    """Hash of what scores depend on: models, versions, weights, the policy's descriptions for zero-shot models, and
    how frames are covered where that was asked for.
    """
    facts = sorted([source(one), one.weights_sha256 or ""] for one in examiners)
    return hashlib.sha256(json.dumps([facts, zero_shot_digest, *covering]).encode()).hexdigest()


def third_party(name: str) -> Callable[[], Any]:
    """The factory that `module:factory` names."""
    module, colon, attribute = name.partition(":")
    try:
        if not colon:
            raise ImportError("it is no built-in name and not of the form module:factory")
        factory: Callable[[], Any] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ModelUnavailable(f"{name!r} cannot be loaded: {error}") from error
    return factory
