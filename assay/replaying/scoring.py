"""May recorded scores speak for a policy? Only where it would be scored the same way, here and now, and wholly."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from assay.replaying.records import Record
from assay.settings import Settings
from safety import Policy, Stage

_SHAPES = 4096  # remembered


@dataclass(frozen=True)
class Ways:
    """How scores are made for a policy: what the scoring digest is a hash of.

    models    (name@version, sha256 of its weights) each
    covering  how frames are covered, and near which thresholds not; empty where only identical ones are
    """

    digest: str
    models: frozenset[tuple[str, str]]
    zero_shot: str
    covering: tuple[object, ...]


class Installation(Protocol):
    """How this installation would score files for a policy."""

    def vouches(self, recorded: str, then: Policy, now: Policy) -> bool:
        """Whether it is known without a model that scores for `now` would be those that were made for `then`.

        recorded: their scoring digest. False: the models must be asked.
        """
        ...

    def ways(self, policy: Policy) -> Ways:
        """Raises ModelUnavailable where it could not."""
        ...


class Objections:
    """Why a record may not be decided by another policy, in words; None where it may."""

    def __init__(self, policy: Policy, installation: Installation | None) -> None:
        """installation: None takes the scores as they stand, whatever would be scored here and now."""
        self._policy, self._installation = policy, installation
        self._of_files = bool(policy.categories_for(Stage.FILE))
        self._of_ways: dict[tuple[str, str], str | None] = {}
        self._of_shape = lru_cache(_SHAPES)(self._asked)

    def to(self, record: Record, then: Policy) -> str | None:
        """The objection; `then` is the policy that the record was decided by."""
        if record.partial is not None:
            return f"the scan stopped early ({record.partial}); scan the file again without an early stop"
        key = (record.scoring_digest, then.digest)
        if key not in self._of_ways:
            self._of_ways[key] = self._ways(record.scoring_digest, then)
        if (said := self._of_ways[key]) is not None:
            return said
        if self._policy.digest == then.digest:
            return None
        if self._of_files and Stage.FILE not in dict(record.gists):
            return "the policy judges whole files (stage 'file'), and the scan did not; scan them again"
        return next(filter(None, (self._of_shape(stage, gist.shape) for stage, gist in record.gists)), None)

    def _ways(self, recorded: str, then: Policy) -> str | None:
        now, name = self._policy, f"{self._policy.id}@{self._policy.version}"
        texts = f"{name} describes its categories to image-text models in other words; score the files again"
        near = f"what the scan covered depended on the thresholds of then, and {name} has others; score the files again"
        if self._installation is None:
            return texts if now.zero_shot_digest != then.zero_shot_digest else None
        if self._installation.vouches(recorded, then, now):
            return None
        here = self._installation.ways(now)
        if here.digest == recorded:
            return None
        before = self._installation.ways(then)
        if before.digest != recorded:
            return (
                f"the scores were made under {recorded[:12]}, and this installation would score under "
                f"{before.digest[:12]} (other models, weights, gazetteer, banks or settings); score the files again"
            )
        if here.zero_shot != before.zero_shot:
            return texts
        if here.covering != before.covering:
            return near
        unseen = sorted(model for model, _ in here.models - before.models)
        # Models that the new policy has no use for do not hinder: their scores are heard by no rule.
        return f"{name} asks for {', '.join(unseen)}, which did not look; scan the files again" if unseen else None

    def _asked(self, stage: Stage, shape: str) -> str | None:
        said = {one["category"] for one in json.loads(shape)["said"]}
        unasked = [name for name in self._policy.categories_for(stage) if name not in said]
        if not unasked or not self._policy.rules_for(stage):
            return None
        return f"nobody was asked about {', '.join(unasked)} at stage {stage.value!r}; scan the files again"


_LOOKED_AT = (Stage.FRAME, Stage.INPUT_IMAGE, Stage.INPUT_VIDEO)  # what decides which frame classifiers are used


class ThisInstallation:
    """The models and settings of this process. Assembling them takes seconds, so it is done only where it must be."""

    def __init__(self, settings: Settings, remembered: Callable[[str | None], str | None]) -> None:
        """remembered: the scoring digest that a ledger has for the key of an installation, `Store.scoring_of`."""
        self._settings, self._remembered = settings, remembered
        self._known: dict[str, Ways] = {}

    def vouches(self, recorded: str, then: Policy, now: Policy) -> bool:
        """True where its files are those that made the scores, and `now` asks nobody else and nothing else."""
        from assay.batch.installation import installation_key

        asked = [{c for stage in _LOOKED_AT for c in policy.categories_for(stage)} for policy in (then, now)]
        nearer = self._settings.scan.epsilon and then.decision_digest != now.decision_digest
        if asked[1] - asked[0] or then.zero_shot_digest != now.zero_shot_digest or nearer:
            return False
        key = installation_key(self._settings, then)
        return key is not None and self._remembered(key) == recorded

    def ways(self, policy: Policy) -> Ways:
        """How a scan here would score for that policy."""
        if policy.digest not in self._known:
            self._known[policy.digest] = self._assembled(policy)
        return self._known[policy.digest]

    def _assembled(self, policy: Policy) -> Ways:
        from assay import assemble
        from assay.prompting import PromptStage
        from safety import source

        prompt = PromptStage(policy, assemble.prompt_stage(self._settings).classifiers)
        examiners = [*prompt.classifiers, *assemble.frame_classifiers(self._settings, prompt)]
        epsilon = self._settings.scan.epsilon
        covering = (epsilon, policy.decision_digest) if epsilon else ()
        return Ways(
            assemble.scoring_digest(examiners, policy.zero_shot_digest, covering),
            frozenset((source(one), one.weights_sha256 or "") for one in examiners),
            policy.zero_shot_digest,
            covering,
        )
