"""What a ballot log is made of, and how anyone checks it, offline.

    python verify.py board.json [--receipt F] [--openings F] [--anchor F]

This one file runs by itself. Everything that is hashed or signed is defined here once; the server uses these functions,
and so does whoever checks it. The tree is that of Certificate Transparency (RFC 9162 §2.1): leaves under 0x00, nodes
under 0x01. It needs Python 3.11 and the package `cryptography` (for Ed25519).
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

ALG = "ed25519-sha256"  # a second one (SM2 with SM3) would get its own name
WITHIN_S = 600  # a promise says that its leaf is in the log so many seconds later
COMMITMENT = b"jiayuan-ballot-commitment-v1\0"
PROMISE = b"jiayuan-ballot-promise-v1\0"
HEAD = b"jiayuan-tree-head-v1\0"
EMPTY_ROOT = hashlib.sha256(b"").digest()


class Malformed(ValueError):
    """A text that isn't in the one form that may be hashed."""


def canonical(value: Any) -> bytes:
    """The one spelling of a value: UTF-8, keys sorted, no spaces. Only text in NFC, whole numbers, true, false, null,
    lists and objects; anything else raises Malformed.
    """
    try:
        _check(value)
        return _ENCODER.encode(value).encode()
    except (UnicodeEncodeError, RecursionError) as e:  # half a surrogate pair; nested without end
        raise Malformed(type(e).__name__) from e


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _check(value: Any) -> None:
    if isinstance(value, str):
        if not value.isascii() and not unicodedata.is_normalized("NFC", value):
            raise Malformed("text not in NFC")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise Malformed("a key that isn't text")
            if not key.isascii():
                _check(key)
            if type(item) is not int and not (type(item) is str and item.isascii()):  # most are
                _check(item)
    elif isinstance(value, list):
        for item in value:
            _check(item)
    elif value is not None and not isinstance(value, (bool, int)):
        raise Malformed(type(value).__name__)


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 9162 §2.1.1: SHA-256(0x00 ‖ leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 9162 §2.1.1: SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes, in their order."""
    level = list(hashes)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        level = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)] + odd
    return level[0]


def split(size: int) -> int:
    """RFC 9162 §2.1.1: the largest power of two below `size`, where its tree is divided."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """RFC 9162 §2.1.3.1: the leaves [from, to) below each node of the proof that leaf `index` is among `size`."""
    found: list[tuple[int, int]] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + split(high - low)
        if index < middle:
            found.append((middle, high))
            high = middle
        else:
            found.append((low, middle))
            low = middle
    return found[::-1]


def consistency_ranges(first: int, second: int) -> list[tuple[int, int]]:
    """RFC 9162 §2.1.4.1: the leaves below each node of the proof that a log of `second` leaves begins with `first`."""
    found: list[tuple[int, int]] = []
    low, high, whole = 0, second, True
    while first < high - low:
        middle = split(high - low)
        if first <= middle:
            found.append((low + middle, high))
            high = low + middle
        else:
            found.append((low, low + middle))
            first, low, whole = first - middle, low + middle, False
    if not whole:
        found.append((low, high))
    return found[::-1]


def inclusion_proof(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The proof that leaf `index` is in the log with these leaf hashes."""
    return [root_of(hashes[a:b]) for a, b in inclusion_ranges(index, len(hashes))]


def consistency_proof(hashes: Sequence[bytes], first: int) -> list[bytes]:
    """The proof that the log with these leaf hashes begins with that of its first `first` leaves."""
    return [root_of(hashes[a:b]) for a, b in consistency_ranges(first, len(hashes))]


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162 §2.1.3.2: does the path lead from the leaf hash at `index` to the root over `size` leaves?"""
    if not 0 <= index < size:
        return False
    node, last, value = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            value = node_hash(step, value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = node_hash(value, step)
        node, last = node >> 1, last >> 1
    return last == 0 and value == root


def is_consistent(
    first: int, second: int, path: Sequence[bytes], first_root: bytes, second_root: bytes
) -> bool:
    """RFC 9162 §2.1.4.2: is the log with `second_root` the one with `first_root`, grown?"""
    if not 0 < first <= second:
        return False
    if first == second:
        return not path and first_root == second_root
    steps = list(path)
    if first & (first - 1) == 0:
        steps.insert(0, first_root)
    if not steps:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, step)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def tag_of(tag_key: bytes, head_id: str) -> str:
    """The name of a head in the log, in hex: nobody without the decision's tag key can tell whose it is."""
    return hmac.digest(tag_key, b"jiayuan-head-tag-v1\0" + head_id.encode(), hashlib.sha256).hex()


def told_digest(tags: Iterable[str]) -> str:
    """Fixes, in the leaf that ends a log, who had proof of being told: SHA-256 over their sorted tags, in hex."""
    return hashlib.sha256(canonical(sorted(tags))).hexdigest()


def roll_entry(*, number: int, tag: str, area_centi: int) -> dict[str, Any]:
    """One head as the roll's tree holds it; `number` counts from 1."""
    return {"area_centi": area_centi, "number": number, "tag": tag}


def opening_of(
    *, decision_id: str, head_id: str, rev: int, choices: dict[str, Any], area_centi: int
) -> dict[str, Any]:
    """What a ballot says, in the form that is committed to. Choices: motion id → `for`, `against`, `abstain`,
    `invalid` (a paper that can't be counted), or in an election the ids of candidates, sorted.
    """
    return {
        "area_centi": area_centi,
        "choices": {m: sorted(c) if isinstance(c, list) else c for m, c in choices.items()},
        "decision": decision_id,
        "head": head_id,
        "rev": rev,
    }


def commitment_of(salt: bytes, opening: dict[str, Any]) -> str:
    """Binds a ballot without showing it: SHA-256 over the prefix, 32 bytes of salt and the opening, in hex."""
    if len(salt) != 32:
        raise Malformed("salt needs 32 bytes")
    return sealed_as(salt, canonical(opening)).hex()


def sealed_as(salt: bytes, opening: bytes) -> bytes:
    """The commitment to an opening that is canonical already."""
    return hashlib.sha256(COMMITMENT + salt + opening).digest()


def ballot_leaf(*, decision_id: str, tag: str, rev: int, commitment: str, channel: str) -> bytes:
    """The leaf of a ballot: everyone may read it, and it tells nothing but that this head cast, and how often."""
    return canonical(
        {
            "channel": channel,
            "commitment": commitment,
            "decision": decision_id,
            "rev": rev,
            "tag": tag,
            "type": "ballot",
            "v": 1,
        }
    )


def promise_text(*, key_id: str, decision_id: str, leaf: str, promised_at: str, within_s: int) -> bytes:
    """What the server signs when it takes a ballot: this leaf (hash in hex) is in the log within so many seconds."""
    body = {"alg": ALG, "decision": decision_id, "key_id": key_id, "leaf": leaf}
    return PROMISE + canonical(body | {"promised_at": promised_at, "within_s": within_s})


def head_text(*, key_id: str, decision_id: str, size: int, root: str, signed_at: str) -> bytes:
    """What the server signs of a tree: so many leaves, with this root (hex)."""
    body = {"alg": ALG, "decision": decision_id, "key_id": key_id}
    return HEAD + canonical(body | {"root": root, "signed_at": signed_at, "size": size})


# --- checking: what is read -------------------------------------------------------------------------------


class Fault(NamedTuple):
    """Something that isn't as it was signed, promised or published."""

    code: str
    zh: str
    en: str

    def __str__(self) -> str:
        """Both sentences."""
        return f"✗ [{self.code}] {self.zh} / {self.en}"


_SENTENCES = {
    "unreadable": ("文件 {file} 不能读取：{why}", "{file} can't be read: {why}"),
    "form": ("文件 {file} 缺少或写错了“{what}”", "{file} lacks “{what}”, or has it in another form"),
    "key": (
        "密钥 {key} 的编号与公钥不符，或不认识这种算法",
        "key {key} isn't what its id says, or of another algorithm",
    ),
    "unknown_key": (
        "{what}用的签名密钥 {key} 不在公布的密钥里：密钥被换过",
        "{what} is signed with key {key}, which isn't among the published ones: keys were swapped",
    ),
    "leaf_zero": ("第 0 号记录不是完整的开票记录：{why}", "leaf 0 doesn't fix texts, rules and roll: {why}"),
    "leaf_form": (
        "第 {index} 号记录的写法不合规定：{why}",
        "leaf {index} isn't in the one form that counts: {why}",
    ),
    "foreign_leaf": ("第 {index} 号记录属于另一次表决", "leaf {index} is of another decision"),
    "duplicate": (
        "第 {index} 号记录重复了同一张票",
        "leaf {index} is there twice: the same ballot of the same head",
    ),
    "order": (
        "第 {index} 号记录之前缺少同一业主较早的票：有记录被删除或调换",
        "leaf {index} comes before an earlier ballot of the same head: a leaf was dropped or moved",
    ),
    "after_close": ("截止之后又加入了第 {index} 号记录", "leaf {index} was added after the close"),
    "not_closed": (
        "记录没有截止标记：不是截止后的完整文件",
        "the log has no end: this isn't the sealed file",
    ),
    "extension": (
        "第 {index} 号记录的延期不合开票时固定的规则（不允许延期、第二次、过长或过期）",
        "the extension of leaf {index} is against the rules of leaf 0: not allowed, a second, too long, or too late",
    ),
    "closed_early": (
        "第 {index} 号记录在公布的截止时间 {until} 之前截止，而业主没有全部投票",
        "leaf {index} ends the vote before {until}, and not every owner had cast",
    ),
    "cancelled_result": ("表决已取消，却公布了结果", "the decision was cancelled, and a result is published"),
    "told": (
        "已送达名单与截止时固定的不同：截止后被改过",
        "who is said to have been told isn't whom the end of the log fixed: the list was changed after the close",
    ),
    "closing_number": (
        "截止标记写明 {said} 张票，文件里有 {found} 张",
        "the end of the log speaks of {said} ballots, and {found} are there",
    ),
    "head_form": ("第 {n} 个签名树头写法不对", "signed head number {n} isn't in its form"),
    "head_signature": (
        "{size} 条记录的树头签名不对",
        "the signature of the head over {size} leaves is wrong",
    ),
    "head_time": (
        "{size} 条记录的树头签名时间早于更短的记录：时间被倒填",
        "the head over {size} leaves is dated before a shorter one: back-dated",
    ),
    "head_beyond": (
        "签过 {size} 条记录，文件里只有 {found} 条：记录被删除，或数据库退回了旧状态",
        "{size} leaves were signed and {found} are there: leaves were dropped, or an old database was restored",
    ),
    "head_root": (
        "前 {size} 条记录与签名不符：{since} 号以后有记录被改、删、插入或调换",
        "the first {size} leaves aren't those signed: from {since} on one was rewritten, dropped, inserted or moved",
    ),
    "unsigned_tail": ("{size} 号以后的记录没有签名", "no signed head covers the leaves from {size} on"),
    "promise_signature": ("回执的签名不对", "the promise on the receipt isn't signed by the server"),
    "broken_promise": (
        "回执承诺的票不在记录里：票被删除或改写",
        "the ballot that was promised isn't in the log: it was dropped or rewritten",
    ),
    "promise_terms": (
        "回执承诺的时间不对：不在表决期间，或期限超过十分钟",
        "the promise isn't of the time of the vote, or gives itself more than ten minutes",
    ),
    "promise_late": (
        "第 {index} 号记录的票没有在承诺的期限内写入",
        "the ballot of leaf {index} wasn't in the log within the time that was promised",
    ),
    "receipt_opening": (
        "回执上的票与记录里的不是同一张（业主、选择、面积或密码不符）",
        "the leaf doesn't hold the ballot on this receipt (another owner, choice, area or salt)",
    ),
    "receipt_channel": (
        "回执写明的投票方式（网上或纸质）与第 {index} 号记录不同",
        "the receipt says another channel (online, paper) than leaf {index}",
    ),
    "receipt_place": ("回执上的位置或证明与记录不符", "place or proof on the receipt don't fit the log"),
    "split_view": (
        "回执上签过的树头与公布的记录不同：给不同的人看了不同的记录",
        "the signed head on the receipt isn't of the published log: different people were shown different logs",
    ),
    "receipt_roll": (
        "回执上的名册条目与名册或票不符",
        "the roll entry on the receipt fits neither roll nor ballot",
    ),
    "anchor_signature": ("公示锚点的签名不对", "the anchor isn't signed by the server"),
    "anchor_behind": (
        "公示锚点已有 {size} 条记录，现在只有 {found} 条：数据库退回了锚点之前的状态",
        "the anchor covers {size} leaves and {found} are there: the database was restored to before it",
    ),
    "anchor_root": (
        "记录与公示锚点不符：锚点之前的记录被改过",
        "the log isn't the one that was anchored: leaves before it were changed",
    ),
    "other_decision": ("{what}属于另一次表决", "{what} is of another decision"),
    "roll_root": (
        "名册与开票时固定的不同：表决开始后名册被改过",
        "the roll isn't the one that leaf 0 fixed: it was changed after the opening",
    ),
    "roll_form": ("名册第 {number} 条有误或重复", "roll entry {number} is wrong or there twice"),
    "roll_totals": ("名册的人数或面积与开票记录不符", "heads or area of the roll aren't those of leaf 0"),
    "stranger": (
        "第 {index} 号记录的投票人不在名册上：塞票",
        "leaf {index} is of nobody on the roll: the ballot box was stuffed",
    ),
    "not_opened": ("第 {index} 号记录的票没有公开内容", "the ballot of leaf {index} isn't opened"),
    "opened_twice": ("第 {n} 份公开内容重复", "opening {n} is there twice"),
    "opening_without_leaf": (
        "第 {n} 份公开内容在记录里没有票：塞票",
        "opening {n} has no leaf in the log: the ballot box was stuffed",
    ),
    "opening_wrong": (
        "第 {index} 号记录的公开内容与投票时封存的不符：选择、面积或业主被改过",
        "what leaf {index} is said to hold isn't what was committed to: choice, area or owner was changed",
    ),
    "opening_area": ("第 {index} 号记录的面积与名册不符", "the area of leaf {index} isn't that of the roll"),
    "choices": ("第 {index} 号记录的选择不可能出现", "the choices of leaf {index} aren't possible"),
    "result_source": (
        "公布结果的来源“{said}”与开票记录的表决方式“{mode}”不符",
        "the result is said to come from “{said}”, which leaf 0 (“{mode}”) doesn't allow",
    ),
    "result_missing": ("还没有公布认定结果", "there is no certified result"),
    "result_differs": (
        "议题 {number} 公布的“{what}”与重新计票不同：公布 {said}，应为 {found}",
        "motion {number}: the published {what} isn't what the ballots give: {said} instead of {found}",
    ),
}


class Unreadable(ValueError):
    """A file that can't be checked at all."""


class Report:
    """What a check found: faults, and what held."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.faults: list[Fault] = []
        self.held: list[str] = []

    def fault(self, code: str, **values: Any) -> None:
        """Note a fault with its sentences."""
        zh, en = _SENTENCES[code]
        self.faults.append(Fault(code, zh.format(**values), en.format(**values)))

    def say(self, zh: str, en: str) -> None:
        """Note what held."""
        self.held.append(f"✓ {zh} / {en}")


def read_json(text: str) -> Any:
    """The value of a JSON text that can be read in one way only. Raises Malformed for a key that is there twice, a
    number with a point, NaN, and text that isn't in NFC.
    """

    def whole(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Malformed("a key is there twice")
        return found

    def no_float(number: str) -> Any:
        raise Malformed(f"{number} isn't a whole number")

    if not unicodedata.is_normalized("NFC", text):
        raise Malformed("text not in NFC")
    try:
        return json.loads(text, object_pairs_hook=whole, parse_float=no_float, parse_constant=no_float)
    except (ValueError, RecursionError) as e:
        raise e if isinstance(e, Malformed) else Malformed(f"no JSON: {e}") from e


def _strict(value: Any, form: Mapping[str, Any]) -> str | None:
    """Why an object hasn't exactly this form (name → check or type), or None."""
    if not isinstance(value, dict):
        return "no object"
    if different := value.keys() ^ form.keys():
        return f"{min(different)}: missing or unknown"
    return next((name for name, kind in form.items() if not _fits(value[name], kind)), None)


def _fits(value: Any, kind: Any) -> bool:
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if isinstance(kind, type):
        return isinstance(value, kind)
    if isinstance(kind, (str, frozenset)):
        return value == kind if isinstance(kind, str) else isinstance(value, str) and value in kind
    return bool(kind(value))


def _hex(size: int) -> Any:
    def fits(value: Any) -> bool:
        return isinstance(value, str) and len(value) == 2 * size and not set(value) - set("0123456789abcdef")

    return fits


def _maybe(kind: Any) -> Any:
    return lambda value: value is None or _fits(value, kind)


def _is_instant(value: Any) -> bool:
    """RFC 3339 with an offset."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


_DIGEST = _hex(32)
_MOTION = {
    "id": str, "number": int, "matter": _maybe(lambda m: _fits(m, int) and 1 <= m <= 9), "seats": _maybe(int),
    "alternates": _maybe(int), "candidates": list,
}  # fmt: skip
_LEAF_ZERO = {
    "type": "opening", "v": int, "decision": str, "kind": str, "buildings": _maybe(list), "texts": _DIGEST,
    "motions": list, "rules": dict, "legal_mode": str,
    "opens_at": _is_instant, "closes_at": _is_instant, "heads": int, "area_centi": int, "roll_root": _DIGEST,
}  # fmt: skip
_BALLOT = {
    "type": "ballot", "v": int, "decision": str, "tag": _DIGEST, "rev": int, "commitment": _DIGEST,
    "channel": frozenset({"online", "paper"}),
}  # fmt: skip
_HEAD = {
    "decision": str, "size": int, "root": _DIGEST, "signed_at": str, "key_id": str, "alg": str, "signature": _hex(64),
}  # fmt: skip


class Keys:
    """The public keys of a board."""

    def __init__(self, listed: Iterable[Mapping[str, Any]], report: Report) -> None:
        """Those whose id is that of the key; others are faults."""
        self._known: dict[str, Any] = {}
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        except ImportError as e:
            raise Unreadable(
                "缺少 cryptography 软件包，请先运行 pip install cryptography / "
                "the package “cryptography” is missing: pip install cryptography"
            ) from e
        for key in listed:
            name, public = key.get("key_id"), key.get("public_key")
            if not _DIGEST(public) or key.get("alg") != ALG or key_id_of(str(public)) != name:
                report.fault("key", key=name)
            else:
                self._known[str(name)] = Ed25519PublicKey.from_public_bytes(bytes.fromhex(str(public)))

    def knows(self, key_id: str) -> bool:
        """Is the key among the published ones?"""
        return key_id in self._known

    def signed(self, key_id: str, signature: str, text: bytes) -> bool:
        """Is this the key's signature of the text?"""
        from cryptography.exceptions import InvalidSignature

        try:
            self._known[key_id].verify(bytes.fromhex(signature), text)
        except (InvalidSignature, KeyError, ValueError):
            return False
        return True


def key_id_of(public_key: str) -> str:
    """The first 16 hex digits of SHA-256 over the public key (hex)."""
    return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()[:16]


class Cast(NamedTuple):
    """A ballot as the log has it."""

    place: int
    tag: str
    rev: int
    commitment: str
    channel: str


class Board(NamedTuple):
    """A log as it was read, and what its leaves say."""

    decision: str
    opening: dict[str, Any]
    hashes: list[bytes]
    ballots: list[Cast]
    keys: Keys
    is_closed: bool
    result: dict[str, Any] | None
    told: str | None = None  # `told_digest` at the close
    is_cancelled: bool = False
    until: datetime | None = None  # when it closes, with its extension
    signed: tuple[tuple[int, datetime], ...] = ()  # size and time of each signed head

    def root(self, size: int) -> bytes:
        """The root over the first `size` leaves."""
        return root_of(self.hashes[:size])

    def text(self, head: Mapping[str, Any]) -> bytes:
        """What a signed head signs."""
        return head_text(
            key_id=head["key_id"],
            decision_id=self.decision,
            size=head["size"],
            root=head["root"],
            signed_at=head["signed_at"],
        )


# --- checking: the log ------------------------------------------------------------------------------------


def check_board(board: Any, report: Report, *, file: str = "board.json") -> Board:
    """Read a sealed file: leaf 0, every leaf, every signed head. Raises Unreadable when it isn't one."""
    for name, kind in (("decision", str), ("leaves", list), ("heads", list), ("keys", list)):
        if not isinstance(board, dict) or not isinstance(board.get(name), kind):
            raise Unreadable(_form(file, name))
    leaves = board["leaves"]
    if not leaves or not all(isinstance(leaf, str) for leaf in leaves):
        raise Unreadable(_form(file, "leaves"))
    if not all(isinstance(key, dict) for key in board["keys"]):
        raise Unreadable(_form(file, "keys"))
    decision = board["decision"]
    hashes = [leaf_hash(leaf.encode("utf-8", "surrogatepass")) for leaf in leaves]
    known = Keys(board["keys"], report)
    opening = _read_leaf_zero(decision, leaves[0], report)
    ballots, notices = _read_leaves(decision, leaves, report)
    until = None
    if opening:
        until = _check_notices(opening, notices, len({ballot.tag for ballot in ballots}), report)
    ends = {leaf["what"]: leaf for _, leaf in notices}
    is_cancelled = "cancelled" in ends or board.get("cancelled_at") is not None
    read = Board(
        decision,
        opening,
        hashes,
        ballots,
        known,
        not _ENDS.isdisjoint(ends),
        board.get("result"),
        ends.get("closed", {}).get("told_digest"),
        is_cancelled,
        until,
        tuple(
            (head["size"], datetime.fromisoformat(head["signed_at"]))
            for head in board["heads"]
            if _strict(head, _HEAD) is None
        ),
    )
    if is_cancelled and read.result is not None:
        report.fault("cancelled_result")
    _check_heads(read, board["heads"], report)
    if not report.faults:
        report.say(
            f"{len(leaves)} 条记录、{len(ballots)} 张票、{len(board['heads'])} 个签名树头相符",
            f"{len(leaves)} leaves, {len(ballots)} ballots and {len(board['heads'])} signed heads fit together",
        )
    return read


def _form(file: str, what: str) -> str:
    zh, en = _SENTENCES["form"]
    return f"{zh} / {en}".format(file=file, what=what)


def _read_leaf(text: str) -> dict[str, Any]:
    value = read_json(text)
    if not isinstance(value, dict) or canonical(value) != text.encode():
        raise Malformed("not canonical")
    return value


def _read_leaf_zero(decision: str, text: str, report: Report) -> dict[str, Any]:
    try:
        leaf = _read_leaf(text)
    except Malformed as e:
        report.fault("leaf_zero", why=e)
        return {}
    why = _strict(leaf, _LEAF_ZERO)
    if why is None and leaf["v"] != 1:
        why = "v"
    if why is None:
        why = next((w for m in leaf["motions"] if (w := _strict(m, _MOTION))), None)
    if why is None and leaf["decision"] != decision:
        why = "decision"
    if why is not None:
        report.fault("leaf_zero", why=why)
        return {}
    return leaf


def _read_leaves(
    decision: str, leaves: Sequence[str], report: Report
) -> tuple[list[Cast], list[tuple[int, dict[str, Any]]]]:
    """The ballots, and the notices with their places."""
    ballots: list[Cast] = []
    revs: dict[str, int] = {}
    notices: list[tuple[int, dict[str, Any]]] = []
    ended, usual = False, _usual_ballot(decision)
    for index, text in enumerate(leaves[1:], 1):
        if ended:
            report.fault("after_close", index=index)
        if usual is not None and (found := usual.fullmatch(text)) is not None:
            channel, commitment, rev, tag = found.groups()
            _add_ballot(Cast(index, tag, int(rev), commitment, channel), ballots, revs, report)
            continue
        try:
            leaf = _read_leaf(text)
        except Malformed as e:
            report.fault("leaf_form", index=index, why=e)
            continue
        if leaf.get("decision") != decision:
            report.fault("foreign_leaf", index=index)
        if leaf.get("type") == "notice":
            if (why := _notice_fault(leaf)) is not None:
                report.fault("leaf_form", index=index, why=why)
                continue
            notices.append((index, leaf))
            ended = ended or leaf["what"] in _ENDS
            if leaf["what"] == "closed" and leaf["ballots"] != len(ballots):
                report.fault("closing_number", said=leaf["ballots"], found=len(ballots))
            continue
        if (why := _strict(leaf, _BALLOT)) is not None or leaf["v"] != 1:
            report.fault("leaf_form", index=index, why=why or "v")
            continue
        cast = Cast(index, leaf["tag"], leaf["rev"], leaf["commitment"], leaf["channel"])
        _add_ballot(cast, ballots, revs, report)
    return ballots, notices


def _usual_ballot(decision: str) -> re.Pattern[str] | None:
    """The canonical text of a ballot of this decision, which nearly every leaf is: read ten times as fast as JSON. None
    where the id isn't the plain word that it always is; what doesn't match is read the long way.
    """
    if not re.fullmatch("[0-9A-Za-z_-]+", decision):
        return None
    return re.compile(
        r'\{"channel":"(online|paper)","commitment":"([0-9a-f]{64})","decision":"'
        + decision
        + r'","rev":([1-9][0-9]{0,8}),"tag":"([0-9a-f]{64})","type":"ballot","v":1\}'
    )


def _add_ballot(cast: Cast, ballots: list[Cast], revs: dict[str, int], report: Report) -> None:
    """One more; a head's come in the order of their numbers, each once."""
    before = revs.get(cast.tag, 0)
    if cast.rev != before + 1:
        report.fault("duplicate" if cast.rev <= before else "order", index=cast.place)
    revs[cast.tag] = max(before, cast.rev)
    ballots.append(cast)


_ENDS = frozenset({"closed", "cancelled"})
_NOTICE = {"type": "notice", "v": int, "decision": str, "what": str, "at": _is_instant}
_NOTICES = {
    "extended": _NOTICE | {"closes_at": _is_instant, "reason": str},
    "cancelled": _NOTICE | {"reason": str},
    "closed": _NOTICE | {"ballots": int, "told": int, "told_digest": _DIGEST},
}


def _notice_fault(leaf: Mapping[str, Any]) -> str | None:
    form = _NOTICES.get(str(leaf.get("what")))
    return "what" if form is None else _strict(leaf, form) or (None if leaf["v"] == 1 else "v")


def _check_notices(
    opening: Mapping[str, Any], notices: Sequence[tuple[int, Mapping[str, Any]]], cast: int, report: Report
) -> datetime:
    """At most one extension, before the close and by the rules of leaf 0; no close before its time, but when all have
    `cast`. Until when it was open.
    """
    until, rules, is_extended = datetime.fromisoformat(opening["closes_at"]), opening["rules"], False
    for index, leaf in notices:
        at = datetime.fromisoformat(leaf["at"])
        if leaf["what"] == "extended":
            longer = datetime.fromisoformat(leaf["closes_at"])
            most = rules.get("extension_days_max", 0) if rules.get("may_extend") is True else 0
            latest = until + timedelta(days=most if _fits(most, int) else 0)
            # The moment is read before the leaf is written.
            if is_extended or not until < longer <= latest or at > until + timedelta(minutes=1):
                report.fault("extension", index=index)
            else:
                until = longer
            is_extended = True
        elif leaf["what"] == "closed" and at < until and cast != opening["heads"]:
            report.fault("closed_early", index=index, until=until.isoformat())
    return until


def _check_heads(board: Board, heads: Sequence[Any], report: Report) -> None:
    count, last_good, at = len(board.hashes), 0, ""
    sizes = [head["size"] for head in heads if _strict(head, _HEAD) is None]
    roots = roots_at(board.hashes, sizes)
    signed = 0
    for n, head in enumerate(sorted(heads, key=lambda h: h.get("size", 0) if isinstance(h, dict) else 0), 1):
        if _strict(head, _HEAD) is not None or head["alg"] != ALG:
            report.fault("head_form", n=n)
            continue
        size = head["size"]
        if not board.keys.knows(head["key_id"]):
            report.fault(
                "unknown_key", what=f"{size} 条记录的树头 / the head over {size} leaves", key=head["key_id"]
            )
        elif not board.keys.signed(head["key_id"], head["signature"], board.text(head)):
            report.fault("head_signature", size=size)
        if size > count:
            report.fault("head_beyond", size=size, found=count)
        elif roots[size].hex() != head["root"]:
            report.fault("head_root", size=size, since=last_good)
        else:
            last_good = size
        if head["signed_at"] < at:
            report.fault("head_time", size=size)
        at, signed = max(at, head["signed_at"]), max(signed, size)
    if signed < count:
        report.fault("unsigned_tail", size=signed)


def roots_at(hashes: Sequence[bytes], sizes: Iterable[int]) -> dict[int, bytes]:
    """The root over the first n leaves, for each n of `sizes` that there are; in one pass."""
    wanted, found = set(sizes), {0: EMPTY_ROOT}
    peaks: list[bytes] = []  # roots of the complete subtrees that make up the log, the largest first
    for size, digest in enumerate(hashes, 1):
        peak, n = digest, size
        while n % 2 == 0:
            peak, n = node_hash(peaks.pop(), peak), n // 2
        peaks.append(peak)
        if size in wanted:
            root = peaks[-1]
            for left in reversed(peaks[:-1]):
                root = node_hash(left, root)
            found[size] = root
    return found


def check_receipt(board: Board, receipt: Any, report: Report, *, file: str = "receipt.json") -> None:
    """Is what this receipt promises in the log, and is it this ballot? Raises Unreadable when it is no receipt."""
    promise, opening = (receipt.get(n) if isinstance(receipt, dict) else None for n in ("promise", "opening"))
    if not isinstance(promise, dict) or not _DIGEST(receipt.get("receipt")):
        raise Unreadable(_form(file, "receipt"))
    leaf = receipt["receipt"]
    try:
        text = promise_text(
            key_id=promise["key_id"],
            decision_id=board.decision,
            leaf=leaf,
            promised_at=promise["promised_at"],
            within_s=promise["within_s"],
        )
        signature, key_id = str(promise["signature"]), str(promise["key_id"])
    except KeyError as e:
        raise Unreadable(_form(file, f"promise.{e.args[0]}")) from e
    if isinstance(opening, dict) and opening.get("decision", board.decision) != board.decision:
        report.fault("other_decision", what="回执 / the receipt")
        return
    if not board.keys.knows(key_id):
        report.fault("unknown_key", what="回执 / the receipt", key=key_id)
    elif not board.keys.signed(key_id, signature, text):
        report.fault("promise_signature")
    places = [n for n, digest in enumerate(board.hashes) if digest.hex() == leaf]
    if not places:
        report.fault("broken_promise")
        return
    index = places[0]
    _check_terms(board, index, promise, report)
    cast = next((b for b in board.ballots if b.place == index), None)
    if isinstance(opening, dict):
        _check_own_opening(board, cast, opening, report, file)
    if cast is not None and receipt.get("channel", cast.channel) != cast.channel:
        report.fault("receipt_channel", index=index)
    _check_place(board, index, receipt, report)
    _check_own_entry(board, cast, receipt, report)
    if cast is not None and any(b.tag == cast.tag and b.rev > cast.rev for b in board.ballots):
        report.say("之后又投过一次，以最后一张为准", "cast again later: the last one counts")
    report.say(f"回执的票在第 {index} 号记录", f"the ballot of the receipt is leaf {index}")


def _check_terms(board: Board, index: int, promise: Mapping[str, Any], report: Report) -> None:
    """Was it promised while the vote was open, within ten minutes, and kept: does no head that was signed later than
    that leave the leaf out? Several servers' clocks differ by less than that time.
    """
    within, said = promise["within_s"], promise["promised_at"]
    if not _fits(within, int) or not 0 < within <= WITHIN_S or not _is_instant(said):
        report.fault("promise_terms")
        return
    at, slack = datetime.fromisoformat(said), timedelta(seconds=WITHIN_S)
    if board.opening and board.until is not None:
        opens_at = datetime.fromisoformat(board.opening["opens_at"])
        if not opens_at - slack <= at <= board.until + slack:
            report.fault("promise_terms")
    due = at + timedelta(seconds=within)
    if any(size <= index and signed_at > due for size, signed_at in board.signed):
        report.fault("promise_late", index=index)


def _check_own_opening(
    board: Board, cast: Cast | None, opening: Mapping[str, Any], report: Report, file: str
) -> None:
    # On the wire the ids may be shortened to what the receipt's reader needs; what is committed to has all of them.
    try:
        said = opening_of(
            decision_id=board.decision,
            head_id=opening["head"] if "head" in opening else opening["head_id"],
            rev=opening["rev"],
            choices=opening["choices"],
            area_centi=opening["area_centi"],
        )
        commitment = commitment_of(bytes.fromhex(opening["salt"]), said)
    except (KeyError, TypeError, AttributeError, ValueError) as e:
        raise Unreadable(_form(file, f"opening ({type(e).__name__})")) from e
    if cast is None or cast.commitment != commitment or cast.rev != opening["rev"]:
        report.fault("receipt_opening")


def _check_place(board: Board, index: int, receipt: Mapping[str, Any], report: Report) -> None:
    """Where the receipt says it is, and the proof that it came with."""
    if receipt.get("leaf_index") not in {None, index}:
        report.fault("receipt_place")
    proof = receipt.get("proof")
    if not isinstance(proof, dict):
        return
    head: Any = proof.get("head")
    path: Any = proof.get("path")
    if (
        _strict(head, _HEAD) is not None
        or not isinstance(path, list)
        or not all(_DIGEST(step) for step in path)
    ):
        report.fault("receipt_place")
        return
    if not board.keys.signed(head["key_id"], head["signature"], board.text(head)):
        report.fault("head_signature", size=head["size"])
    elif head["size"] > len(board.hashes):
        report.fault("head_beyond", size=head["size"], found=len(board.hashes))
    elif board.root(head["size"]).hex() != head["root"]:
        report.fault("split_view")
    elif not is_included(
        board.hashes[index],
        index,
        head["size"],
        [bytes.fromhex(s) for s in path],
        bytes.fromhex(head["root"]),
    ):
        report.fault("receipt_place")


def _check_own_entry(board: Board, cast: Cast | None, receipt: Mapping[str, Any], report: Report) -> None:
    """The own entry of the roll with its proof, where the receipt has one."""
    held = receipt.get("roll_entry")
    if not isinstance(held, dict) or not board.opening:
        return
    try:
        said = held["entry"]
        entry = roll_entry(number=said["number"], tag=said["tag"], area_centi=said["area_centi"])
        fits = is_included(
            leaf_hash(canonical(entry)),
            said["number"] - 1,
            board.opening["heads"],
            [bytes.fromhex(step) for step in held["path"]],
            bytes.fromhex(board.opening["roll_root"]),
        )
    except (KeyError, TypeError, ValueError):
        fits = False
    if not fits or (cast is not None and cast.tag != said["tag"]):
        report.fault("receipt_roll")


def check_anchor(board: Board, anchor: Any, report: Report, *, file: str = "anchor.json") -> None:
    """Does the log still begin with what was printed? Raises Unreadable when it is no anchor."""
    head: dict[str, Any] | None = (
        {name: anchor.get(name) for name in _HEAD} if isinstance(anchor, dict) else None
    )
    if head is None or _strict(head, _HEAD) is not None or not isinstance(anchor.get("public_key"), str):
        raise Unreadable(_form(file, "anchor"))
    if anchor.get("decision") != board.decision:
        report.fault("other_decision", what="公示锚点 / the anchor")
        return
    own = Keys([anchor], report)  # the printed key, whatever the board says now
    if not own.signed(head["key_id"], head["signature"], board.text(head)):
        report.fault("anchor_signature")
        return
    if not board.keys.knows(head["key_id"]):
        report.fault("unknown_key", what="公示锚点 / the anchor", key=head["key_id"])
    if head["size"] > len(board.hashes):
        report.fault("anchor_behind", size=head["size"], found=len(board.hashes))
    elif board.root(head["size"]).hex() != head["root"]:
        report.fault("anchor_root")
    else:
        report.say(
            f"记录从 {head['signed_at']} 公示的 {head['size']} 条延续而来",
            f"the log has grown from the {head['size']} leaves anchored at {head['signed_at']}",
        )


# --- checking: the recount --------------------------------------------------------------------------------


class Voter(NamedTuple):
    """A head of the roll."""

    number: int
    area_centi: int
    head: str


def check_openings(board: Board, openings: Any, report: Report, *, file: str = "openings.json") -> None:
    """Open every ballot against the log and the roll, count again, and compare with what was published.

    Raises Unreadable when it is no such file.
    """
    for name, kind in (
        ("decision", str),
        ("tag_key", str),
        ("roll", list),
        ("openings", list),
        ("told", list),
    ):
        if not isinstance(openings, dict) or not isinstance(openings.get(name), kind):
            raise Unreadable(_form(file, name))
    if openings["decision"] != board.decision:
        report.fault("other_decision", what="开票文件 / the openings")
        return
    if not _DIGEST(openings["tag_key"]):
        raise Unreadable(_form(file, "tag_key"))
    if not board.opening:
        return  # there is nothing to hold them against, and that is a fault already
    roll = _check_roll(board, openings, report)
    votes = _check_ballots(board, roll, openings["openings"], report)
    tags = {voter.head: tag for tag, voter in roll.items()}
    told = {name for name in openings["told"] if isinstance(name, str)}
    if len(told) != len(openings["told"]) or board.told != told_digest(tags.get(name, "") for name in told):
        report.fault("told")
    if not report.faults:
        report.say(
            f"名册 {len(roll)} 户与开票时相同，{len(votes)} 户的票逐张打开",
            f"the roll of {len(roll)} heads is the one of the opening, and the ballots of {len(votes)} are opened",
        )
    compare(board, recount(board.opening, list(roll.values()), votes, told), report)


def _check_roll(board: Board, openings: Mapping[str, Any], report: Report) -> dict[str, Voter]:
    """The roll by tag."""
    tag_key = bytes.fromhex(openings["tag_key"])
    roll: dict[str, Voter] = {}
    hashes: list[bytes] = []
    for number, entry in enumerate(openings["roll"], 1):
        if not isinstance(entry, dict) or entry.get("number") != number:
            report.fault("roll_form", number=number)
            continue
        area: Any = entry.get("area_centi")
        head: Any = entry.get("head")
        if not _fits(area, int) or not isinstance(head, str):
            report.fault("roll_form", number=number)
            continue
        tag = tag_of(tag_key, head)
        if tag in roll:
            report.fault("roll_form", number=number)
        roll[tag] = Voter(number, area, head)
        hashes.append(leaf_hash(canonical(roll_entry(number=number, tag=tag, area_centi=area))))
    if root_of(hashes).hex() != board.opening["roll_root"]:
        report.fault("roll_root")
    area_centi = sum(voter.area_centi for voter in roll.values())
    if (len(roll), area_centi) != (board.opening["heads"], board.opening["area_centi"]):
        report.fault("roll_totals")
    return roll


def _check_ballots(
    board: Board, roll: Mapping[str, Voter], openings: Sequence[Any], report: Report
) -> dict[str, dict[str, Any]]:
    """What each head said last, by head."""
    tags = {voter.head: tag for tag, voter in roll.items()}
    opened: dict[tuple[str, int], dict[str, Any]] = {}
    for n, opening in enumerate(openings, 1):
        key = (
            (tags.get(str(opening.get("head")), ""), opening.get("rev", 0))
            if isinstance(opening, dict)
            else ("", 0)
        )
        if key in opened:
            report.fault("opened_twice", n=n)
        opened[key] = opening
    votes: dict[str, tuple[int, dict[str, Any]]] = {}
    for cast in board.ballots:
        voter, opening = roll.get(cast.tag), opened.pop((cast.tag, cast.rev), None)
        if voter is None:
            report.fault("stranger", index=cast.place)
        elif opening is None:
            report.fault("not_opened", index=cast.place)
        elif not _is_what_was_cast(board, cast, voter, opening):
            report.fault("opening_wrong", index=cast.place)
        elif opening["area_centi"] != voter.area_centi:
            report.fault("opening_area", index=cast.place)
        elif not _possible(board.opening["motions"], opening["choices"]):
            report.fault("choices", index=cast.place)
        elif cast.rev > votes.get(voter.head, (0, {}))[0]:
            votes[voter.head] = cast.rev, opening["choices"]
    if opened:
        left = {id(opening) for opening in opened.values()}
        for n in [n for n, opening in enumerate(openings, 1) if id(opening) in left]:
            report.fault("opening_without_leaf", n=n)
    return {head: choices for head, (_, choices) in votes.items()}


def _is_what_was_cast(board: Board, cast: Cast, voter: Voter, opening: Mapping[str, Any]) -> bool:
    try:
        said = opening_of(
            decision_id=board.decision,
            head_id=voter.head,
            rev=cast.rev,
            choices=opening["choices"],
            area_centi=opening["area_centi"],
        )
        return (commitment_of(bytes.fromhex(opening["salt"]), said), opening["channel"]) == (
            cast.commitment,
            cast.channel,
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        return False


def _possible(motions: Sequence[Mapping[str, Any]], choices: Mapping[str, Any]) -> bool:
    """Every motion answered with a word that there is, or with candidates, each once and not more than seats."""
    if choices.keys() != {motion["id"] for motion in motions}:
        return False
    for motion in motions:
        choice = choices[motion["id"]]
        if isinstance(choice, list):
            if motion["seats"] is None or len(choice) > motion["seats"]:
                return False
            if not all(isinstance(c, str) for c in choice) or len(set(choice)) != len(choice):
                return False
            if not set(choice) <= set(motion["candidates"]):
                return False
        elif not _fits(choice, _INVALID if motion["seats"] is not None else _WORDS):
            return False
    return True


_WORDS = frozenset({"for", "against", "abstain", "invalid"})
_INVALID = frozenset({"invalid"})
_OPINIONS = ("for", "against", "abstain")
_MAJOR = frozenset({6, 7, 8})  # 民法典 278(2): three quarters of those who take part
Weight = tuple[int, int]  # area in 0.01 m², heads


def _add(one: Weight, other: Weight) -> Weight:
    return one[0] + other[0], one[1] + other[1]


def _is_share(part: int, whole: int, numerator: int, denominator: int, strict: bool) -> bool:
    """Does `part` reach (strict: exceed) this share of `whole`? Never of nothing."""
    left, right = denominator * part, numerator * whole
    return whole > 0 and (left > right if strict else left >= right)


def _reaches(part: Weight, whole: Weight, numerator: int, denominator: int, strict: bool) -> bool:
    """The same, by area and by heads."""
    return all(_is_share(p, w, numerator, denominator, strict) for p, w in zip(part, whole, strict=True))


def recount(
    opening: Mapping[str, Any],
    roll: Sequence[Voter],
    votes: Mapping[str, Mapping[str, Any]],
    told: Iterable[str],
) -> list[dict[str, Any]]:
    """The arithmetic of every motion (民法典 278) by the rules that leaf 0 fixed, in whole numbers: two thirds of the
    area and of the heads take part; more than half of these, for matters 6 to 8 three quarters, are for it.

    `told`: heads with proof that the ballot reached them, for rules that count what never came back.
    """
    area_of = {voter.head: (voter.area_centi, 1) for voter in roll}
    whole: Weight = (sum(a for a, _ in area_of.values()), len(area_of))
    silent: Weight = (0, 0)
    for head in set(told) - votes.keys():
        silent = _add(silent, area_of.get(head, (0, 0)))
    alike: dict[
        str, tuple[Mapping[str, Any], Weight]
    ] = {}  # a hundred thousand ballots are a few hundred choices
    for head, choices in votes.items():
        name = repr(sorted(choices.items()))
        alike[name] = choices, _add(alike[name][1] if name in alike else (0, 0), area_of[head])
    found: list[dict[str, Any]] = []
    for motion in opening["motions"]:
        answers: dict[str, Weight] = {}
        for_each: dict[str, Weight] = dict.fromkeys(motion["candidates"], (0, 0))
        for choices, weight in alike.values():
            choice = choices[motion["id"]]
            word = choice if isinstance(choice, str) else "chose" if choice else "abstain"
            answers[word] = _add(answers.get(word, (0, 0)), weight)
            for candidate in () if isinstance(choice, str) else choice:
                for_each[candidate] = _add(for_each[candidate], weight)
        found.append(_count_motion(motion, answers, for_each, opening, whole, silent))
    return found


def _count_motion(
    motion: Mapping[str, Any],
    answers: Mapping[str, Weight],
    for_each: Mapping[str, Weight],
    opening: Mapping[str, Any],
    whole: Weight,
    silent: Weight,
) -> dict[str, Any]:
    """What has to be published of a motion, under the names of the published result."""
    rules, is_poll, matter = opening["rules"], opening["legal_mode"] == "poll", motion["matter"]
    part: Weight = (0, 0)
    for word, weight in answers.items():
        if word != "invalid" or rules.get("invalid_takes_part"):
            part = _add(part, weight)
    counted_as = rules.get("unreturned", "not_counted")
    if counted_as != "not_counted":
        part = _add(part, silent)
        follows = counted_as == "joins_majority" and motion["seats"] is None
        counted_as = (_majority(answers) if follows else None) or "takes_part"
    in_favour = _add(answers.get("for", (0, 0)), silent if counted_as == "for" else (0, 0))
    quorum = _reaches(part, whole, *_QUORUM)
    found: dict[str, Any] = {
        "motion_id": motion["id"],
        "number": motion["number"],
        "matter": matter,
        "law": _law(matter) if matter is not None and not is_poll else None,
        "participating": _json(part),
        "answers": {word: _json(weight) for word, weight in answers.items()},
        "unreturned": _json(silent) | {"counted_as": counted_as},
        "in_favour": _json(in_favour) if motion["seats"] is None else None,
        "quorum": None if is_poll else _shares(part, whole, _QUORUM),
        "approval": None,
        "election": None,
    }
    outcome = "no_quorum"
    if motion["seats"] is not None:
        found["election"] = _elect(motion, for_each, part, is_open=quorum and not is_poll)
        if quorum:
            stake, left = found["election"]["seats_at_stake"], found["election"]["left_open"]
            outcome = "tied" if stake else "second_round" if left else "elected"
        found["election"]["second_round"] = not is_poll and outcome == "second_round"
    else:
        threshold = _MOST if matter in _MAJOR else _HALF
        if not is_poll:
            found["approval"] = _shares(in_favour, part, threshold)
        if quorum:
            outcome = "passed" if _reaches(in_favour, part, *threshold) else "failed"
    if is_poll:
        outcome = "no_legal_effect"
    found["outcome"], found["outcome_text"] = outcome, _OUTCOMES[outcome]
    found["passed"] = None if is_poll else outcome in {"passed", "elected"}
    found["why"] = list(_why(found, whole, counts_invalid=bool(rules.get("invalid_takes_part"))))
    return found


_POLL = "本次为意见征询，不是业主大会表决，结果没有法律效力。"
_NEEDS = {"1/2": "过半数", "2/3": "三分之二以上", "3/4": "四分之三以上"}
_COUNTED_AS = {
    "not_counted": "不计入参与人数",
    "takes_part": "按议事规则计入参与人数，视为弃权",
    "for": "按议事规则随多数意见，计入同意",
    "against": "按议事规则随多数意见，计入反对",
    "abstain": "按议事规则随多数意见，计入弃权",
}


def _why(found: Mapping[str, Any], whole: Weight, *, counts_invalid: bool) -> Iterable[str]:
    """The sentences that a result gives for how it came out."""
    part, silent = found["participating"], found["unreturned"]
    yield f"业主总人数 {whole[1]} 人，专有部分总面积 {_square_metres(whole[0])} 平方米。"
    yield (
        f"参与表决 {part['heads']} 人（{_read(_percent(part['heads'], whole[1]))}），"
        f"面积 {_square_metres(part['area_centi'])} 平方米（{_read(_percent(part['area_centi'], whole[0]))}）。"
    )
    if invalid := found["answers"].get("invalid", {"heads": 0})["heads"]:
        yield f"无效票 {invalid} 张，{'按议事规则计入参与人数' if counts_invalid else '不计入参与人数'}。"
    if silent["heads"]:
        yield f"已送达但没有交回 {silent['heads']} 张，{_COUNTED_AS[silent['counted_as']]}。"
    if found["quorum"] is None:
        yield _POLL
        return
    yield _compared("参与表决", "总", found["quorum"])
    if found["outcome"] == "no_quorum":
        yield "参与的业主不够，本事项没有通过。"
    elif found["election"] is not None:
        yield from _why_seats(found["election"])
    else:
        missed = [
            name for name, of in (("人数", "heads"), ("面积", "area")) if not found["approval"][of]["reached"]
        ]
        yield _compared("同意", "参与", found["approval"])
        yield "两项都达到，通过。" if not missed else f"{'和'.join(missed)}没有达到，未通过。"


def _compared(what: str, of: str, shares: Mapping[str, Mapping[str, Any]]) -> str:
    heads, area = shares["heads"], shares["area"]
    met = {True: "达到", False: "没有达到"}
    return (
        f"{what}的人数占{of}人数 {_read(heads['percent'])}，面积占{of}面积 {_read(area['percent'])}；"
        f"法律要求人数和面积都{_NEEDS[area['needs']]}：人数{met[heads['reached']]}，面积{met[area['reached']]}。"
    )


def _why_seats(election: Mapping[str, Any]) -> Iterable[str]:
    places = [row["place"] for row in election["candidates"]]
    yield f"应选 {election['seats']} 人；得票的人数和面积都过半数才能当选，按人数、再按面积排序。"
    yield f"当选 {places.count('elected')} 人，候补 {places.count('alternate')} 人。"
    if tied := places.count("tied"):
        yield (
            f"有 {tied} 人得票完全相同，争 {election['seats_at_stake']} 个名额："
            "系统不作决定，由业主再次投票或公开抽签确定。"
        )
    if "alternate_tied" in places:
        yield "候补名额有人得票完全相同，由业主再次投票或公开抽签确定。"
    if election["left_open"]:
        yield f"还缺 {election['left_open']} 人，需要第二轮选举。"


def _square_metres(area_centi: int) -> str:
    return f"{area_centi // 100}.{area_centi % 100:02d}"


def _read(percentage: str | None) -> str:
    return f"{percentage}%" if percentage is not None else "—"


_QUORUM, _HALF, _MOST = (2, 3, False), (1, 2, True), (3, 4, False)  # 民法典 278(2); True: more than
_OUTCOMES = {
    "passed": "通过",
    "failed": "未通过",
    "no_quorum": "未通过（参与不足）",
    "elected": "选举成功",
    "second_round": "当选人数不足，需要第二轮选举",
    "tied": "票数相同，需要另行确定",
    "no_legal_effect": "意见征询结果（无法律效力）",
}
_PLACES = {
    "elected": "当选",
    "tied": "票数相同，待定",
    "alternate": "候补",
    "alternate_tied": "候补票数相同，待定",
    "passed_over": "达到票数，名额已满",
    "not_enough": "未当选",
}
_MATTERS = (
    "制定和修改业主大会议事规则",
    "制定和修改管理规约",
    "选举业主委员会或者更换业主委员会成员",
    "选聘和解聘物业服务企业或者其他管理人",
    "使用建筑物及其附属设施的维修资金",
    "筹集建筑物及其附属设施的维修资金",
    "改建、重建建筑物及其附属设施",
    "改变共有部分的用途或者利用共有部分从事经营活动",
    "有关共有和共同管理权利的其他重大事项",
)


def _law(matter: int) -> dict[str, str]:
    """Where the law names this matter, and its threshold."""
    place = "一二三四五六七八九"[matter - 1]
    return {
        "item": f"《民法典》第二百七十八条第一款第（{place}）项：{_MATTERS[matter - 1]}",
        "threshold": "《民法典》第二百七十八条第二款",
    }


def _json(weight: Weight) -> dict[str, int]:
    return {"area_centi": weight[0], "heads": weight[1]}


def _percent(part: int, whole: int) -> str | None:
    """Hundredths of a percent, cut off; None of nothing."""
    return f"{part * 100 // whole}.{part * 10_000 // whole % 100:02d}" if whole > 0 else None


def _shares(part: Weight, whole: Weight, threshold: tuple[int, int, bool]) -> dict[str, Any]:
    """A share by area and by heads with what the law asks of it."""
    numerator, denominator, strict = threshold
    return {
        name: {
            "part": p,
            "whole": w,
            "percent": _percent(p, w),
            "needs": f"{numerator}/{denominator}",
            "more_than": strict,
            "reached": _is_share(p, w, *threshold),
        }
        for name, p, w in zip(("area", "heads"), part, whole, strict=True)
    }


def _majority(answers: Mapping[str, Weight]) -> str | None:
    """The opinion with more area and more heads than each other one, if there is one."""
    for opinion in _OPINIONS:
        own = answers.get(opinion, (0, 0))
        others = [answers.get(other, (0, 0)) for other in _OPINIONS if other != opinion]
        if all(own[0] > other[0] and own[1] > other[1] for other in others):
            return opinion
    return None


def _elect(
    motion: Mapping[str, Any], votes: Mapping[str, Weight], part: Weight, *, is_open: bool
) -> dict[str, Any]:
    """Who passed more than half by area and by heads has the seats in the order of heads, then area; the next are
    alternates, at most half as many as seats. Who is equal at the last place ties. `is_open`: enough take part.
    """
    seats = motion["seats"]
    order = sorted(votes, key=lambda c: (-votes[c][1], -votes[c][0]))
    passing = [c for c in order if is_open and _reaches(votes[c], part, *_HALF)]
    elected, tied = _cut(passing, seats, votes)
    places = dict.fromkeys(elected, "elected") | dict.fromkeys(tied, "tied")
    if not tied:
        alternates = min(motion["alternates"] or 0, seats // 2)
        next_ones, equal = _cut(passing[len(elected) :], alternates, votes)
        places |= dict.fromkeys(next_ones, "alternate") | dict.fromkeys(equal, "alternate_tied")
    at_stake = seats - len(elected) if tied else 0
    rows: list[dict[str, Any]] = []
    for candidate in order:
        (area, heads), own = votes[candidate], votes[candidate][::-1]
        place = places.get(candidate, "passed_over" if candidate in passing else "not_enough")
        rows.append(
            {
                "candidate_id": candidate,
                "rank": 1 + sum(votes[other][::-1] > own for other in order),
                "area_centi": area,
                "heads": heads,
                "percent_area": _percent(area, part[0]),
                "percent_heads": _percent(heads, part[1]),
                "enough_area": _is_share(area, part[0], *_HALF),
                "enough_heads": _is_share(heads, part[1], *_HALF),
                "place": place,
                "place_text": _PLACES[place],
            }
        )
    return {
        "seats": seats,
        "left_open": seats - len(elected) - at_stake,
        "seats_at_stake": at_stake,
        "candidates": rows,
    }


def _cut(order: list[str], places: int, votes: Mapping[str, Weight]) -> tuple[list[str], list[str]]:
    """Who surely has one of so many places, and who is equal at the last of them."""
    if len(order) <= places or places <= 0:
        return (order if places > 0 else []), []
    last = votes[order[places - 1]]
    if last != votes[order[places]]:
        return order[:places], []
    return [c for c in order[:places] if votes[c] != last], [c for c in order if votes[c] == last]


def compare(board: Board, counted: Sequence[Mapping[str, Any]], report: Report) -> None:
    """Hold the published result against leaf 0 and the recount, motion by motion."""
    if board.is_cancelled:
        report.say("表决已取消，没有结果", "the decision was cancelled and has no result")
        return
    if not isinstance(board.result, dict) or not isinstance(board.result.get("motions"), list):
        report.fault("result_missing")
        return
    mode, source = board.opening["legal_mode"], board.result.get("source")
    if source != ("official" if mode == "official" else "ballots"):
        report.fault("result_source", said=source, mode=mode)
    for what, said, found in _differences(_frame(board.opening), board.result):
        report.fault("result_differs", number="-", what=what, said=said, found=found)
    if mode == "official":
        report.say(
            "公布的是主管部门系统的结果，不由这些票得出",
            "the result is the authority's, not of these ballots",
        )
        return
    published = [m for m in board.result["motions"] if isinstance(m, dict)]
    by_id = {m.get("motion_id"): m for m in published}
    for ours in counted:
        theirs = by_id.pop(ours["motion_id"], {})
        before = len(report.faults)
        for what, said, found in _differences(ours, theirs):
            report.fault("result_differs", number=ours["number"], what=what, said=said, found=found)
        if len(report.faults) == before:
            report.say(
                f"议题 {ours['number']} 重新计票与公布一致（{theirs['outcome']}）",
                f"motion {ours['number']}: the recount gives what was published ({theirs['outcome']})",
            )
    for left in by_id:
        report.fault("result_differs", number="?", what="motion", said=left, found="-")
    if len(board.result["motions"]) != len(counted):
        said, found = len(board.result["motions"]), len(counted)
        report.fault("result_differs", number="-", what="motions", said=said, found=found)


def _frame(opening: Mapping[str, Any]) -> dict[str, Any]:
    """What has to be published of the decision as a whole."""
    rules, mode = opening["rules"], opening["legal_mode"]
    kind = "poll" if mode == "poll" else opening["kind"]
    frame: dict[str, Any] = {
        "kind": kind,
        "legal_effect": kind != "poll",
        "legal_mode": mode,
        "scope": "estate" if opening["buildings"] is None else "buildings",
        "rules": {
            "invalid_takes_part": rules.get("invalid_takes_part", False),
            "unreturned": rules.get("unreturned", "not_counted"),
        },
    }
    if mode != "official":  # the authority counts by a roll of its own
        frame["totals"] = {"area_centi": opening["area_centi"], "heads": opening["heads"]}
    return frame


def _differences(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], before: str = ""
) -> Iterable[tuple[str, Any, Any]]:
    """(name, published, recounted) of everything that has to be published and is otherwise, in the same order always.

    An answer that nobody gave may be published as nothing.
    """
    for name, found in ours.items():
        said = theirs.get(name)
        if name == "answers" and isinstance(said, dict):
            nothing = _json((0, 0))
            for word in sorted(said.keys() | found.keys()):
                if said.get(word, nothing) != found.get(word, nothing):
                    yield word, said.get(word), found.get(word, nothing)
        elif isinstance(found, dict) and isinstance(said, dict):
            yield from _differences(found, said, f"{before}{name}.")
        elif name == "candidates" and isinstance(said, list) and len(said) == len(found):
            for own, other in zip(found, said, strict=True):
                is_row = isinstance(other, dict)
                yield from _differences(own, other if is_row else {}, f"{own['candidate_id']}.")
        elif type(said) is not type(found) or said != found:
            yield f"{before}{name}", said, found


# --- the command line -------------------------------------------------------------------------------------


def check(
    board: Path, *, receipt: Path | None = None, openings: Path | None = None, anchor: Path | None = None
) -> Report:
    """Check these files. Raises Unreadable when one isn't what it should be."""
    report = Report()
    read = check_board(_load(board), report, file=board.name)
    if not read.is_closed:
        report.fault("not_closed")
    if anchor is not None:
        check_anchor(read, _load(anchor), report, file=anchor.name)
    if receipt is not None:
        check_receipt(read, _load(receipt), report, file=receipt.name)
    if openings is not None:
        check_openings(read, _load(openings), report, file=openings.name)
    return report


def _load(path: Path) -> Any:
    try:
        return read_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        zh, en = _SENTENCES["unreadable"]
        why = e if isinstance(e, Malformed) else type(e).__name__
        raise Unreadable(f"{zh} / {en}".format(file=path.name, why=why)) from e


SHOWN = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Check what the command line names; 0 when everything holds, 1 with a sentence for each fault."""
    reader = argparse.ArgumentParser(
        prog="verify", description="核对一次表决的公开记录 / Check the public log of a decision."
    )
    reader.add_argument("board", type=Path, help="the sealed file (/public/v1/decisions/…/file)")
    reader.add_argument("--receipt", type=Path, help="own receipt: is my ballot in it?")
    reader.add_argument("--openings", type=Path, help="the opened ballots: count again")
    reader.add_argument("--anchor", type=Path, help="a printed anchor: has the log only grown since?")
    asked = reader.parse_args(arguments)
    out = sys.stdout
    try:
        report = check(asked.board, receipt=asked.receipt, openings=asked.openings, anchor=asked.anchor)
    except Unreadable as e:
        out.write(f"✗ {e}\n")
        return 1
    for line in [*report.held, *map(str, report.faults[:SHOWN])]:
        out.write(f"{line}\n")
    if len(report.faults) > SHOWN:
        more = len(report.faults) - SHOWN
        out.write(f"✗ 还有 {more} 处 / and {more} more\n")
    out.write("有错误 / FAULTS FOUND\n" if report.faults else "全部相符 / everything holds\n")
    return 1 if report.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
