"""What publish() writes: every kind of file and of origin, read back as a stranger would."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import c2pa
import pytest

from provenance import (
    DevelopmentKeys,
    Digests,
    Kind,
    LaunderingRefused,
    Manifest,
    SigningIdentity,
    SourceChanged,
    SourceTampered,
    State,
    Trust,
    publish,
    read,
)

Make = Callable[..., Manifest]
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
EMBEDDABLE = [
    *("clip.mp4", "hevc.mp4", "av1.mp4", "clip.mov", "clip.avi"),
    *("still.png", "still.jpg", "still.webp", "still.gif", "still.tiff"),
]


@pytest.mark.parametrize("name", EMBEDDABLE)
def test_each_kind_is_trusted_by_us_and_only_valid_to_others(
    name: str, samples: Path, folder: Path, manifest: Make, identity: SigningIdentity, strangers: DevelopmentKeys
) -> None:
    """A signed file of each kind is TRUSTED under our root, VALID under another, and carries the decision."""
    made = manifest()
    found = publish(samples / name, folder / name, made, identity)
    assert (found.state, found.codes, found.path) == (State.TRUSTED, (), str(folder / name))
    assert read(folder / name, Trust.of(identity)) == found
    assert found.decision == made.decision
    assert found.digital_source_types == (IPTC + "trainedAlgorithmicMedia",)
    elsewhere = read(folder / name, Trust.of(strangers.identity))
    assert (elsewhere.state, elsewhere.codes) == (State.VALID, ("signingCredential.untrusted",))
    assert read(folder / name, Trust()).state is State.VALID


def test_a_published_file_says_who_made_it_and_when(signed: Path, trust: Trust, identity: SigningIdentity) -> None:
    """The manifest names generator, software agent with weights, seed, training rule, and the signer."""
    found = read(signed, trust)
    assert found.signer is not None
    assert found.signer.common_name == identity.common_name
    assert found.signer.organization == "Assay local development"
    (summary,) = found.manifests
    assert summary.generator is not None
    assert summary.generator.startswith("Assay ")
    assert summary.actions == ("c2pa.created",)
    assert {"c2pa.actions.v2", "cawg.training-mining", "org.assay.decision"} <= set(summary.assertions)
    body = _raw(signed, trust)
    action = body["assertions"][0]["data"]["actions"][0]
    assert action["softwareAgent"] == {"name": "toy-dit", "version": "3", "org.assay.weights_sha256": "ef" * 32}
    assert action["parameters"] == {
        "org.assay.kind": "text-to-video",
        "org.assay.mode": "plain",
        "org.assay.seed": str(2**70),
    }
    assert action["when"] == "2026-01-02T03:04:05Z"
    assert body["claim_generator_info"][0]["specVersion"] == "2.4.0"
    assert all(assertion["created"] for assertion in body["assertions"]), "a gathered assertion vouches for nothing"


def _raw(path: Path, trust: Trust) -> dict[str, object]:
    with path.open("rb") as file, c2pa.Context.from_dict(trust.settings()) as context:
        store = json.loads(c2pa.Reader("video/mp4", file, context=context).json())
    return store["manifests"][store["active_manifest"]]


def test_the_source_is_never_touched(video: Path, folder: Path, manifest: Make, identity: SigningIdentity) -> None:
    """Signing changes neither bytes nor times of the source."""
    before = (video.read_bytes(), video.stat().st_mtime_ns, video.stat().st_ino)
    publish(video, folder / "a.mp4", manifest(), identity)
    assert (video.read_bytes(), video.stat().st_mtime_ns, video.stat().st_ino) == before


def test_the_final_file_has_the_mode_that_the_umask_gives(
    video: Path, folder: Path, manifest: Make, identity: SigningIdentity
) -> None:
    """A published file is as readable as any other file this process makes, though it was staged as 0600."""
    old = os.umask(0o027)
    try:
        publish(video, folder / "a.mp4", manifest(), identity)
    finally:
        os.umask(old)
    assert stat.S_IMODE((folder / "a.mp4").stat().st_mode) == 0o640


def test_an_existing_target_is_replaced_whole(
    video: Path, folder: Path, manifest: Make, identity: SigningIdentity, trust: Trust
) -> None:
    """Publishing over an older output leaves the new file, trusted."""
    (folder / "a.mp4").write_bytes(b"an older output")
    publish(video, folder / "a.mp4", manifest(), identity)
    assert read(folder / "a.mp4", trust).state is State.TRUSTED


def test_an_extension_keeps_its_parent(
    samples: Path, signed: Path, folder: Path, manifest: Make, identity: SigningIdentity
) -> None:
    """A continued video is opened from its parent and edited; the parent's manifest is in the tree."""
    found = publish(samples / "other.mp4", folder / "a.mp4", manifest(Kind.EXTENSION, signed), identity)
    assert found.state is State.TRUSTED
    assert found.manifests[0].actions == ("c2pa.opened", "c2pa.edited")
    (parent,) = found.ingredients
    assert (parent.relationship, parent.state, parent.title) == ("parentOf", State.TRUSTED, "parent")
    assert parent.label == found.manifests[1].label
    assert found.digital_source_types == (
        IPTC + "compositeWithTrainedAlgorithmicMedia",
        IPTC + "trainedAlgorithmicMedia",
    )


def test_an_image_to_video_names_its_inputs_by_number_only(
    samples: Path, folder: Path, manifest: Make, identity: SigningIdentity, trust: Trust
) -> None:
    """Inputs become inputTo ingredients; a user's own file name does not enter a public manifest."""
    secret = folder.parent / "jane.doe@example.org passport.png"
    secret.write_bytes((samples / "still.png").read_bytes())
    made = manifest(Kind.IMAGE_TO_VIDEO, secret, samples / "still.bmp")
    found = publish(samples / "clip.mp4", folder / "a.mp4", made, identity)
    assert [(each.title, each.relationship, each.state) for each in found.ingredients] == [
        ("input-1", "inputTo", State.ABSENT),
        ("input-2", "inputTo", State.ABSENT),
    ]
    assert b"jane" not in (folder / "a.mp4").read_bytes()


