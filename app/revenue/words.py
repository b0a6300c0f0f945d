"""What is wrong with a ledger's cell or a voucher's file, as sentences for a clerk."""

from __future__ import annotations

from app.places.words import WORDS as REGISTER_WORDS

WORDS: dict[str, tuple[str, str]] = {
    # cells of a ledger
    "day_missing": ("没有日期。", "The day is missing."),
    "category_missing": ("没有科目。", "The category is missing."),
    "category_unknown": (
        "本小区没有这个科目。请先添加，或在导入时选择“自动添加科目”。",
        "The estate has no such category; add it, or let the import add it.",
    ),
    "category_ended": ("这个科目已停用。", "This category is ended."),
    "bad_entry_kind": (
        "看不懂这个类型：请填收入、成本、支出或转入维修资金。",
        "Unknown kind: income, cost, use, or to the fund.",
    ),
    "kind_unclear": (
        "分不清是收入、成本还是支出，请在“类型”一列写明。",
        "Income, cost or use? Say it in the column for the kind.",
    ),
    "amount_missing": ("没有金额。", "The amount is missing."),
    "two_amounts": ("收入和支出都填了金额，一行只能填一个。", "Two amounts in one row; give one."),
    "amount_on_wrong_side": ("金额填在了相反的一栏。", "The amount stands in the other direction's column."),
    "bad_amount": (
        "金额不正确：请用半角数字，单位元，如 1234.50。",
        "Not an amount: plain digits in yuan, as 1234.50.",
    ),
    "amount_zero": ("金额不能为 0。", "The amount must not be 0."),
    "amount_negative": (
        "金额不能为负数；退款、冲减请在系统里用“调整”或“冲正”。",
        "No negative amounts; use an adjustment or a reversal.",
    ),
    "amount_precision": ("金额最多两位小数。", "At most two decimals."),
    "amount_too_large": ("金额过大，请核对单位是否为元。", "The amount is too large; is it in yuan?"),
    "day_before_books": (
        "这一天早于账目启用的第一天。",
        "The day lies before the first day of the books.",
    ),
    "period_closed": (
        "这一天所在的周期已公布，不能再记账。",
        "The day lies in a published period.",
    ),
    "contract_unknown": ("本小区没有这个编号的合同。", "The estate has no contract of this number."),
    "contract_twice": ("有几份合同是这个编号。", "Several contracts have this number."),
    "entered_already": (
        "账上已有同样的一笔（日期、科目、金额、对方、说明都相同）。",
        "The books have the same entry already.",
    ),
    "text_too_long": ("文字太长。", "The text is too long."),
    "no_rows": ("文件里没有账目。", "There are no entries in the file."),
    "headings_unknown": (
        "没有找到日期、科目、金额等表头，请指明每一列是什么，或使用模板。",
        "The headings were not recognised; say what each column is, or use the template.",
    ),
    "books_changed": (
        "预览之后账目有变化，请再看一遍预览后确认。",
        "The books changed after the preview; look at it again.",
    ),
    # vouchers
    "too_many_pages": ("页数太多，最多 20 页，请拆分后上传。", "At most 20 pages; split the file."),
}


def reason(code: str, *, english: bool = False) -> str:
    """The sentence for a word."""
    return (WORDS.get(code) or REGISTER_WORDS[code])[1 if english else 0]
