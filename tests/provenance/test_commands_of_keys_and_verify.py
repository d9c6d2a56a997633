"""`assay keys` and `assay verify` as a user meets them: alarm, rotation, stamping, the tree, the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from assay.cli.main import run
from assay.metrics import Gauge, exposition
from provenance import DevelopmentKeys, Kind, Manifest, SigningIdentity, Trust, publish, read


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of its own; the working directory holds no settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def production(home: Path, authority: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SigningIdentity]:
    """Configures a production chain of a given life in days."""

    def make(days: float, **given: Any) -> SigningIdentity:
        chain, key = authority.leaf(days=days, **given)
        (home / "chain.pem").write_bytes(chain + authority.pem)
        (home / "key.pem").write_bytes(key)
        monkeypatch.setenv("ASSAY_CERTIFICATE_CHAIN", str(home / "chain.pem"))
        monkeypatch.setenv("ASSAY_PRIVATE_KEY", str(home / "key.pem"))
        return SigningIdentity.from_bytes(chain + authority.pem, key, "es256")

    return make


def test_show_says_who_signs_and_how_long(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fresh installation has a year, no alarm, and says that nothing is time-stamped."""
    assert run(["keys", "show"]) == 0
    shown = capsys.readouterr()
    assert "development chain" in shown.out
    assert "no time-stamps" in shown.out
    assert not shown.err
    assert run(["keys", "show", "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert 360 < line["days_left"] <= 365
    assert line["development"] is True


@pytest.mark.parametrize(("days", "code", "words"), [(90, 0, ""), (20, 0, "expires in"), (-1, 5, "has expired")])
def test_a_certificate_that_ends_soon_raises_an_alarm(
    days: int, code: int, words: str, production: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Within thirty days a warning on stderr, after the end a failure."""
    production(days if days > 0 else 30, start=timedelta(minutes=-5) if days > 0 else timedelta(days=-40))
    assert run(["keys", "show"]) == code
    shown = capsys.readouterr().err
    assert words in shown
    assert bool(words) is bool(shown)


def test_the_metrics_are_a_scrapers_text(
    production: Callable[..., SigningIdentity], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every sample has its type, the end of the certificate is a Unix time, and the alarm follows its threshold."""
    identity = production(40)
    for days, alarm in ((30, 0), (45, 1)):
        assert run(["keys", "show", "--metrics", "--alarm-days", str(days)]) == 0
        lines = capsys.readouterr().out.splitlines()
        samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        typed = {line.split()[2] for line in lines if line.startswith("# TYPE") and line.endswith(" gauge")}
        assert {name.partition("{")[0] for name in samples} == typed
        assert len(samples) == len(typed) == 5
        labels = '{algorithm="es256",common_name="leaf"}'
        assert float(samples[f"assay_signing_certificate_not_after_timestamp_seconds{labels}"]) == pytest.approx(
            identity.not_after.timestamp()
        )
        assert float(samples[f"assay_signing_certificate_alarm{labels}"]) == alarm
        assert float(samples["assay_unstamped_files"]) == 0
    assert run(["keys", "show", "--metrics", "-o", "assay.prom"]) == 0
    assert "assay_unstamped_oldest_seconds 0.0" in (home / "assay.prom").read_text()
    assert not [path.name for path in home.iterdir() if path.name.endswith(".partial")]
    assert run(["keys", "show", "--metrics", "-o", "nowhere/assay.prom"]) == 1
    assert run(["keys", "show", "-o", "assay.prom"]) == 1


@pytest.mark.parametrize(("days", "code"), [(90, 0), (20, 3), (-1, 5)])
def test_an_alarm_may_be_an_exit_code(days: int, code: int, production: Callable[..., Any]) -> None:
    """With --fail-on-alarm a certificate that ends soon is 3, in every form of the answer; an expired one is 5."""
    production(days if days > 0 else 30, start=timedelta(minutes=-5) if days > 0 else timedelta(days=-40))
    for form in ([], ["--json"], ["--metrics"]):
        assert run(["keys", "show", "--fail-on-alarm", *form]) == code


def test_the_chain_ends_with_its_first_certificate(
    home: Path, production: Callable[..., SigningIdentity], authority: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """An authority that ends before the leaf ends what can be signed; the alarm goes by it."""
    identity = production(90)
    assert identity.usable_until == identity.not_after
    soon, _ = authority.leaf(days=10)
    (home / "chain.pem").write_bytes((home / "chain.pem").read_bytes().replace(authority.pem, soon + authority.pem))
    run(["keys", "show", "--json"])
    assert json.loads(capsys.readouterr().out)["days_left"] == 9


def test_hostile_names_stay_label_values() -> None:
    """Quotes, backslashes and line breaks in a certificate's name add no line and no label to the text."""
    text = exposition([Gauge("a", 'help\nwith "lines"', 1, {"name": 'x"} 2\nb 3\\'})])
    assert text == '# HELP a help\\nwith "lines"\n# TYPE a gauge\na{name="x\\"} 2\\nb 3\\\\"} 1\n'


def test_rotation_keeps_what_was_signed(
    home: Path, video: Path, manifest: Callable[..., Manifest], capsys: pytest.CaptureFixture[str]
) -> None:
    """A new leaf signs, the old one's files stay trusted; a configured identity is not ours to rotate."""
    before = DevelopmentKeys.load_or_create(home / "home" / "keys").identity
    publish(video, home / "old.mp4", manifest(), before)
    assert run(["keys", "rotate"]) == 0
    after = DevelopmentKeys.load_or_create(home / "home" / "keys").identity
    assert after.chain_pem != before.chain_pem
    publish(video, home / "new.mp4", manifest(), after)
    assert run(["verify", "old.mp4"]) == 0
    assert run(["verify", "new.mp4"]) == 0


def test_a_configured_identity_is_not_ours_to_rotate(
    production: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Rotating a production chain says what to do instead."""
    production(90)
    assert run(["keys", "rotate"]) == 1
    assert "not Assay's to renew" in capsys.readouterr().err


def test_a_signer_from_a_factory_is_used(
    home: Path, authority: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The setting `signer` names a factory of identities; what is none is refused by name."""
    chain, key = authority.leaf()
    private: Any = serialization.load_pem_private_key(key, None)
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    identity = SigningIdentity.from_callback(
        chain, "es256", lambda message: private.sign(message, ec.ECDSA(hashes.SHA256())), authority.pem
    )
    (home / "factories.py").write_text("MADE = []\ndef make():\n    return MADE[0]\n")
    monkeypatch.syspath_prepend(str(home))
    import factories  # type: ignore[import-not-found]

    monkeypatch.setenv("ASSAY_SIGNER", "factories:make")
    for made, code, words in ((identity, 0, "signs as leaf"), ("not one", 1, "made str")):
        factories.MADE[:] = [made]
        assert run(["keys", "show"]) == code
        shown = capsys.readouterr()
        assert words in shown.out + shown.err


def test_stamping_needs_an_authority_and_reports_each_file(
    home: Path, video: Path, manifest: Callable[..., Manifest], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Without tsa_url it is a usage error; with one that does not answer, every file has its line and its reason."""
    assert run(["keys", "stamp", "a.mp4"]) == 1
    identity = DevelopmentKeys.load_or_create(home / "home" / "keys").identity
    publish(video, home / "a.mp4", manifest(), identity)
    monkeypatch.setenv("ASSAY_TSA_URL", "http://127.0.0.1:9/")
    capsys.readouterr()
    assert run(["keys", "stamp", "--json", "a.mp4", "absent.mp4"]) == 5
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["path"] for line in lines] == ["a.mp4", "absent.mp4"]
    assert [line["fate"] for line in lines] == ["waiting", "dropped"]
    assert "127.0.0.1:9" in lines[0]["error"]
    assert read(home / "a.mp4", Trust.of(identity)).state == "trusted"


def test_verify_draws_the_tree_and_writes_the_page(
    home: Path, samples: Path, video: Path, manifest: Callable[..., Manifest], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each ingredient has its branch and state; the page is written beside, and a page nowhere is a usage error."""
    identity = DevelopmentKeys.load_or_create(home / "home" / "keys").identity
    publish(video, home / "a.mp4", manifest(), identity)
    publish(samples / "other.mp4", home / "b.mp4", manifest(Kind.EXTENSION, home / "a.mp4"), identity)
    publish(video, home / "c.mp4", manifest(Kind.JOIN, home / "b.mp4", samples / "clip.mov"), identity)
    assert run(["verify", "c.mp4", "--html", "page.html"]) == 0
    shown = capsys.readouterr().out
    assert "├─ component-1 (componentOf): trusted" in shown
    assert "│  └─ parent (parentOf): trusted" in shown
    assert "└─ component-2 (componentOf): absent" in shown
    page = (home / "page.html").read_text()
    assert "component-1" in page
    assert "<script" not in page
    assert run(["verify", "c.mp4", "--html", "nowhere/page.html"]) == 1
