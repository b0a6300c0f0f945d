"""What the services about sources refuse."""

from __future__ import annotations

from app.errors import Conflict, Invalid, Unauthorized


class NotProven(Unauthorized):
    """A machine's headers are missing or malformed, or its signature is wrong: which of them isn't told."""

    code = "bad_signature"
    zh = "签名验证失败。"
    en = "The signature is missing or wrong."


class StaleRequest(Unauthorized):
    """The timestamp lies more than 300 s from our clock; `now` is what our clock says."""

    code = "stale_timestamp"
    zh = "请求时间与服务器相差超过 300 秒。"
    en = "The timestamp is more than 300 seconds from the server's clock."


class Replayed(Unauthorized):
    """The signature is right, and the nonce came before."""

    code = "replayed"
    zh = "该请求已提交过（nonce 重复）。"
    en = "This nonce was used before."


class NumberReused(Conflict):
    """The source sent another report under a number that it had used; `ticket_id` and `number` name the first."""

    code = "number_reused"
    zh = "该外部编号已用于另一件诉求，内容不一致。"
    en = "This external number was used for a different report."


class SourceTaken(Conflict):
    """There is a source of that name in paths."""

    code = "source_taken"
    zh = "这个来源代码已被使用。"
    en = "There is a source with this code already."


class AlreadyRotating(Conflict):
    """Two secrets are valid already."""

    code = "already_rotating"
    zh = "密钥正在轮换，请先完成上一次轮换。"
    en = "Two secrets are valid already; finish that rotation first."


class NotRotating(Conflict):
    """Only one secret is valid: there is no rotation to finish."""

    code = "not_rotating"
    zh = "当前没有进行中的密钥轮换。"
    en = "There is no rotation to finish."


class BadScope(Invalid):
    """The organisations named are no street office or community committee, or not in the asker's reach."""

    code = "bad_scope"
    zh = "请选择您管辖范围内的街道办或社区居委会。"
    en = "Choose a street office or a community committee in your reach."


class DeskNeeded(Invalid):
    """A source of a whole street needs a community whose desk takes what can't be located."""

    code = "desk_needed"
    zh = "街道级来源须指定一个社区，接收无法定位的诉求。"
    en = "A source of a whole street needs a community whose desk takes what can't be located."


class BadAddress(Invalid):
    """Statuses can't be sent to this URL."""

    code = "bad_callback_url"
    zh = "回调地址须为 http 或 https，且不含账号、片段，也不能是本地链路地址。"
    en = "A callback URL is http or https, without user or fragment, and no link-local address."


class BadSpan(Invalid):
    """It would end before it begins."""

    code = "bad_span"
    zh = "失效日期须晚于生效日期。"
    en = "The end must come after the beginning."
