"""Are two reports one problem? A score between 0 and 1 from distance, class, time, words and phone, with its parts.

Pure functions. What makes two reports differ is mostly a number: the same sentence about building 3 and building 5
is two problems. So building, unit, floor, room and the numbers on lamps, lifts and gates are read out of the text
and compared as numbers; the rest is compared by pairs of characters, which needs no dictionary of words.

The weights were fitted to the tuning part of `data/pairs.jsonl` (groups whose number isn't divisible by 4); the
test shows precision and recall on all pairs and on the part that no weight has seen. Four were held where the
pairs would have put them lower: alike sentences, nearness in time and a common phone never speak against.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from app.places.coordinates import Point, distance_m

SUGGEST_AT = 0.6  # a pair that scores at least this much is suggested


class Kin(StrEnum):
    """How the classes of two reports stand to each other."""

    SAME = "same"
    SIBLING = "sibling"
    OTHER = "other"
    UNKNOWN = "unknown"  # one has none


class Side(NamedTuple):
    """What is compared of one report. `place` names its estate, or is None; the phone only as a keyed hash."""

    text: str
    category: str | None
    at: datetime
    point: Point | None = None
    accuracy_m: float | None = None
    place: str | None = None
    phone_hash: bytes | None = None


class Parts(NamedTuple):
    """Why the score is what it is; each part is a number that its weight multiplies."""

    distance_m: float | None
    hours: float
    kin: Kin
    text: float  # 0-1, alike by pairs of characters
    objects: float  # -1 … 1: other objects are named | the same ones
    trouble: float  # -1 … 1: something else is wrong | the same
    agree: tuple[str, ...]  # kinds of numbers that are equal
    differ: tuple[str, ...]
    same_phone: bool
    same_place: bool | None


class Scored(NamedTuple):
    """A score from 0 to 1 and its parts."""

    score: float
    parts: Parts

    def why(self) -> dict[str, Any]:
        """The parts as the contract names them: `distance_m`, `class`, `hours`, `text`, and the numbers compared."""
        parts = self.parts
        return {
            "distance_m": None if parts.distance_m is None else round(parts.distance_m),
            "class": parts.kin.value,
            "hours": round(parts.hours, 1),
            "text": round(parts.text, 2),
            "agree": list(parts.agree),
            "differ": list(parts.differ),
            "same_phone": parts.same_phone,
        }


# Classes that people confuse, whatever the official tree says: one calls a burst pipe water, the next a road.
_CONFUSED = tuple(
    frozenset(group)
    for group in (
        {"lighting", "facility", "property"},
        {"water", "road", "property", "fire"},
        {"water", "elevator"},
        {"water", "dispute"},
        {"facility", "road", "ownership"},
        {"facility", "fire", "lighting"},
        {"parking", "fire"},
        {"parking", "noise"},
        {"parking", "illegal_building"},
        {"waste", "fire", "property"},
        {"waste", "dispute"},
        {"dogs", "noise"},
        {"noise", "property", "dispute", "lighting"},
        {"greening", "illegal_building"},
        {"elevator", "lighting", "facility"},
        {"dispute", "property"},
    )
)


def kin_of(a: str | None, b: str | None, parents: Mapping[str, str | None] | None = None) -> Kin:
    """How two classes stand to each other; `parents` is the tree (class → its parent)."""
    if a is None or b is None or "other" in {a, b}:
        return Kin.SAME if a is not None and a == b else Kin.UNKNOWN
    if a == b:
        return Kin.SAME
    if parents:
        line_a, line_b = _line(a, parents), _line(b, parents)
        if a in line_b or b in line_a or (line_a and line_b and line_a[0] == line_b[0]):
            return Kin.SIBLING
    return Kin.SIBLING if any({a, b} <= group for group in _CONFUSED) else Kin.OTHER


def _line(code: str, parents: Mapping[str, str | None]) -> list[str]:
    found: list[str] = []
    above = parents.get(code)
    while above is not None and above not in found:
        found.append(above)
        above = parents.get(above)
    return found


# --- words -----------------------------------------------------------------------------------------------

# What a desk or a resident writes around the matter.
_FILLER = re.compile(
    r"(?:市民|居民|业主|来电人|来电|有人|群众)?(?:反映|称|投诉|举报|要求|请求|希望)[:：]?|AI识别[:：]|巡查(?:发现)?[:：]?|"
    r"尽快|及时|请(?:物业|社区)?(?:处理|维修|核实)?|存在(?:重大)?安全隐患|已[^，。]{2,8}$|管不管嘛|多次|能不能|管一下"
)
# What people call the same thing, dialect included. Left: what all of them become.
_SAYINGS: tuple[tuple[str, str], ...] = tuple(
    (word, canonical)
    for canonical, words in {
        "井盖": "污水井盖 下水道盖子 窨井盖 阴井盖 井盖子",
        "下水道": "阴沟 下水管 下水",
        "积水": "一凼水 凼凼水 水淹起来了 淹起来",
        "坑": "坑坑 凼凼 塌陷 沉陷",
        "破损": "烂了 破裂 损坏 断裂 开裂 裂口子 裂口 裂缝 裂了口子 断了 坏起 坏了 破了 爆裂 爆了 脱落 碎了 缺失",
        "不亮": "熄了 黑黢黢 黑摸摸 漆黑 都黑了 黑得很 熄灭 黢黑 没有灯 灯烧了 黑的 照明故障",
        "楼道": "过道 楼梯间 楼道头 过道头",
        "台阶": "梯坎 楼梯坎",
        "挡墙": "堡坎 挡土墙",
        "垃圾": "渣滓",
        "建筑垃圾": "建渣 装修垃圾",
        "满": "满溢 堆起山了 桶都满了 外溢 冒",
        "清运": "没得人来拖 拉走 来拖 没拉走",
        "臭": "滂臭 恶臭 臭味 气味难闻 味道重 有异味 臭得恼火 异味",
        "电瓶车": "电马儿 电动车 电动自行车",
        "广场舞": "坝坝舞 跳舞",
        "滑梯": "梭梭板",
        "小孩": "娃儿 儿童 孩子 小朋友",
        "老人": "婆婆 老年人",
        "楼下": "楼脚 底下 楼底",
        "消防栓": "消火栓",
        "电梯": "升降机",
        "困人": "关人 被困",
        "抖动": "抖得凶 下坠感",
        "异响": "咣当咣当响 响声",
        "扶手": "栏杆 护栏",
        "种菜": "毁绿种菜 开垦",
        "麻将": "棋牌室 麻将馆 打麻将 茶馆",
        "嗡嗡": "嗡嗡嗡",
        "烧烤店": "烧烤摊",
        "卷帘门": "卷闸门",
        "天然气": "煤气 液化气",
        "气罐": "煤气罐 气瓶 液化气瓶",
        "毛虫": "毛毛虫 虫害",
        "停水": "没得水 没水用 无水",
        "漏水": "漏雨 渗水 滴水 渗漏 飙水 在漏",
        "单元门": "楼宇门",
        "堆放": "堆起 堆的 摆在 放在 放置 存放",
        "飞线": "拉电线",
        "不牵绳": "没拴绳子 没栓绳 未牵绳",
        "狗叫": "狗天天早上叫 狗吠",
        "玻璃房": "阳光房",
        "发票": "收据",
        "公示": "公开 公布",
        "斑马线": "人行横道",
        "人行道": "人行横路",
        "修剪": "剪下 修枝",
        "遮挡": "遮光 挡到",
        "渗水": "渗漏",
        "坡道": "残疾人坡道 无障碍坡道",
        "充电位": "充电车位 充电桩车位",
        "车库": "地下车库 地库",
    }.items()
    for word in words.split()
)
_STANDARD = dict(_SAYINGS)


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Any of the words, the longest first, or a part of a word would be taken. Looks at the first letter first: most
    letters of a text begin none of them.
    """
    ordered = sorted(set(words), key=lambda word: -len(word))
    firsts = "".join(sorted({re.escape(word[0]) for word in ordered}))
    return re.compile(f"(?=[{firsts}])(?:{'|'.join(map(re.escape, ordered))})")


