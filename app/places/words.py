"""What is wrong with a value, as sentences for a clerk: in answers, in the list of an import and on its error sheet."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {
    # people
    "masked": ("内容带有星号等遮挡，请填写完整。", "Part of it is masked; write it in full."),
    "bad_name": ("姓名不正确：2 至 60 个字，不含数字和符号。", "Not a name: 2 to 60 letters, no digits."),
    "name_twice": ("同一格里有两个相同的姓名。", "One name stands here twice."),
    "owner_missing": (
        "有电话或证件号码，但没有业主姓名。",
        "There is a phone or ID number but no owner's name.",
    ),
    "bad_phone": ("电话号码不正确：应为 11 位手机号或带区号的座机号。", "Not a mainland phone number."),
    "too_many_phones": ("一位业主最多填两个电话。", "At most two phones for one owner."),
    "count_differs": (
        "个数与姓名的个数对不上，请按姓名的顺序逐个填写，用顿号分隔。",
        "There are not as many as names; give them in the order of the names.",
    ),
    "digits_lost": (
        "号码被表格软件变成了数字，末尾几位已丢失；请把这一列设为文本后重新填写。",
        "The spreadsheet turned it into a number and lost digits; format the column as text and write it anew.",
    ),
    "bad_check_digit": (
        "证件号码的校验码不对，请核对有没有抄错。",
        "The check digit is wrong; compare with the paper.",
    ),
    "bad_birth_date": ("身份证号中的出生日期不存在。", "The birth date in the ID number does not exist."),
    "bad_id_number": (
        "证件号码不正确：应为 18 位身份证号或统一社会信用代码。",
        "Not an ID number or credit code.",
    ),
    # houses
    "bad_kind": (
        "看不懂这个用途：请填住宅、商铺、车库、车位或储藏室。",
        "Unknown kind: home, shop, garage, parking, storage.",
    ),
    "bad_state": (
        "看不懂这个状态：请填已交付、未交付或未售。",
        "Unknown state: delivered, not delivered, unsold.",
    ),
    "bad_area": ("面积应为数字，单位平方米。", "The area must be a number of m²."),
    "negative_area": ("面积必须大于 0。", "The area must be above 0."),
    "area_precision": ("面积最多两位小数。", "An area has at most two decimals."),
    "absurd_area": (
        "面积不合常理，请核对单位和小数点。",
        "The area makes no sense; check unit and decimal point.",
    ),
    "merged_area": (
        "面积格合并了几套房屋，不知道每套各是多少，请拆开填写。",
        "One area is merged over several houses; give each its own.",
    ),
    "bad_date": (
        "日期不正确，或晚于今天。请写成 2020-03-01。",
        "Not a day, or after today. Write 2020-03-01.",
    ),
    "formula": (
        "这一格是公式，请复制后用“选择性粘贴—数值”换成数值。",
        "This cell is a formula; paste it as a value.",
    ),
    "number_missing": ("没有房号。", "The house number is missing."),
    "building_missing": ("没有楼栋。", "The building is missing."),
    "too_long": ("房号太长。", "The house number is too long."),
    "house_twice": (
        "与第 {other_row} 行是同一套房屋；共有人请写在同一行，用顿号分隔。",
        "Row {other_row} names the same house; write co-owners into one row.",
    ),
    # estates
    "estate_missing": ("没有小区名称。", "The estate is missing."),
    "estate_unknown": ("没有这个小区，请核对名称。", "There is no estate of this name."),
    "estate_twice": (
        "您管辖的范围内有几个小区叫这个名字，请分小区导入。",
        "Several estates of yours have this name.",
    ),
    "estate_out_of_scope": ("这个小区不在您的管辖范围内。", "This estate is not in your area."),
    "estate_differs": ("与导入时选择的小区不一致。", "This is not the estate chosen for the import."),
    # beside what is known
    "better_source": (
        "登记册中已有更可靠来源的不同内容，没有覆盖；确需更改请在房屋页面修改。",
        "The registry has another value from a better source; it was kept.",
    ),
    "since_too_early": (
        "取得日期早于以前业主的持有期间，业主没有更改；请核对取得日期。",
        "The day lies within the time of earlier owners; owners were left as they are. Check the day.",
    ),
    "other_name": (
        "这个证件号码已登记在另一个姓名下，业主没有更改。",
        "This ID number is registered under another name; owners were left as they are.",
    ),
    "differs_in_file": (
        "同一位业主在第 {other_row} 行填的内容不同，以那一行为准。",
        "Row {other_row} says otherwise of the same owner; that row counts.",
    ),
    # files
    "unreadable": (
        "文件打不开，可能已损坏。请用表格软件另存后再上传。",
        "The file can't be opened; save it anew.",
    ),
    "unknown_kind": ("只能导入 .xlsx、.xls 和 .csv 文件。", "Only .xlsx, .xls and .csv can be imported."),
    "password": ("文件有密码，请去掉密码后再上传。", "The file has a password; take it away first."),
    "bad_encoding": ("文字编码无法识别，请另存为 UTF-8 的 CSV。", "Unknown encoding; save the CSV as UTF-8."),
    "too_big": ("文件展开后太大，请拆分后分批导入。", "The file unpacks to too much; split it."),
    "too_wide": ("列数太多，最多 100 列。", "Too many columns; at most 100."),
    "too_many_rows": (
        "行数太多，一个文件最多 65000 行，请拆分。",
        "Too many rows; at most 65,000 in one file.",
    ),
    "too_slow": ("读取时间太长，请拆分后再上传。", "Reading took too long; split the file."),
    "no_rows": ("文件里没有房屋。", "There are no houses in the file."),
    "headings_unknown": (
        "没有找到房号等表头，请指明每一列是什么，或使用模板。",
        "The headings were not recognised; say what each column is, or use the template.",
    ),
    "registry_changed": (
        "预览之后登记册有变化，请再看一遍预览后确认。",
        "The registry changed after the preview; look at it again.",
    ),
    "gave_up": ("处理多次没有成功，请联系管理员。", "It failed several times; tell the administrator."),
}


def reason(code: str, *, other_row: int | None = None, english: bool = False) -> str:
    """The sentence for a word."""
    return WORDS[code][1 if english else 0].format(other_row=other_row)
