"""Files behind URLs: listed, fetched, scanned and let go again; tried on a local S3 server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_toys import GREY, RED, clip

from assay.batch import remote
from assay.batch.sources import Choice, sources
from assay.settings import Settings
from media import UsageError

Scan = Callable[..., tuple[str, list[dict[str, Any]]]]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty bucket on a server that speaks S3."""
    server_of = pytest.importorskip("moto.server").ThreadedMotoServer
    s3fs = pytest.importorskip("s3fs")
    server = server_of(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem()
    system.mkdir("clips")
    yield system
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.mark.full
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of moto's and botocore's own
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_bucket_is_scanned(bucket: Any, scan: Scan, toy_batch: Settings, tmp_path: Path) -> None:
    """Objects below a prefix get the rows of local files; copies are fetched, looked at once and gone; a broken object,
    one that is no video and one that is not there cost their own rows; the second time nothing is fetched.
    """
    for name, colour in (("a.mp4", GREY), ("deep/red.mp4", RED), ("deep/copy.mp4", RED)):
        bucket.put(str(clip(tmp_path / name, colour)), f"clips/{name}")
    bucket.pipe("clips/notes.txt", b"words")
    bucket.pipe("clips/video-in-disguise.bin", (tmp_path / "a.mp4").read_bytes())
    bucket.pipe("clips/broken.mp4", b"no video")
    _, rows = scan("s3://clips", "s3://clips/none.mp4")
    found = {row["path"]: row["action"] or row["error"]["type"] for row in rows}
    assert found == {
        "s3://clips/a.mp4": "allow", "s3://clips/broken.mp4": "StageFailed", "s3://clips/notes.txt": "Skipped",
        "s3://clips/video-in-disguise.bin": "allow", "s3://clips/deep/copy.mp4": "block",
        "s3://clips/deep/red.mp4": "block", "s3://clips/none.mp4": "FetchFailed",
    }  # fmt: skip
    local = {row["sha256"]: row for row in scan(tmp_path / "a.mp4", tmp_path / "deep")[1]}
    for row in rows:
        if row["action"]:
            assert row | {"path": ""} == local[row["sha256"]] | {"path": ""}
        else:
            assert row["path"] in row["error"]["message"]
            assert str(toy_batch.private) not in row["error"]["message"]
    assert not list(toy_batch.private.rglob("*.mp4"))
    bucket.pipe("clips/list.csv", b"")
    (tmp_path / "list.csv").write_text("uri\ns3://clips/deep/*.mp4\n")
    assert [row["action"] for row in scan(tmp_path / "list.csv")[1]] == ["block", "block"]


@pytest.mark.parametrize("url", ["ftp://host/a.mp4", "zip://a.mp4::s3://b/c.zip", "memory://x.mp4", "python://os"])
def test_only_storage_is_opened(url: str) -> None:
    """A protocol that is no storage, and a chain of protocols, is refused by name."""
    with pytest.raises(UsageError, match="are opened"):
        list(remote.listed(url))
    with pytest.raises(UsageError, match="are opened"):
        remote.fetch(url, Path("never"))


def test_a_url_in_a_list_costs_only_its_row(tmp_path: Path) -> None:
    """A list may hold a URL that is refused; its other names are met."""
    (tmp_path / "list.txt").write_text(f"shell://rm\n{clip(tmp_path / 'a.mp4')}\n")
    found = list(sources([str(tmp_path / "list.txt")], Choice()))
    assert [one.error is None for one in found] == [False, True]


def test_file_urls_are_fetched_and_hashed(tmp_path: Path) -> None:
    """file:// is storage too: the copy has the bytes and the hash; one that is not there leaves nothing."""
    pytest.importorskip("fsspec")
    from assay.signing import sha256_of

    path = clip(tmp_path / "a b.mp4")
    (found,) = remote.listed(f"file://{path}")
    copy, digest = remote.fetch(found.uri, tmp_path / "copies")
    assert copy.read_bytes() == path.read_bytes()
    assert digest == sha256_of(path)
    with pytest.raises(remote.FetchFailed, match=r"none\.mp4"):
        remote.fetch(f"file://{tmp_path}/none.mp4", tmp_path / "copies")
    assert list((tmp_path / "copies").iterdir()) == [copy]
    assert {one.name for one in remote.listed(f"file://{tmp_path}")} >= {"a b.mp4"}
    assert remote.head(f"file://{path}", 8) == path.read_bytes()[:8]
    assert remote.head(f"file://{tmp_path}/none.mp4", 8) is None