_SAYING = _any_of(_STANDARD)

# What the report is about (left) and what is wrong with it: two reports that name objects or troubles and none in
# common are hardly one problem, however alike their sentences are.
_OBJECTS = {
    "lamp": "楼道灯 路灯 灯杆 射灯 灯罩 灯管 灯光 灯 照明",
    "exit sign": "应急灯 安全出口",
    "manhole": "井盖",
    "drain": "下水道 雨水篦子 排水沟 截水沟 雨水管 化粪池 粪水 污水 排水口",
    "water pipe": "自来水管 供水管 水管 管子 管道 总阀",
    "pump": "水泵 水箱 配电房 风机",
    "hydrant": "消防栓",
    "extinguisher": "灭火器 防火门",
    "roof": "楼顶 屋面 顶楼 天花板 顶部漏水 顶上漏水 防水",
    "wall": "外墙",
    "solar": "太阳能 热水器",
    "lift": "电梯 货梯 客梯 轿厢",
    "advert": "广告",
    "barrier": "道闸",
    "entrance": "门禁 单元门 刷卡 刷脸 等保安开门",
    "shutter": "卷帘门",
    "locker": "快递柜 快递",
    "camera": "监控 摄像头",
    "slide": "滑梯",
    "swing": "秋千",
    "fitness": "漫步机 健身器材 走路那个机器",
    "hoop": "篮板",
    "waist disc": "扭腰盘",
    "railing": "扶手",
    "stairs": "台阶",
    "ramp": "坡道",
    "retaining wall": "挡墙",
    "crossing": "斑马线",
    "road": "路面 路塌 主干道 地砖 盲道 塑胶 木板",
    "fountain": "喷泉不喷 池子",
    "pole": "电杆 电线杆 线杆",
    "cable": "电线 线缆 网线 通信箱 线路 风筝",
    "tree": "树 枝",
    "lawn": "草坪 石楠 花园 绿地 绿化带",
    "rubbish": "垃圾房 垃圾站 投放点 垃圾点 垃圾桶 垃圾袋 垃圾",
    "rubble": "建筑垃圾",
    "food waste": "泔水",
    "furniture": "沙发 鞋柜 家具 柴",
    "paper": "纸壳 纸箱 纸板",
    "dog": "狗 犬",
    "cat": "流浪猫",
    "charger": "充电桩 充电位 充电的",
    "e-bike": "电瓶车",
    "shared bike": "单车",
    "ground lock": "地锁 私装地锁",
    "lorry": "货车",
    "parking place": "车位 停车位",
    "fire lane": "消防通道",
    "parking fee": "停车费 停车收费",
    "water fee": "水费",
    "property fee": "物业费",
    "public revenue": "公共收益 广告费 广告收入",
    "guard": "保安 岗亭",
    "glass house": "玻璃房",
    "awning": "雨棚",
    "gas": "天然气 气罐",
    "shelter": "候车亭 公交站",
    "stop sign": "站牌 小广告",
    "kiosk": "水果",
    "lavatory": "卫生间",
}
_TROUBLES = {
    "dark": "不亮 黑 没有灯 舍不得开灯 路灯破损",
    "leaking": "漏水 滴水 水哗哗 水流 流到 漏 淹到 进水 往下流",
    "flooded": "积水 水淹 走不过",
    "no water": "停水",
    "low pressure": "水压",
    "clogged": "堵塞 下水堵 下水道堵 返水 倒灌 冒脏水 排水沟堵塞",
    "sewage": "粪水",
    "full": "清运 满",
    "stink": "臭",
    "stopped": "停运 又坏了 没修好 爬了 停用",
    "trapped": "困人",
    "shaking": "抖动 异响",
    "keys": "按键 五方通话 失灵",
    "charred": "烧焦 冒烟 烧的糊 在冒烟 有烟 烧糊 黑烟",
    "broken": "破损 坑 松动 锈 翘 歪 倾斜 故障 掉下来 掉落 卡在 卡住 吊在 坏 绊 松了",
    "stuck card": "无反应 没反应 进不到 无法进出 门禁坏了 刷卡都不行",
    "blocked": "占用 占完 占满 公共车位当 堵起 挡住 违停 占道 乱停 停满 停了 被车 走不脱 被油车",
    "piled": "堆放 杂物 摆门口 摆在那里 一大堆 没拉走",
    "leash": "不牵绳",
    "barking": "狗叫",
    "biting": "咬 追人",
    "dirt of dogs": "狗屎",
    "building": "搭建 违建 在建 有人搭 搭棚",
    "breaking walls": "破墙 砸墙 墙砸了 承重",
    "vegetables": "种菜",
    "shade": "遮挡 采光 修剪 枝丫",
    "fallen": "吹倒 树倒 倒树 吹断",
    "withered": "枯 踩秃",
    "insects": "毛虫 蟑螂 马蜂窝 蚊虫 老鼠",
    "works": "装修 电钻 打电",
    "dancing": "广场舞",
    "spinning tops": "陀螺",
    "mahjong": "麻将",
    "piano": "钢琴 练琴",
    "jumping": "拍球 拍皮球 跑跳 跑来跑去",
    "barbecue": "烧烤",
    "karaoke": "ktv",
    "building site": "工地 打桩 施工 修房子",
    "humming": "嗡嗡",
    "engine": "怠速 不熄火",
    "light at night": "未关闭 半夜还亮 开灯 晃眼",
    "fight": "冲突 打人 动手 口角",
    "quarrel": "纠纷 调解 不认账",
    "not disclosed": "公示",
    "no invoice": "发票",
    "expired": "过期 超期",
    "stolen": "丢失 遭偷 偷车",
    "unswept": "打扫 没人扫 不打扫 灰尘 灰多厚",
    "things thrown": "抛物 甩饭盒 扔下",
    "dumped": "倾倒 倒建筑垃圾 偷倒",
    "wires for charging": "飞线 拉电线",
    "charging": "充不起电 扫码",
    "gas in the air": "泄漏 漏气 天然气味",
    "worn": "磨损 看不到 看不清",
    "not answering": "联系不上 没人应 不接 没看到了",
    "danger of fire": "火灾 起火 一点火",
    "shouting": "喧哗 叫卖 喇叭 闹",
}


