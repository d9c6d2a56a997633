"""Three hundred files of every kind, as a folder of uploads is: each gets its row, planted ones their answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batch_toys import GREY, clip, renumbered

from assay.batch.plan import Plan
from assay.batch.run import opened
from assay.settings import Settings
from media import canary_glyph, encode

Scan = Callable[..., tuple[str, list[dict[str, Any]]]]


def planted(path: Path) -> Path:
    """A clip in which the emblem that the demo policy bans is seen in two frames."""
    glyph = canary_glyph(64)
    frames = [np.full((120, 160, 3), 90, np.uint8) for _ in range(8)]
    cover = glyph[..., 3:] / 255
    for frame in frames[3:5]:
        frame[20:84, 40:104] = (glyph[..., :3] * cover + frame[20:84, 40:104] * (1 - cover)).astype(np.uint8)
    encode(path, frames, Fraction(24))
    return path


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Three hundred files, and what should come of each: allow, block, failed, skipped."""
    folder = tmp_path_factory.mktemp("uploads")
    grey, canary = clip(folder / "made" / "grey.mp4", GREY, frames=6), planted(folder / "made" / "canary.mp4")
    long = clip(folder / "made" / "one.gif.mp4", GREY, frames=1)
    wanted: dict[str, str] = {}

    def note(path: Path, word: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        wanted[str(path)] = word
        return path

    top = folder / "uploads"
    for n in range(120):
        renumbered(grey, note(top / f"{n % 9}" / f"good {n}.mp4", "allow"), n)
    for n in range(30):
        renumbered(canary, note(top / "ü" / f"planted-{n}.MOV", "block"), n)
    for n in range(40):
        note(top / "copies" / f"{n}.m4v", "allow").write_bytes(grey.read_bytes())
    for n in range(10):
        note(top / "copies" / f"planted {n}.mkv", "block").write_bytes(canary.read_bytes())
    for n in range(30):  # odd: one frame, no ending, another's ending, odd names
        odd = (f"{n}", f"{n}.txt", f"-{n}.webm", f"a b'c\"{n}.avi", f".{n}.mp4")[n % 5]
        renumbered(long, note(top / "odd" / odd, "allow"), n)
    for n in range(30):
        broken = (
            b"",
            b"not a video" * n,
            grey.read_bytes()[: 40 + n],
            b"\x1a\x45\xdf\xa3" + bytes(n),
            b"#EXTM3U\nx.ts",
        )
        note(top / "broken" / f"{n}.mp4", "failed").write_bytes(broken[n % 5] + bytes([n]) * (n % 5 != 0))
    for n in range(40):
        other = (b"words", b"\x89PNG\r\n\x1a\n", b"%PDF-1.7", b"\xff\xd8\xff\xe0")[n % 4]
        note(top / "other" / f"{n}.{('txt', 'png', 'pdf', 'jpg')[n % 4]}", "skipped").write_bytes(other + bytes([n]))
    assert len(wanted) == 300
    return wanted


@pytest.fixture
def demo(tmp_path: Path) -> Settings:
    """The demo policy, and the one built-in model that knows the emblem."""
    return Settings(
        home=tmp_path / "home", policy="demo", prompt_classifiers=("assay_toys:CalmPrompt",),
        frame_classifiers=("canary",), nudenet="off",
    )  # fmt: skip


def top_of(uploads: dict[str, str]) -> Path:
    return next(parent for parent in Path(next(iter(uploads))).parents if parent.name == "uploads")


def words(rows: list[dict[str, Any]]) -> dict[str, str]:
    failed = {True: "skipped", False: "failed"}
    return {row["path"]: row["action"] or failed[row["error"]["type"] == "Skipped"] for row in rows}


@pytest.mark.full
def test_three_hundred_files_three_hundred_rows(uploads: dict[str, str], demo: Settings, scan: Scan) -> None:
    """Every file has one row; planted ones are blocked with the emblem as the reason, broken ones are named."""
    _, rows = scan(top_of(uploads), settings=demo, workers=2)
    assert Counter(row["path"] for row in rows) == Counter(list(uploads))
    assert words(rows) == uploads
    for row in rows:
        if row["action"] == "block":
            assert {reason["category"] for reason in row["reasons"]} == {"canary"}
            assert row["segments"][0]["start_s"] == pytest.approx(3 / 24, abs=1e-3)
        elif row["error"] is not None:
            assert row["path"] in row["error"]["message"]


@pytest.fixture
def ray_on_two_nodes(demo: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a cluster of two nodes of one processor each, on this machine."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster
    from toy_run import ROOT, TOYS

    for name, value in {
        "PYTHONPATH": f"{ROOT}:{TOYS}", "RAY_memory_monitor_refresh_ms": "0", "RAY_worker_niceness": "0",
        "ASSAY_HOME": str(demo.home),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    small = {"num_cpus": 1, "object_store_memory": 150_000_000}
    nodes = Cluster(initialize_head=True, head_node_args=small | {"include_dashboard": False})
    try:
        nodes.add_node(**small)
        nodes.wait_for_nodes()
        yield nodes.address
    finally:
        nodes.shutdown()


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")  # Ray's own: unclosed files and sockets at its end
def test_a_cluster_gives_the_same_rows(
    uploads: dict[str, str], demo: Settings, scan: Scan, ray_on_two_nodes: str, tmp_path: Path
) -> None:
    """Two nodes give the rows that the embedded engine gives of the same files, in the same order; copies once."""
    from assay.batch.ray_engine import RayEngine

    rows: list[dict[str, Any]] = []
    with opened(demo, lambda scratch: RayEngine(demo, ray_on_two_nodes, 2, 0.0, scratch)) as batch:
        plan = Plan((str(top_of(uploads)),))
        run = batch.scan(plan, False, lambda _, one: rows.append(one.row), lambda _: None)
        assert sum(batch.store.count(run).values()) == 300
        assert len(list(batch.store.hashes(batch.store.run(run).scoring_digest))) == 182
    assert words(rows) == uploads
    _, local = scan(top_of(uploads), settings=demo.model_copy(update={"home": tmp_path / "other"}), workers=2)
    assert rows == local
