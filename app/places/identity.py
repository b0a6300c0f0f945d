"""Who an owner is: names, phones and ID numbers in one spelling, checked, sealed, hashed and masked."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app import crypto
from app.places.registry_models import OwnerKind

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999
_CHECK = "10X98765432"
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100-2015: without I, O, Z, S, V
_ORGANISATION = re.compile(
    "公司|有限|集团|银行|政府|委员会|中心|学校|医院|合作社|事务所|协会|研究院|管理局|办事处|开发商|置业|地产"
)
_MOBILE = re.compile(r"1[3-9]\d{9}")
_LANDLINE = re.compile(r"0\d{2,3}\d{7,8}|[2-8]\d{6,7}")
_OTHER_PAPER = re.compile(
    r"[A-Z]{1,2}\d{6,10}(?:\([0-9A-Z]\))?|[HM]\d{8,10}"
)  # passport, Hong Kong, Macao, Taiwan
_NAME = re.compile(r"[^\W\d_](?:[^\W_]|[ ·.,&()（）'\-])*")


class BadValue(ValueError):
    """What is wrong, as a stable word."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Party:
    """Somebody who owns: as the papers name her, each part in one spelling."""

    name: str
    phone: str | None = None
    phone2: str | None = None
    id_number: str | None = None

    @property
    def kind(self) -> OwnerKind:
        """A body or a person, by the ID number if there is one, else by the name."""
        if self.id_number is not None:
            return OwnerKind.ORGANISATION if _is_of_body(self.id_number) else OwnerKind.PERSON
        return OwnerKind.ORGANISATION if _ORGANISATION.search(self.name) else OwnerKind.PERSON


def name(text: str) -> str:
    """The name in one spelling: no spaces between Chinese characters, one kind of middle dot.

    Raises BadValue: masked, bad_name.
    """
    text = unicodedata.normalize("NFKC", text).strip()
    text = re.sub(r"[•‧・∙⋅.](?=[\u4e00-\u9fff])", "·", text)
    text = re.sub(r"(?<=[\u3400-\u9fff·])\s+(?=[\u3400-\u9fff·])", "", text)
    text = " ".join(text.split())
    if re.search(r"[*＊×?]|某$", text):
        raise BadValue("masked")
    if not 2 <= len(text) <= 60 or not _NAME.fullmatch(text):
        raise BadValue("bad_name")
    return text


def phone(text: str) -> str:
    """The digits of a mainland mobile or landline number. Raises BadValue: masked, digits_lost, bad_phone."""
    text = unicodedata.normalize("NFKC", text).strip()
    if re.search(r"[*×xX]", text):
        raise BadValue("masked")
    if re.fullmatch(r"\d(\.\d+)?[eE]\+?\d+", text):
        raise BadValue("digits_lost")
    text = re.sub(r"[\s\-—()（）.]|转\d*$", "", text.removesuffix(".0"))
    text = re.sub(r"^(?:\+86|0086|86(?=1[3-9]\d{9}$))", "", text)
    if _MOBILE.fullmatch(text) or _LANDLINE.fullmatch(text):
        return text
    raise BadValue("bad_phone")


def id_number(text: str) -> str:
    """The number of an ID card (GB 11643; 15 digits become 18), a unified social credit code (GB 32100), or another
    paper's number.

    Raises BadValue: masked, digits_lost, bad_check_digit, bad_birth_date, bad_id_number.
    """
    text = "".join(unicodedata.normalize("NFKC", text).split()).upper().lstrip("'")
    if re.search(r"[*×]|X{3}", text):
        raise BadValue("masked")
    if re.fullmatch(r"\d(\.\d+)?E\+?\d+", text) or re.fullmatch(r"\d+\.0", text):
        raise BadValue("digits_lost")
    if re.fullmatch(r"\d{15}", text):
        text = _with_check(text[:6] + "19" + text[6:])
    if _is_of_person(text) or _is_of_body(text):
        return text
    if re.fullmatch(r"\d{17}[0-9X]", text):
        if _check_digit(text[:17]) == text[17]:
            raise BadValue("bad_birth_date")
        raise BadValue("digits_lost" if text.endswith("000") else "bad_check_digit")
    if re.fullmatch(r"[0-9A-Z]{18}", text):
        raise BadValue("bad_check_digit")
    if _OTHER_PAPER.fullmatch(text):
        return text
    raise BadValue("bad_id_number")