class _Lexicon(NamedTuple):
    """Words and what they name; a longer word hides the shorter ones inside it."""

    pattern: re.Pattern[str]
    names: Mapping[str, str]

    def named_in(self, text: str) -> frozenset[str]:
        return frozenset(self.names[word] for word in self.pattern.findall(text))


def _lexicon(listed: Mapping[str, str]) -> _Lexicon:
    names = {word: name for name, words in listed.items() for word in words.split()}
    return _Lexicon(_any_of(names), names)


_OBJECT_WORDS, _TROUBLE_WORDS = _lexicon(_OBJECTS), _lexicon(_TROUBLES)


_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "十": 10}
_NUMERAL = re.compile(r"[零〇一二两三四五六七八九十]+(?=[栋幢座号楼层单#])")


def _number(word: str) -> str:
    """A Chinese numeral in digits; what is none, as 一一十, stays as it is written."""
    if "十" in word:
        tens, _, ones = word.partition("十")
        if len(tens) > 1 or len(ones) > 1 or "十" in ones:
            return word
        return str((_DIGITS[tens] if tens else 1) * 10 + (_DIGITS[ones] if ones else 0))
    return "".join(str(_DIGITS[c]) for c in word)


def normalised(text: str) -> str:
    """One spelling: half-width, lower case, Chinese numerals before 栋, 楼 … as digits, dialect in standard words."""
    text = unicodedata.normalize("NFKC", text).lower()
    text = _NUMERAL.sub(lambda m: _number(m.group()), text)
    text = re.sub(r"(?<![a-z])b([1-5])(?:层|楼)?(?=车库|[^0-9栋幢座]|$)", r"负\1楼", text)
    text = re.sub(r"地下([1-5一二三])层", r"负\1楼", text)
    text = re.sub(r"负([一二三四五])", lambda m: f"负{_number(m.group(1))}", text)
    text = re.sub(r"负(\d)(?:层|楼)?", r"负\1楼", text)
    return _SAYING.sub(lambda m: _STANDARD[m.group()], text)


