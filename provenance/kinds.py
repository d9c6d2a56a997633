"""What a file is, by its first bytes. A suffix is a claim by whoever named the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HEAD_BYTES = 4096


@dataclass(frozen=True)
class FileKind:
    """A media format: its MIME type, the family of formats that share its container, and whether it can be signed."""

    mime: str
    family: str
    embeds: bool = True

    @property
    def fragment(self) -> bool:
        """True for a segment of a fragmented MP4 that lies in a file of its own."""
        return self.family == "bmff-fragment"


_BRANDS = {
    b"qt  ": "video/quicktime",
    b"M4V ": "video/x-m4v",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"hevc": "image/heic",
    b"mif1": "image/heif",
    b"msf1": "image/heif",
}
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", FileKind("image/png", "png")),
    (b"\xff\xd8\xff", FileKind("image/jpeg", "jpeg")),
    (b"GIF87a", FileKind("image/gif", "gif")),
    (b"GIF89a", FileKind("image/gif", "gif")),
    (b"II*\x00", FileKind("image/tiff", "tiff")),
    (b"MM\x00*", FileKind("image/tiff", "tiff")),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", FileKind("image/jxl", "jxl")),
    (b"fLaC", FileKind("audio/flac", "flac")),
    (b"ID3", FileKind("audio/mpeg", "mp3")),
    (b"%PDF-", FileKind("application/pdf", "pdf")),
    (b"\x1aE\xdf\xa3", FileKind("video/webm", "matroska", embeds=False)),
    (b"FLV\x01", FileKind("video/x-flv", "flv", embeds=False)),
    (b"OggS", FileKind("video/ogg", "ogg", embeds=False)),
    (b"BM", FileKind("image/bmp", "bmp", embeds=False)),
)
_RIFF = {
    b"WEBP": FileKind("image/webp", "webp"),
    b"AVI ": FileKind("video/avi", "avi"),
    b"WAVE": FileKind("audio/wav", "wav"),
}
_SUFFIX_FAMILIES = {
    **dict.fromkeys(("mp4", "m4v", "m4a", "mov", "avif", "heic", "heif"), "bmff"),
    **dict.fromkeys(("jpg", "jpeg"), "jpeg"),
    **dict.fromkeys(("tif", "tiff"), "tiff"),
    **dict.fromkeys(("webm", "mkv"), "matroska"),
    **{name: name for name in ("png", "gif", "webp", "avi", "wav", "jxl", "flac", "mp3", "svg", "pdf", "bmp")},
}


def sniff(path: Path) -> FileKind | None:
    """The kind of a file by its first 4096 bytes, or None where they match nothing; raises OSError."""
    with path.open("rb") as file:
        return sniff_bytes(file.read(HEAD_BYTES))


def sniff_bytes(head: bytes) -> FileKind | None:
    """The same for bytes in memory."""
    if head[4:8] == b"ftyp":
        return FileKind(_BRANDS.get(head[8:12], "video/mp4"), "bmff")
    if head[4:8] in (b"styp", b"moof", b"sidx"):
        return FileKind("video/iso.segment", "bmff-fragment", embeds=False)
    if head[4:8] in (b"moov", b"mdat", b"wide"):
        return FileKind("video/quicktime", "bmff")
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12])
    if len(head) > 188 and head[0] == 0x47 and head[188] == 0x47:
        return FileKind("video/mp2t", "mpeg-ts", embeds=False)
    if len(head) > 1 and head[0] == 0xFF and head[1] in (0xFB, 0xFA, 0xF3, 0xF2):
        return FileKind("audio/mpeg", "mp3")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and b"<svg" in head:
        return FileKind("image/svg+xml", "svg")
    return None


def suffix_contradicts(path: Path, kind: FileKind) -> bool:
    """True where the suffix names a family of formats that the content is not of; an unknown suffix claims nothing."""
    family = _SUFFIX_FAMILIES.get(path.suffix.lower().lstrip("."))
    return family is not None and family != kind.family