def _with_check(first: str) -> str:
    return first + _check_digit(first)


def _check_digit(first: str) -> str:
    return _CHECK[sum(int(c) * w for c, w in zip(first, _WEIGHTS, strict=True)) % 11]


def _is_of_person(text: str) -> bool:
    """GB 11643: 18 characters with a check digit, and a day of birth that there is."""
    if not re.fullmatch(r"[0-9]{17}[0-9X]", text) or _check_digit(text[:17]) != text[17]:
        return False
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    return date(1880, 1, 1) <= born <= date(2100, 1, 1)


def _is_of_body(text: str) -> bool:
    """GB 32100: 18 characters, the last one checks the others (weights 3^i mod 31).

    Of people's numbers one in 31 passes this check as well, so a number that can be a person's is a person's: a body
    taken for a person is masked for nothing, a person taken for a body is shown with her full name.
    """
    if len(text) != 18 or any(c not in _CREDIT_ALPHABET for c in text) or _is_of_person(text):
        return False
    total = sum(_CREDIT_ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(text[:17]))
    return _CREDIT_ALPHABET[(31 - total % 31) % 31] == text[17]


# --- at rest ---------------------------------------------------------------------------------------------


def name_hash(value: str) -> bytes:
    """Finds owners by their exact name."""
    return crypto.keys().keyed_hash(value, "owner_name")


def phone_hash(value: str) -> bytes:
    """Finds owners by phone; the same hash as of a resident's phone, so that the two can be compared unread."""
    return crypto.keys().keyed_hash(value, "phone")


def id_hash(value: str) -> bytes:
    """Finds owners by ID number."""
    return crypto.keys().keyed_hash(value, "id_number")


def seal(value: str, field: str, owner_id: UUID) -> bytes:
    """The value encrypted for this field (`name`, `phone`, `phone2`, `id_number`) of this owner."""
    return crypto.keys().encrypt(value.encode(), f"owner_{field}:{owner_id}")


def unseal(sealed: bytes | None, field: str, owner_id: UUID) -> str | None:
    """What was sealed for this field of this owner."""
    if sealed is None:
        return None
    return crypto.keys().decrypt(sealed, f"owner_{field}:{owner_id}").decode()


# --- on screen -------------------------------------------------------------------------------------------


def masked_name(value: str, kind: str) -> str:
    """张*, 欧阳*: the surname is enough to recognise one's neighbour. The names of bodies are public."""
    if kind == OwnerKind.ORGANISATION:
        return value
    return surname(value) + "*" * max(1, min(3, len(value) - len(surname(value))))


def masked_phone(value: str) -> str:
    """138****1234."""
    return f"{value[:3]}****{value[-4:]}" if len(value) >= 8 else "****"


def masked_id(value: str) -> str:
    """510***********12: neither birthday nor sequence."""
    return f"{value[:3]}{'*' * (len(value) - 5)}{value[-2:]}" if len(value) > 8 else "****"


_DOUBLE = frozenset(
    {"欧阳", "司马", "上官", "诸葛", "司徒", "夏侯", "皇甫", "尉迟", "公孙", "慕容", "令狐", "长孙", "宇文"}
    | {"东方", "南宫", "端木", "轩辕", "呼延", "闻人"}
)


def surname(value: str) -> str:
    """The family name of a Chinese name, or the first letter of another."""
    return value[:2] if value[:2] in _DOUBLE and len(value) > 2 else value[:1]
