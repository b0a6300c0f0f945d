"""What the books refuse, in words for the clerk, the reviewer or the resident who asked."""

from __future__ import annotations

from app.errors import Conflict, Forbidden, Invalid


class NoSettings(Conflict):
    """Nobody has said yet how this estate's revenue is kept."""

    code = "revenue_settings_missing"
    zh = "请先设置本小区的公共收益规则（提取比例、公布周期等）。"
    en = "First set the estate's rules: split to the fund, rhythm, posting days."


class SettingsTooEarly(Invalid):
    """The day lies in a period that is in review or published."""

    code = "revenue_settings_too_early"
    zh = "生效日期须晚于最近一个已送审或已公布周期的最后一天。"
    en = "The rules must begin after the last period that is in review or published."


class SettingsInsidePeriod(Invalid):
    """A period has one split, one rhythm: they change with the first day of a period."""

    code = "revenue_settings_inside_period"
    zh = (
        "提取比例、取整方式、公布周期和公示天数只能从一个周期的第一天起改变：{day} 在 {first} 至 {last} 这一周期之内。"
        "请改为自 {first} 或 {next} 起。"
    )
    en = (
        "Split, rounding, rhythm and days of posting change with the first day of a period: {day} lies within"
        " {first} to {last}. Let them begin on {first} or {next}."
    )


class UnknownCategory(Invalid):
    """Not a category of this estate, ended, or of another kind."""

    code = "unknown_revenue_category"
    zh = "没有这个科目，或不属于本小区、已停用、类型不符。"
    en = "No such category: of another estate, ended, or of another kind."


class CategoryMissing(Invalid):
    """Income, cost and use say what they are for."""

    code = "revenue_category_missing"
    zh = "请选择科目。"
    en = "Choose a category."


class CategoryTaken(Conflict):
    """The estate has a category of this kind and name."""

    code = "revenue_category_taken"
    zh = "已有同名科目。"
    en = "There is a category of this name."


class CategoryFixed(Invalid):
    """Published lines are read by a category's name and kind."""

    code = "revenue_category_fixed"
    zh = "科目的名称和类型不能改，公布的账目要按它显示。请停用这个科目，另建一个新科目。"
    en = "A category keeps its name and kind, which published lines show: end it and add another."


class UnknownContract(Invalid):
    """Not a contract of this estate."""

    code = "unknown_revenue_contract"
    zh = "没有这份合同，或不属于本小区。"
    en = "No such contract in this estate."


class UnknownDecision(Invalid):
    """Not a decision of this estate's owners."""

    code = "unknown_decision"
    zh = "没有这项业主决定，或不属于本小区。"
    en = "No such decision in this estate."


class DecisionNotCertified(Invalid):
    """A decision allows something once its result is certified; a poll never does."""

    code = "decision_not_certified"
    zh = "这项业主决定还没有确认结果，或只是意见征集，不能作为依据。"
    en = "This decision has no certified result, or is only a poll; nothing can rest on it yet."


class BudgetTaken(Conflict):
    """The year has a budget."""

    code = "budget_taken"
    zh = "这一年已有预算，请先撤回。"
    en = "This year has a budget; withdraw it first."


class BudgetLineTwice(Invalid):
    """A category stands once in a budget."""

    code = "budget_line_twice"
    zh = "同一科目只能列一行预算。"
    en = "A category stands once in a budget."


class BudgetInUse(Conflict):
    """Something of its year is published."""

    code = "budget_in_use"
    zh = "这一年的账目已有公布，预算不能再撤回。"
    en = "Something of this year is published; the budget stays."


class BudgetTooLate(Conflict):
    """All of its year is published: that is no plan any more."""

    code = "budget_too_late"
    zh = "这一年的账目已全部公布，不能再补录预算。"
    en = "All of this year is published; a budget can't be entered afterwards."


class ContractChangeOpen(Conflict):
    """One change at a time."""

    code = "contract_change_open"
    zh = "这份合同有一项变更还在等另一人确认，请先处理。"
    en = "A change of this contract still waits for a second person."


class ContractChangeDecided(Conflict):
    """Somebody was faster."""

    code = "contract_change_decided"
    zh = "这项合同变更已有人处理，请刷新。"
    en = "This change is decided already."


class ContractSecondPerson(Forbidden):
    """Who asks for a change doesn't agree to it."""

    code = "contract_second_person"
    zh = "提出变更的人不能自己确认，请由另一人确认。"
    en = "Who asked for the change can't agree to it; another person has to."


class ContractSpan(Invalid):
    """It ends before it begins."""

    code = "contract_span"
    zh = "合同结束日期不能早于开始日期。"
    en = "The contract ends before it begins."


class DayInFuture(Invalid):
    """Money that has not moved is no line."""

    code = "day_in_future"
    zh = "日期不能晚于今天。"
    en = "The day must not be after today."


class PeriodClosed(Invalid):
    """The day lies in a period that is published."""

    code = "period_closed"
    zh = "这一天所在的周期已公布，不能再记账。请记在未公布的周期，更正请用“冲正”。"
    en = "The day lies in a published period; enter it in an open one, correct by a reversal."


class DayBeforeBooks(Invalid):
    """The day lies before the first one of the books."""

    code = "day_before_books"
    zh = "这一天早于账目启用的第一天。"
    en = "The day lies before the first day of the books."


class DayOutsidePeriod(Invalid):
    """A correction becomes public with the period it is prepared in."""

    code = "day_outside_period"
    zh = "冲正的日期须在本周期内。"
    en = "The day of a correction lies in the period it is prepared in."