# What a number stands for. A letter may do for the number of a building or a zone (A座, C区).
_PLACES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("building", re.compile(r"(?<![0-9a-z])([0-9]{1,3}|[a-z])(?:栋|幢|座|号楼|#)")),
    ("unit", re.compile(r"([0-9]{1,2})单元")),
    ("floor", re.compile(r"(?<![0-9号])(负?[0-9]{1,2})(?:楼|层)(?!顶)")),
    ("room", re.compile(r"(?<![0-9a-z])([1-9][0-9]{2,3})(?![0-9年元度盏分]|号楼|号灯)")),
    ("zone", re.compile(r"([a-z])区")),
    ("pole", re.compile(r"([0-9]{1,4})号(?:灯杆|路灯|灯|杆)|杆子上写的([0-9]{1,4})号")),
    ("site", re.compile(r"([0-9]{1,3})号(?:垃圾|投放|停车场|车库|地下车库|出口|桩|充电|车位|口)")),
    ("site", re.compile(r"(?:充电桩|车库|轻轨)([0-9]{1,3})号")),
    ("plate", re.compile(r"([京津沪渝川黔贵云湘鄂陕][a-z])·?([a-z0-9]{5,6})")),
    ("gate", re.compile(r"(东南|西南|东北|西北|东|南|西|北)大?门")),
    ("side", re.compile(r"(左|右)边")),
    ("size", re.compile(r"(货梯|客梯)|拉货(那)")),
)
_WHERE = re.compile(r"负?[0-9a-z]+(?:栋|幢|座|号楼|单元|楼|层|号|室|#)|[0-9]+|(?:东|南|西|北)大?门")
_HYPHENS = re.compile(r"(?<![0-9])([0-9]{1,2})-([0-9]{1,2})(?:-([1-9][0-9]{2,3}))?(?:单元)?(?![0-9])")
_BOTH = re.compile(r"([0-9]{1,2})(?:栋|号楼|、|和|与|到)+([0-9]{1,2})(?:栋|号楼)")


