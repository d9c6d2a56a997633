"""Interlaced H.264 as broadcasters and camcorders write it: each picture in two packets, one a field."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest

from media import Frame, probe

COLUMNS, ROWS = 2, 2  # macroblocks of a field: pictures of 32 x 64


class Bits:
    """An H.264 bit string; the smallest encoder there is, of uncompressed macroblocks."""

    def __init__(self) -> None:
        self.bits: list[int] = []

    def u(self, *fields: tuple[int, int]) -> None:
        for value, width in fields:
            self.bits += [value >> bit & 1 for bit in reversed(range(width))]

    def ue(self, *values: int) -> None:
        for value in values:
            self.u((0, (value + 1).bit_length() - 1), (value + 1, (value + 1).bit_length()))

    def align(self) -> None:
        self.bits += [0] * (-len(self.bits) % 8)

    def unit(self, header: int) -> bytes:
        """The NAL unit, with its start code and emulation prevention."""
        self.bits.append(1)
        self.align()
        plain = int("".join(map(str, self.bits)), 2).to_bytes(len(self.bits) // 8, "big")
        escaped, zeros = bytearray(), 0
        for octet in plain:
            if zeros >= 2 and octet <= 3:
                escaped.append(3)
                zeros = 0
            escaped.append(octet)
            zeros = zeros + 1 if octet == 0 else 0
        return b"\0\0\0\1" + bytes([header]) + bytes(escaped)


def parameter_sets() -> bytes:
    sequence, picture = Bits(), Bits()
    sequence.u((77, 8), (0, 8), (30, 8))  # Main profile, level 3
    sequence.ue(0, 0, 2, 1)  # id, frame_num bits, shown in decoding order, one reference
    sequence.u((0, 1))
    sequence.ue(COLUMNS - 1, ROWS - 1)
    sequence.u((0, 1), (0, 1), (1, 1), (0, 1), (0, 1))  # fields allowed, no MBAFF
    picture.ue(0, 0)
    picture.u((0, 1), (0, 1))
    picture.ue(0, 0, 0)
    picture.u((0, 1), (0, 2))
    picture.ue(0, 0, 0)
    picture.u((1, 1), (0, 1), (0, 1))
    return sequence.unit(0x67) + picture.unit(0x68)


def field(level: int, number: int, *, bottom: bool) -> bytes:
    """One flat field; the top one is an IDR picture, the bottom one follows it."""
    slice_ = Bits()
    slice_.ue(0, 7, 0)
    slice_.u((0, 4), (1, 1), (int(bottom), 1))
    if bottom:
        slice_.u((0, 1))
    else:
        slice_.ue(number % 2)
        slice_.u((0, 1), (0, 1))
    slice_.ue(0, 1)
    for _ in range(COLUMNS * ROWS):
        slice_.ue(25)  # I_PCM
        slice_.align()
        slice_.u(*[(level, 8)] * 256, *[(128, 8)] * 128)
    return slice_.unit(0x61 if bottom else 0x65)


@pytest.fixture
def raw(build):
    """Six pictures of two fields, dark above bright, as a raw stream."""
    pairs = (field(40 + 20 * n, n, bottom=False) + field(60 + 20 * n, n, bottom=True) for n in range(6))
    return build.bytes("fields.h264", parameter_sets() + b"".join(pairs))


@pytest.fixture
def broadcast(raw):
    """The same in a transport stream, each field with its own time."""
    path = raw.with_suffix(".ts")
    with av.open(str(raw)) as source, av.open(str(path), "w") as output:
        track = output.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size:
                packet.time_base, packet.pts, packet.dts = Fraction(1, 90_000), number * 1800, number * 1800
                packet.stream = track
                output.mux(packet)
    return path


@pytest.mark.parametrize("kind", ["raw", "broadcast"])
def test_two_field_packets_make_one_picture_and_nothing_undecodable(kind, request):
    """12 field packets: six interlaced pictures, each woven of both its fields, and no complaint."""
    path = request.getfixturevalue(kind)
    with av.open(str(path)) as container:
        assert sum(bool(packet.size) for packet in container.demux(video=0)) == 12
    frames = list(probe(path).frames())
    assert [type(frame) for frame in frames] == [Frame] * 6
    assert [frame.interlaced for frame in frames] == [True] * 6
    assert all(int(frame.pixels[1, 0, 0]) - int(frame.pixels[0, 0, 0]) > 15 for frame in frames)


def test_a_broken_field_is_reported(broadcast):
    """Half a picture that does not decode is not passed off as the second field of a good one."""
    content = bytearray(broadcast.read_bytes())
    at = content.index(b"\0\0\1\x61", 8 * 188)  # the slice of a bottom field
    content[at + 4 : at + 8] = b"\xff" * 4
    broadcast.write_bytes(content)
    items = list(probe(broadcast).frames())
    assert any(not isinstance(item, Frame) for item in items)