class AdjustmentUnclear(Invalid):
    """An adjustment says which figure it changes and in which direction; other kinds don't."""

    code = "adjustment_unclear"
    zh = "调整须说明调整哪一项、增加还是减少；其他类型不填。"
    en = "An adjustment names the figure and the direction; other kinds don't."


class DraftFrozen(Conflict):
    """The line was handed in for review."""

    code = "revenue_draft_frozen"
    zh = "这笔账已送审，不能修改。请先由审核人退回。"
    en = "This line is in review; it has to be handed back first."


class ReversalFixed(Invalid):
    """A reversal mirrors its line; only day and note are its own."""

    code = "reversal_fixed"
    zh = "冲正的金额、科目等须与原账一致，只能改日期和说明。"
    en = "A reversal mirrors its line: only day and note can be changed."


class VoucherRefused(Invalid):
    """Not an uploaded paper of one's own."""

    code = "voucher_unknown"
    zh = "凭证不存在、已使用或已过期，请重新上传（用途选凭证）。"
    en = "No such voucher of yours: used, expired, or not uploaded as evidence."


class TooManyVouchers(Invalid):
    """With those that hang there already it would be more than a line or contract takes."""

    code = "too_many_vouchers"
    zh = "每笔账或每份合同最多 {most} 份凭证。"
    en = "A line or contract takes at most {most} papers."


class FirstDayWrong(Invalid):
    """The first period names its day and opening balance, later ones follow by themselves."""

    code = "period_first_day"
    zh = "首个周期须填写开始日期和期初余额；以后的周期自动衔接，不填。"
    en = "The first period names its first day and opening; later ones follow and name neither."


class PeriodOpen(Conflict):
    """The one before isn't published yet."""

    code = "period_open"
    zh = "还有未公布的周期，请先公布它。"
    en = "A period is not published yet; publish it first."


class PeriodNotOver(Conflict):
    """Its last day is still to come."""

    code = "period_not_over"
    zh = "周期还没有结束，不能送审。"
    en = "The period is not over yet."


class PeriodMove(Conflict):
    """Not possible in the period's state; `extra` names it."""

    code = "illegal_period_move"
    zh = "周期当前状态不允许这样操作，请刷新后再试。"
    en = "Not possible in the period's present state."


class AlreadyReviewed(Conflict):
    """Somebody was faster."""

    code = "already_reviewed"
    zh = "已有人完成审核，请刷新。"
    en = "Somebody has reviewed it already."


class AlreadyPublished(Conflict):
    """It is published; that happens once."""

    code = "already_published"
    zh = "这个周期已经公布。"
    en = "This period is published already."


class SecondPerson(Forbidden):
    """Who entered, changed or handed in the lines, or saw to their vouchers, doesn't review them."""

    code = "second_person"
    zh = "记账、改账、传凭证和送审的人不能审核自己经手的账，请由另一人审核。"
    en = "Who entered, changed or submitted the lines, or their vouchers, can't review them."


class DraftsLeftOver(Conflict):
    """Lines were entered after the period was handed in."""

    code = "drafts_left_over"
    zh = "还有 {count} 笔未送审的账，请退回后重新送审，或改到以后的周期。"
    en = "{count} lines were entered after it was handed in: hand it back, or move them."


class DraftsTooEarly(Conflict):
    """Lines were entered, before the books began, for days before their first one."""

    code = "drafts_too_early"
    zh = "有 {count} 笔账的日期早于账目启用的第一天，请先改日期或删除。"
    en = "{count} lines lie before the first day of the books: change their day, or drop them."


class VouchersNotReady(Conflict):
    """A voucher has no public file: nobody said what is to be covered, it is being drawn, or can't be drawn."""

    code = "vouchers_not_ready"
    zh = "还有 {count} 份凭证没有公开件：请先遮盖个人信息并生成公开件，再继续。"
    en = "{count} vouchers have no public file: cover what is personal and have it made first."


class ReversedAlready(Conflict):
    """A line is reversed once."""

    code = "reversed_already"
    zh = "这笔账已冲正。"
    en = "This line is reversed already."


class ReversalOfReversal(Invalid):
    """A reversal isn't reversed; the right line is entered anew."""

    code = "reversal_of_reversal"
    zh = "冲正不能再冲正，请重新记一笔。"
    en = "A reversal can't be reversed; enter the right line anew."


class NothingPublished(Conflict):
    """There is no published period."""

    code = "nothing_published"
    zh = "本小区还没有公布公共收益。"
    en = "Nothing has been published for this estate yet."


class AreasUnknown(Conflict):
    """No house of the estate has a registered area."""

    code = "areas_unknown"
    zh = "本小区房屋面积还没有登记，暂时不能计算份额。"
    en = "No area is registered in this estate; shares can't be computed."


class NotAMember(Forbidden):
    """Only who belongs to the estate objects."""

    code = "not_a_member"
    zh = "认证为本小区业主或住户后，才能提出异议。"
    en = "Only verified members of the estate can object."


class ObjectedAlready(Conflict):
    """She has an open objection to this line."""

    code = "objected_already"
    zh = "您对这笔账的异议正在处理。"
    en = "Your objection to this line is being handled."


class AnsweredAlready(Conflict):
    """An answer is public and stays."""

    code = "answered_already"
    zh = "这条异议已公开答复。"
    en = "This objection is answered already."


class RangeBackwards(Invalid):
    """From after to."""

    code = "range_backwards"
    zh = "开始日期不能晚于结束日期。"
    en = "The range ends before it begins."


class NothingToApply(Conflict):
    """No row of the file can be entered."""

    code = "nothing_to_apply"
    zh = "文件里没有可以记入的账目。"
    en = "No row of the file can be entered."