def places_in(text: str) -> dict[str, frozenset[str]]:
    """Numbers by what they stand for: building, unit, floor, room, pole, gate, plate …, from a normalised text."""
    found: dict[str, set[str]] = {}
    for match in _HYPHENS.finditer(text):
        building, unit, room = match.groups()
        found.setdefault("building", set()).add(building)
        found.setdefault("unit", set()).add(unit)
        if room:
            found.setdefault("room", set()).add(room)
    text = _HYPHENS.sub(" ", text)
    for match in _BOTH.finditer(text):
        found.setdefault("building", set()).update(match.groups())
    for kind, pattern in _PLACES:
        for match in pattern.finditer(text):
            value = "".join(group for group in match.groups() if group)
            found.setdefault(kind, set()).add("货梯" if value == "那" else value)
    # 501 lies on the fifth floor, whether or not somebody says so.
    if "room" in found and "floor" not in found:
        found["floor"] = {room[:-2] for room in found["room"]}
    return {kind: frozenset(values) for kind, values in found.items()}


def _grams(text: str) -> Counter[str]:
    # Numbers and what they stand for are compared as such; here they would only make sentences look alike.
    words = _FILLER.sub("", _WHERE.sub("", text))
    words = "".join(c for c in words if c.isalnum())
    return Counter(words[i : i + 2] for i in range(len(words) - 1))


def _likeness(a: Counter[str], b: Counter[str]) -> float:
    """0 to 1: how many pairs of characters two texts share, by the mean of the longer and the shorter."""
    size_a, size_b = sum(a.values()), sum(b.values())
    if not size_a or not size_b:
        return 0.0
    shared = sum(min(n, b[gram]) for gram, n in a.items() if gram in b)
    return shared * (1 / size_a + 1 / size_b) / 2


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    if not a or not b:
        return 0.0
    shared = len(a & b)
    return (shared / len(a) + shared / len(b)) / 2 if shared else -1.0


class Words(NamedTuple):
    """What there is to know of a text before it is compared with many others."""

    normalised: str
    grams: Counter[str]
    numbers: Mapping[str, frozenset[str]]
    objects: frozenset[str]
    troubles: frozenset[str]


def read(text: str) -> Words:
    """A text taken apart, once for all its comparisons."""
    plain = normalised(text)
    return Words(
        plain,
        _grams(plain),
        places_in(plain),
        _OBJECT_WORDS.named_in(plain),
        _TROUBLE_WORDS.named_in(plain),
    )


# --- the score -------------------------------------------------------------------------------------------

# How much a kind of number says; a room that differs outweighs a floor that agrees.
_SAYS = {
    "building": 1.0,
    "unit": 0.9,
    "floor": 0.7,
    "room": 1.0,
    "zone": 1.0,
    "pole": 1.0,
    "site": 1.0,
    "plate": 1.2,
    "gate": 1.0,
    "side": 0.6,
    "size": 0.8,
}


class Weights(NamedTuple):
    """What each part is multiplied with before the logistic function."""

    base: float
    near: float  # e^(-metres beyond what accuracy explains / 40)
    far: float  # 1 when more than 60 m apart beyond what accuracy explains
    blind: float  # 1 when one has no position
    same_class: float
    sibling_class: float
    other_class: float
    recent: float  # e^(-hours / 72)
    stale: float  # 0 up to 4 days apart, 1 from 8 days on
    text: float
    objects: float
    trouble: float
    agree: float
    differ: float
    phone: float
    elsewhere: float  # 1 when the estates are known and differ


