"""Is the file itself, byte by byte, in a bank? A score at the stage `file`, beside those of its frames."""

from __future__ import annotations

from collections.abc import Sequence

from safety.frame.banks.content import Content
from safety.frame.banks.signal import Kind
from safety.score import Absence, Examination, Item, PostureEntry, Score, Stage, Where

NOBODY = "none@0"


def examine_file(item: Item, md5: bytes, banks: Sequence[Content], wanted: Sequence[str]) -> Examination:
    """What the banks say of a file by its hashes; item: at stage `file`, with its sha256.

    wanted: the categories that the policy's rules of that stage speak of. Those that are no bank here are not
    configured. A negative entry of the same bank takes a match away.
    """
    if item.stage is not Stage.FILE:
        raise ValueError(f"a file is examined at stage 'file', not {item.stage.value!r}")
    hashes = {Kind.SHA256: bytes.fromhex(item.sha256), Kind.MD5: md5}
    scores: list[Score] = []
    posture: list[PostureEntry] = []
    for bank in banks:
        source = f"bank-{bank.card.name}@{bank.sha256[:12]}"
        hits = [bank.files[kind, value] for kind, value in hashes.items() if (kind, value) in bank.files]
        known = [hit for hit in hits if not hit[2]] if not any(negative for _, _, negative in hits) else []
        where = Where(text=f"entry {known[0][0]} {known[0][1]}, the very file".replace("  ", " ")) if known else None
        scores += [Score(item, name, source, float(bool(known)), where=where) for name in bank.card.categories]
        runtime = f"SHA-256 and MD5, {len(bank.files)} entries"
        posture.append(PostureEntry(item.stage, f"bank-{bank.card.name}", bank.sha256[:12], bank.sha256, runtime, 1, 0))
    # What a bank maps to is not judged by it: a file that no list knows may still show anything.
    judged = {bank.card.own_category for bank in banks}
    unseen = [name for name in dict.fromkeys(wanted) if name not in judged]
    note = "no model judges this category in the file"
    scores += [Score.absent(item, name, NOBODY, Absence.NOT_CONFIGURED, note) for name in unseen]
    return Examination((item,), tuple(scores), tuple(posture))


def sighted_files(seen: Examination, banks: Sequence[Content], md5: bytes) -> dict[str, frozenset[int]]:
    """Bank -> the entries that the file matched, for `BankStore.sighted`."""
    found: dict[str, frozenset[int]] = {}
    for item in seen.items:
        hashes = {Kind.SHA256: bytes.fromhex(item.sha256), Kind.MD5: md5}
        for bank in banks:
            hits = {bank.files[key][0] for key in hashes.items() if key in bank.files and not bank.files[key][2]}
            found[bank.card.name] = found.get(bank.card.name, frozenset()) | hits
    return found
