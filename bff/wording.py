"""The sentences of HTTP and of the schemas, for people."""

from __future__ import annotations

import re

_PHRASES: dict[int, tuple[str, str, str, str]] = {
    # status: title zh, title en, sentence zh, sentence en
    400: ("请求有误", "Bad request", "请求的格式不正确。", "The request can't be read."),
    401: ("未登录", "Not logged in", "请先登录。", "Please log in first."),
    403: ("没有权限", "Not allowed", "您没有权限做这项操作。", "You are not allowed to do this."),
    404: ("没有找到", "Not found", "没有找到，可能已删除或您无权查看。", "Not found, or not visible to you."),
    405: (
        "方法不允许",
        "Method not allowed",
        "这个地址不支持这种请求。",
        "This address doesn't take that method.",
    ),
    409: ("状态冲突", "Conflict", "当前状态不允许这样操作。", "Not possible in the present state."),
    412: (
        "内容已更新",
        "Stale version",
        "内容已被别人更新，请刷新后再试。",
        "It has changed; refresh and try again.",
    ),
    413: ("内容过大", "Too large", "上传的内容太大。", "What was sent is too large."),
    415: ("格式不支持", "Unsupported type", "不支持这种内容格式。", "This content type isn't supported."),
    422: (
        "填写有误",
        "Invalid",
        "填写的内容有误，请检查后再提交。",
        "Something in the request is not right.",
    ),
    428: ("缺少版本", "Version required", "请刷新后再修改（缺少 If-Match）。", "If-Match is required."),
    429: ("操作太频繁", "Too many requests", "操作太频繁，请稍后再试。", "Too many requests; please wait."),
    500: (
        "系统出错",
        "Internal error",
        "系统出了问题，我们已收到通知，请稍后再试。",
        "Something went wrong on our side.",
    ),
    503: (
        "服务繁忙",
        "Unavailable",
        "服务暂时繁忙，请稍后再试。",
        "The service is busy; please try again soon.",
    ),
}


def phrase(status: int, language: str, *, detail: bool = False) -> str:
    """The title of a status, or its sentence."""
    row = _PHRASES.get(status) or _PHRASES[500 if status >= 500 else 400]
    return row[(2 if detail else 0) + (1 if language == "en" else 0)]


# marshmallow's and webargs' own messages, which are English.
_FIELD_MESSAGES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"^Missing data for required field\.$", "必填。"),
        (r"^Field may not be null\.$", "不能为空。"),
        (r"^Unknown field\.$", "没有这一项。"),
        (r"^Invalid input type\.$", "内容类型不正确。"),
        (r"^Invalid JSON body\.$", "不是有效的 JSON。"),
        (r"^Not a valid string\.$", "应为文字。"),
        (r"^Not a valid integer\.$", "应为整数。"),
        (r"^Not a valid number\.$", "应为数字。"),
        (r"^Not a valid boolean\.$", "应为“是”或“否”。"),
        (r"^Not a valid list\.$", "应为列表。"),
        (r"^Not a valid mapping type\.$", "应为键值对。"),
        (r"^Not a valid (date|datetime|time)\.$", "日期或时间不正确。"),
        (r"^Special numeric values .* are not permitted\.$", "数字不正确。"),
        (r"^Number too large\.$", "数字太大。"),
        (r"^Shorter than minimum length (\d+)\.$", r"至少 \1 个字。"),
        (r"^Longer than maximum length (\d+)\.$", r"最多 \1 个字。"),
        (r"^Length must be between (\d+) and (\d+)\.$", r"长度应在 \1 到 \2 之间。"),
        (r"^Length must be (\d+)\.$", r"长度应为 \1。"),
        (r"^Must be one of: (.*)\.$", r"只能是：\1。"),
        (r"^Must be greater than or equal to (.*?)( and less than or equal to (.*))?\.$", "超出范围。"),
        (r"^Must be less than or equal to .*\.$", "超出范围。"),
        (r"^Must be equal to .*\.$", "取值不正确。"),
        (r"^String does not match expected pattern\.$", "格式不正确。"),
    )
)


def field_message(message: object, language: str) -> str:
    """One message about a field in the reader's language. Our own are written as `中文|English`."""
    text = str(message)
    chinese, bar, english = text.partition("|")
    if bar:
        return english if language == "en" else chinese
    if language == "en":
        return text
    for pattern, template in _FIELD_MESSAGES:
        if match := pattern.match(text):
            return match.expand(template)
    return "填写不正确。"