WEIGHTS = Weights(-5.0, 1.6, -2.4, 0.8, 0.9, 0.9, -1.3, 0.5, -2.5, 0.6, 1.9, 2.1, 0.9, -4.7, 1.6, -3.0)


_NESTED = ("building", "unit", "floor", "room")  # each lies in the one before
_ABOVE = re.compile("楼上|楼下|天花板")


def _one_above_the_other(a: Mapping[str, frozenset[str]], b: Mapping[str, frozenset[str]]) -> bool:
    """Do they name rooms of one staircase with a floor between them, as who drips and who is dripped upon?"""
    rooms = [(int(x), int(y)) for x in a.get("room", ()) for y in b.get("room", ())]
    return any(abs(x - y) == 100 for x, y in rooms)


def compare(a: Side, b: Side, *, kin: Kin | None = None, words: tuple[Words, Words] | None = None) -> Parts:
    """The parts of a comparison. `kin` replaces what this module knows of classes by itself; `words` are the two
    texts, read before.
    """
    words_a, words_b = words or (read(a.text), read(b.text))
    numbers_a, numbers_b = words_a.numbers, words_b.numbers
    both = [kind for kind in _SAYS if kind in numbers_a and kind in numbers_b]
    if _one_above_the_other(numbers_a, numbers_b) and (
        _ABOVE.search(words_a.normalised) or _ABOVE.search(words_b.normalised)
    ):
        both = [kind for kind in both if kind not in {"floor", "room"}]
    agree = [kind for kind in both if numbers_a[kind] & numbers_b[kind]]
    differ = [kind for kind in both if kind not in agree]
    # The fifth floor of another building is no agreement.
    for depth, kind in enumerate(_NESTED):
        if kind in differ:
            agree = [found for found in agree if found not in _NESTED[depth:]]
            break
    away = None
    if a.point is not None and b.point is not None:
        # Half of what both positions admit to be unsure of is no distance.
        unsure = ((a.accuracy_m or 0.0) + (b.accuracy_m or 0.0)) / 2
        away = max(0.0, distance_m(a.point, b.point) - min(unsure, 100.0))
    return Parts(
        distance_m=away,
        hours=abs((a.at - b.at).total_seconds()) / 3600,
        kin=kin if kin is not None else kin_of(a.category, b.category),
        text=_likeness(words_a.grams, words_b.grams),
        objects=_overlap(words_a.objects, words_b.objects),
        trouble=_overlap(words_a.troubles, words_b.troubles),
        agree=tuple(agree),
        differ=tuple(differ),
        same_phone=a.phone_hash is not None and a.phone_hash == b.phone_hash,
        same_place=None if a.place is None or b.place is None else a.place == b.place,
    )


def vector(parts: Parts) -> tuple[float, ...]:
    """The parts as numbers, in the order of Weights."""
    return (
        1.0,
        0.0 if parts.distance_m is None else math.exp(-parts.distance_m / 40),
        1.0 if parts.distance_m is not None and parts.distance_m > 60 else 0.0,
        1.0 if parts.distance_m is None else 0.0,
        1.0 if parts.kin is Kin.SAME else 0.0,
        1.0 if parts.kin is Kin.SIBLING else 0.0,
        1.0 if parts.kin is Kin.OTHER else 0.0,
        math.exp(-parts.hours / 72),
        min(1.0, max(0.0, parts.hours / 96 - 1)),
        parts.text,
        parts.objects,
        parts.trouble,
        sum(_SAYS[kind] for kind in parts.agree),
        sum(_SAYS[kind] for kind in parts.differ),
        1.0 if parts.same_phone else 0.0,
        1.0 if parts.same_place is False else 0.0,
    )


def score(a: Side, b: Side, *, kin: Kin | None = None, words: tuple[Words, Words] | None = None) -> Scored:
    """How likely two reports are one problem, 0 to 1, with its parts. Symmetric."""
    parts = compare(a, b, kin=kin, words=words)
    total = sum(weight * part for weight, part in zip(WEIGHTS, vector(parts), strict=True))
    return Scored(1 / (1 + math.exp(-total)), parts)
