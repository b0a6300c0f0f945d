"""What is refused of figures and assessments."""

from __future__ import annotations

from app.errors import Invalid


class PeriodReversed(Invalid):
    """The last day lies before the first."""

    code = "period_reversed"
    zh = "结束日期早于开始日期。"
    en = "The last day lies before the first."


class PeriodTooLong(Invalid):
    """More days than one answer holds."""

    code = "period_too_long"
    zh = "时间范围太长，最多 {most} 天。"
    en = "The period is too long: at most {most} days."


class PeriodNotOver(Invalid):
    """What is published must not change by itself any more."""

    code = "period_not_over"
    zh = "考核期还没有结束，结束后才能发布。"
    en = "The period is not over yet; it can be published afterwards."


class NoSuchGroup(Invalid):
    """A figure knows no such group of left-out tickets."""

    code = "bad_reason"
    zh = "这个指标没有这类不计入的工单。"
    en = "This figure leaves out nothing for that reason."