def test_a_derived_picture_names_the_video_it_was_made_from(
    samples: Path, signed: Path, folder: Path, manifest: Make, identity: SigningIdentity
) -> None:
    """A thumbnail is signed too, with the signed video as its parent."""
    found = publish(samples / "still.jpg", folder / "thumb.jpg", manifest(Kind.DERIVED, signed), identity)
    assert found.state is State.TRUSTED
    assert found.ingredients[0].state is State.TRUSTED
    assert found.manifests[0].actions == ("c2pa.opened", "c2pa.converted")


def test_a_scanned_file_keeps_the_manifest_it_had(
    signed: Path, folder: Path, manifest: Make, identity: SigningIdentity
) -> None:
    """Signing after a scan opens the file, keeps its manifest as parent, and claims no source type of its own."""
    found = publish(signed, folder / "a.mp4", manifest(Kind.SCANNED), identity)
    assert found.state is State.TRUSTED
    assert [each.actions for each in found.manifests] == [("c2pa.opened",), ("c2pa.created",)]
    assert found.ingredients[0].label == found.manifests[1].label
    assert found.manifests[0].source_types == ()


def test_a_scanned_file_without_a_manifest_is_signed_as_opened(
    video: Path, folder: Path, manifest: Make, identity: SigningIdentity
) -> None:
    """A file of unknown origin stays one: its parent has no credentials, and nothing claims how it was made."""
    found = publish(video, folder / "a.mp4", manifest(Kind.SCANNED), identity)
    assert (found.state, found.ingredients[0].state) == (State.TRUSTED, State.ABSENT)
    assert found.digital_source_types == ()


def test_a_scan_of_a_strangers_signed_file_keeps_it_and_says_so(
    video: Path, folder: Path, manifest: Make, identity: SigningIdentity, strangers: DevelopmentKeys
) -> None:
    """A parent signed by somebody unknown is kept; the tree says that its signer is not trusted."""
    theirs = folder.parent / "theirs.mp4"
    publish(video, theirs, manifest(), strangers.identity)
    found = publish(theirs, folder / "a.mp4", manifest(Kind.SCANNED), identity)
    assert found.claim_state is State.TRUSTED
    assert found.ingredients[0].state is State.VALID
    assert "ingredient.untrusted" in found.codes
    both = Trust.of(identity, strangers.identity)
    assert read(folder / "a.mp4", both).ingredients[0].state is State.TRUSTED
    assert read(folder / "a.mp4", both).codes == ()


@pytest.mark.parametrize("kind", [Kind.TEXT_TO_VIDEO, Kind.DERIVED, Kind.EXTENSION, Kind.IMAGE_TO_VIDEO])
def test_an_existing_manifest_is_never_dropped(
    kind: Kind, video: Path, signed: Path, folder: Path, manifest: Make, identity: SigningIdentity
) -> None:
    """Signing a signed file as if it were new is refused for every origin but a scan."""
    inputs = () if kind is Kind.TEXT_TO_VIDEO else (video,)
    with pytest.raises(LaunderingRefused, match="would drop"):
        publish(signed, folder / "a.mp4", manifest(kind, *inputs), identity)
    assert not (folder / "a.mp4").exists()


def test_a_tampered_parent_is_not_vouched_for(
    video: Path, signed: Path, folder: Path, manifest: Make, identity: SigningIdentity, flip: Callable[..., Path]
) -> None:
    """A file whose own credentials are broken is signed neither after a scan nor as the parent of another."""
    broken = flip(signed, folder.parent / "broken.mp4")
    with pytest.raises(SourceTampered, match="bmffHash"):
        publish(broken, folder / "a.mp4", manifest(Kind.SCANNED), identity)
    with pytest.raises(SourceTampered, match="bmffHash"):
        publish(video, folder / "a.mp4", manifest(Kind.EXTENSION, broken), identity)
    assert list(folder.iterdir()) == []


def test_what_was_judged_is_what_leaves(samples: Path, folder: Path, manifest: Make, identity: SigningIdentity) -> None:
    """Where the hash of the judged file is given, another file is refused."""
    with pytest.raises(SourceChanged, match="not the file that was judged"):
        publish(samples / "clip.mp4", folder / "a.mp4", manifest(), identity, judged=Digests("00" * 32))
    assert list(folder.iterdir()) == []


def test_one_identity_signs_in_many_threads(
    video: Path, folder: Path, manifest: Make, identity: SigningIdentity
) -> None:
    """Concurrent signatures do not disturb each other, to different targets or to the same one."""
    targets = [folder / f"{number % 6}.mp4" for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda target: publish(video, target, manifest(), identity), targets))
    assert {each.state for each in found} == {State.TRUSTED}
    assert sorted(path.name for path in folder.iterdir()) == [f"{number}.mp4" for number in range(6)]


def test_the_package_root_is_light_and_its_names_are_not_modules() -> None:
    """Importing provenance loads neither c2pa nor cryptography, and `provenance.read` stays the function."""
    code = (
        "import sys, provenance; from provenance import State, Origin, SigningError;"
        "assert not {'c2pa', 'cryptography', 'av', 'torch'} & set(sys.modules), 'heavy root';"
        "import provenance.sign;"
        "assert callable(provenance.read) and callable(provenance.publish) and callable(provenance.sweep);"
        "assert [getattr(provenance, name) for name in dir(provenance)]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
