"""English for what the pages of public revenue say."""

from __future__ import annotations

ENGLISH: dict[str, str] = {
    "依据业主的哪次表决": "Which vote of the owners allows it",
    "没有经过表决": "None",
    "不在系统里": "Not in the system",
    "只列出结果已认定的表决。公布后业主会看到。": (
        "Votes with a certified result. Owners see it once published."
    ),
    "依据的表决": "Allowed by",
    "日期": "Day",
    "类型": "Kind",
    "对方": "Counterparty",
    "说明": "Note",
    "合同": "Contract",
    "查看合同": "See the contract",
    "周期": "Period",
    "查看这一期": "See the period",
    "冲正": "Reversal",
    "看原来那一笔": "See the original line",
    "已冲正": "Reversed",
    "看冲正的那一笔": "See its reversal",
    "业主看到的凭证": "The voucher as owners see it",
    "凭证": "Voucher",
    "凭证正在处理，暂不显示": "The voucher is being prepared and not shown yet",
    "查看与遮盖": "View and cover",
    "查看原件": "View the original",
    "没有凭证。": "No voucher.",
    "更正": "Correct",
    "已公布的账不能改。这里会在正在记账的周期里记一笔相反的账，两笔都公开、互相指明；再把正确的账重新记一笔。": (
        "A published line can't be changed. This enters its opposite in the open period; both stay public and name "
        "each other. Then enter the right line anew."
    ),
    "为什么更正（会公开）": "Why (public)",
    "要更正，请先开始下一个周期：冲正记在没有送审的周期里。": (
        "To correct it, begin the next period first: a reversal is entered in a period that isn't handed in."
    ),
    "周期与公布": "Periods",
    "进度": "State of it",
    "可以离开这个页面，回来时还在。": "You may leave this page; it goes on.",
    "可以记入": "Can be entered",
    "笔": "lines",
    "有问题": "With problems",
    "行": "rows",
    "会新添科目：": "New categories: ",
    "没有用到的工作表：": "Sheets not used: ",
    "确认后记入草稿，送审前还可以改。确定记入吗？": (
        "They are entered as drafts and can be changed until the period is handed in. Enter them?"
    ),
    "有问题的行先不要，只记入没有问题的": "Leave rows with problems out and enter the others",
    "确认记入": "Enter them",
    "去看记入的账": "See what was entered",
    "重新选文件": "Choose another file",
    "下载有问题的行，改好再传": "Download the rows with problems to correct them",
    "各列是什么": "What the columns are",
    "还不知道哪一列是：": "No column yet for: ",
    "列": "Column",
    "不知道": "Not known",
    "按这样重新读取": "Read again like this",
    "有问题的地方": "Problems",
    "工作表": "Sheet",
    "哪里不对": "Problem",
    "只列出前 100 处，其余在下载的表格里。": "The first 100; the others are in the download.",
    "会记入的账（前 50 笔）": "What would be entered (first 50)",
    "科目": "Category",
    "金额（元）": "Amount (yuan)",
    "新": "new",
    "从表格导入": "Import a table",
    "如 11-05": "e.g. 11-05",
    "这一期没有账目": "No lines in this period",
    "公共收益": "Public revenue",
    "业主共有部分的收益应当公开（《民法典》第二百八十二条、第九百四十三条）。": (
        "Revenue of what owners share is to be made public (Civil Code 282, 943). "
    ),
    "周期结束后 30 天内没有公布的，列为超期。": (
        "A period that isn't published within 30 days after its end is late."
    ),
    "没有这样的小区": "No such estate",
    "应公布期限": "Publish by",
    "已公布到": "Published until",
    "结余（元）": "Balance (yuan)",
    "异议": "Objections",
    "值得看一看的地方": "Worth a look",
    "还没有设置规则": "No rules yet",
    "没有正在记账的周期": "No open period",
    "超期": "overdue",
    "从未公布": "Never published",
    "条待答复": "to answer",
    "处": "places",
    "期限": "Term",
    "至": "to",
    "价格": "Price",
    "应收": "Due",
    "已收": "Paid",
    "欠收": "Missing",
    "等另一个人确认的变更": "Changes that wait for a second person",
    "提出人": "Asked by",
    "提出变更的人不能自己确认。": "Who asked for a change can't agree to it.",
    "已记录": "Recorded",
    "扫描件": "Scan",
    "业主看不到：还没有公开件": "Not shown to owners: no public file",
    "业主看得到": "Shown to owners",
    "遮盖": "covered",
    "正在生成公开件": "The public file is being made",
    "没有扫描件。": "No scan.",
    "改过什么": "What was changed",
    "变更": "Change",
    "这份合同的账公布过或正在审核时，变更要等另一个人同意才生效，业主看得到改了什么。价格变了请另登记一份合同。": (
        "Once a line of it is published or in review, a change holds when a second person agrees, and owners see it. "
        "Another price is another contract."
    ),
    "已提交": "Sent",
    "合同编号": "Contract number",
    "结束日期": "Last day",
    "提交变更": "Send the change",
    "公开件（业主看到的）": "Public file (what owners see)",
    "还没有公开件": "No public file yet",
    "正在生成，通常几秒钟。可以离开这个页面。": "Being made, a few seconds. You may leave this page.",
    "没有生成：": "Not made: ",
    "已生成": "Made",
    "公开件": "Public file",
    "规则与科目": "Rules and categories",
    "设置规则": "Set rules",
    "添加科目": "Add a category",
    "由社区或街道按业主大会的决定设置。": "The community or the street sets them as the owners decided.",
    "提取比例": "Share to the fund",
    "分以下怎么算": "Fractions of a fen",
    "多久公布一次": "Published",
    "公示天数": "Days of posting",
    "几天内答复异议": "Days to answer a doubt",
    "钱存在谁那里": "Who keeps the money",
    "依据的决定": "Basis",
    "科目的名称不能改，公布过的账要按它显示。不用的停用，另建新的。": (
        "A category keeps its name: published lines are shown by it. End it and add another."
    ),
    "已停用": "ended",
    "已改": "Changed",
    "停用": "End",
    "启用": "Use again",
    "还没有": "None yet",
    "科目已添加": "Category added",
    "成本是取得收入必须花的钱，从收入里扣；支出是收益怎么用掉的。": (
        "A cost is what income takes to earn and is deducted from it; a use is what revenue was spent on."
    ),
    "科目名称": "Name",
    "从某一天起按新规则，已公布和送审的周期不变。": (
        "New rules from a day on; published periods and those in review keep theirs."
    ),
    "净收益转入维修资金的比例（%）": "Share of the net to the maintenance fund (%)",
    "账户名称": "Name of the account",
    "如：业主大会第几次会议决定": "e.g. a resolution of the owners' assembly",
    "图表": "Charts",
    "怎么分": "By",
    "从": "From",
    "这段时间还没有公布的账": "Nothing is published of this time",
    "公布后才有图表。": "There are charts once something is published.",
    "只算已公布的账。": "published lines only.",
    "收入、成本、支出和转入维修资金": "Income, costs, uses and transfers to the fund",
    "收入": "Income",
    "成本": "Costs",
    "支出": "Uses",
    "转入维修资金": "To the maintenance fund",
    "期初": "Opening",
    "净收益": "Net",
    "期末": "Closing",
    "各科目占比": "by category",
    "占比": "Share",
    "各科目逐期对照（元）": "Categories side by side (yuan)",
    "合计": "Total",
    "业主对某一笔账有疑问会出现在这里。答复公开给全体业主看，提出人的姓名和原话不公开。": (
        "When an owner doubts a line it appears here. The answer is public; who asked, and in what words, is not."
    ),
    "没有异议": "No doubts",
    "已答复": "Answered",
    "超期未答复": "Answer is late",
    "待答复": "To answer",
    "最晚答复": "Answer by",
    "提出人已注销，原话不再保留": "The author closed the account; the words are gone",
    "已公开答复": "Answered in public",
    "答复马上公开，不能再改。确定吗？": "The answer is public at once and can't be changed. Send it?",
    "答复（全体业主可见）": "Answer (all owners read it)",
    "公开答复": "Answer in public",
    "由社区、街道或财务人员答复。": "The community, the street or the bookkeeper answers.",
    "预算": "Budgets",
    "登记预算": "Enter a budget",
    "还没有预算": "No budget yet",
    "业主大会通过的年度预算登记在这里，和公布的账自动对照。": (
        "The yearly budget the owners passed; it is compared with what is published."
    ),
    "年预算": "budget",
    "撤回后这一年的预算要重新登记。确定撤回吗？": (
        "The budget of the year has to be entered anew. Withdraw it?"
    ),
    "撤回预算": "Withdraw",
    "登记时已公布到": "when entered, published until",
    "预算（元）": "Planned (yuan)",
    "已公布（元）": "Published (yuan)",
    "还剩（元）": "Left (yuan)",
    "哪一年": "Year",
    "只填有预算的科目，空着的不登记。": "Fill in what is planned; empty ones are left out.",
    "一笔账": "A line",
    "一笔已公布的账": "A published line",
    "份": "files",
    "传凭证": "Add a voucher",
    "保存修改": "Save",
    "更多": "More",
    "调整": "Adjustment",
    "送审时自动记上": "Added when handed in",
    "已送审": "Handed in",
    "下载空表格": "Download an empty table",
    "选文件": "Choose a file",
    "指明各列": "Say what columns are",
    "核对": "Check",
    "记入": "Enter",
    "物业现在用的台账可以直接传，不用改格式：系统先读出来给您看，您确认之前什么都不会记入。": (
        "Upload the ledger as it is: it is read and shown first, and nothing is entered before you say so."
    ),
    "台账文件（.xlsx、.xls、.csv，20 MB 以内）": "Ledger (.xlsx, .xls, .csv, up to 20 MB)",
    "文件里有、系统里没有的科目，自动添加": "Add categories that the file names and the estate doesn't have",
    "上传并读取": "Upload and read",
    "以前的导入": "Earlier imports",
    "还没有导入过": "Nothing imported yet",
    "上传时间": "Uploaded at",
    "记入时间": "Entered",
    "现在要做什么": "What is to be done",
    "先设置规则：多久公布一次、净收益提取多少转入维修资金、钱存在谁那里。规则由社区或街道设置。": (
        "Rules come first: how often it is published, what share goes to the fund, who keeps the money. The community "
        "or the street sets them."
    ),
    "去设置规则": "Set the rules",
    "正在记账。账记全、凭证遮盖好，周期结束后送审。": (
        "Lines are being entered. When all are in and vouchers covered, hand the period in after its end."
    ),
    "账已送审，等另一个人审核。记账、送审的人不能审核自己经手的账。": (
        "Handed in; a second person reviews it. Who entered or handed in can't."
    ),
    "审核已通过，可以公布。公布后业主在小程序里看得到。": "Reviewed; publish it and owners see it.",
    "打开本期，准备送审": "Open the period to hand it in",
    "打开本期，去审核": "Open the period to review it",
    "打开本期，去公布": "Open the period to publish it",
    "去记账": "Enter lines",
    "没有正在记账的周期。由物业或财务人员开始下一期。": (
        "No open period. The property company or the bookkeeper begins the next one."
    ),
    "这是本小区的第一期：请填从哪一天开始记账，和那一天账户里有多少钱。以后各期自动接着上一期。": (
        "The first period: say from which day, and what was in the account then. Later ones follow by themselves."
    ),
    "从哪一天开始": "From which day",
    "期初余额（元）": "Opening balance (yuan)",
    "余额是谁核对的，凭什么": "Who checked the balance, and by what",
    "开始第一期": "Begin the first period",
    "上一期已公布。开始下一期后就可以记账，期初余额自动接上。": (
        "The last period is published. Begin the next one; it opens with the last balance."
    ),
    "开始下一期": "Begin the next period",
    "还没有任何周期": "No period yet",
    "各期": "Periods",
    "审核人": "Reviewed by",
    "公布时间": "Published",
    "金额单位：元。净收益＝收入－成本。期末＝期初＋净收益－支出－转入维修资金。": (
        "In yuan. Net = income − costs. Closing = opening + net − uses − transfers to the fund."
    ),
    "未公布的账": "Not published yet",
    "凭证与遮盖": "Voucher and boxes",
    "回到这一笔": "Back to the line",
    "这笔账已送审，遮盖不能再改。": "The line is handed in; its boxes stay.",
    "姓名、电话、证件号、银行账号、门牌号等个人信息要用黑框盖住，再生成公开件。": (
        "Cover names, phones, ID and account numbers and addresses, then make the public file. "
    ),
    "公开件是重新画的图片，黑框下的内容不会留在里面。": "It is drawn anew: nothing below a box stays in it.",
    "这份已经公开过：黑框只能加，不能去掉。": "It is public already: boxes are only added.",
    "原件": "Original",
    "上一页": "Previous page",
    "查看原件会记录下来。": "Looking at the original is recorded. ",
    "在图上按住鼠标拖出黑框；不用鼠标就在右边填数字。": (
        "Drag a box with the mouse, or fill in numbers at the right."
    ),
    "凭证原件，黑框处会被遮盖": "The original; boxes will be covered",
    "下载原件对照着看": "Download the original",
    "黑框": "Box",
    "数字是占整页的百分比：左边、上边、宽、高。": "In percent of the page: left, top, width, height.",
    "加一个黑框": "Add a box",
    "生成公开件": "Make the public file",
    "左": "Left",
    "上": "Top",
    "宽": "Width",
    "高": "Height",
    "去掉": "Remove",
    "业主看到的样子": "As owners see it",
    "回到本期": "Back to the period",
    "这一期已经公布，业主看到的就是下面这些。": "It is published; this is what owners see.",
    "还没有公布。如果按现在的账公布，业主在小程序里看到的就是下面这些，一字不差；遮盖过的凭证也在内。": (
        "Not published. If it were as it stands, owners would see exactly this, with the covered vouchers."
    ),
    "看看业主看到的样子": "See it as owners do",
    "送审，等另一人审核": "Handed in, to be reviewed",
    "审核通过，等公布": "Reviewed, to be published",
    "上次审核退回，意见：": "Handed back: ",
    "周期已经结束": "The period is over",
    "周期还没有结束，最后一天是": "The period isn't over; its last day is",
    "账目": "Lines",
    "还有凭证没有公开件：先遮盖个人信息，再生成公开件": (
        "Vouchers without a public file: cover what is personal and make it"
    ),
    "凭证都有公开件": "All vouchers have public files",
    "按规则提取净收益的": "By the rules",
    "转入维修资金，送审时自动记上：": "of the net goes to the fund, added when handed in: ",
    "已送审，等另一个人审核": "Handed in; a second person reviews it",
    "送审": "Hand in for review",
    "送审后账目不能再改，要改须由审核人退回。确定送审吗？": (
        "Its lines can't be changed any more unless the reviewer hands them back. Hand it in?"
    ),
    "由记账的物业或财务人员送审。": "Who enters the lines hands it in.",
    "送审人": "Handed in by",
    "请逐笔核对，再看一遍业主看到的样子。": "Check each line, and look at it as owners do.",
    "等社区、街道或财务人员审核。": "The community, the street or the bookkeeper reviews it.",
    "您记过、改过或送审过这一期的账，不能自己审核，请由另一个人审核。": (
        "You entered, changed or handed in lines of it: somebody else has to review it."
    ),
    "审核通过，可以公布了": "Reviewed; it can be published",
    "审核通过": "Pass",
    "您确认这一期的账目和凭证都核对过了吗？审核人的名字会留下记录。": (
        "Have you checked its lines and vouchers? Your name is recorded."
    ),
    "退回修改": "Send back",
    "公布后从第二天起公示": "Posted from the day after for",
    "天。": "days.",
    "已公布，业主现在就能看到": "Published; owners see it now",
    "公布": "Publish",
    "公布后业主马上看得到，谁也不能再改、不能撤回，有错只能冲正。确定公布吗？": (
        "Owners see it at once. Nobody can change or take it back; errors are only reversed. Publish it?"
    ),
    "等社区、街道或财务人员公布。": "The community, the street or the bookkeeper publishes it.",
    "已公布": "Published",
    "公示从": "posted from",
    "起，到": "until before",
    "前。": ". ",
    "有错的账打开那一笔，点“冲正”。": "Where a line is wrong, open it and reverse it.",
    "校验码（业主凭它核对账目没有被改过）：": "Hash (owners check by it that nothing was changed): ",
    "改开始日期和期初余额": "Change the first day and the balance",
    "已退回，记账人可以修改了": "Handed back; it can be changed",
    "要改什么": "What has to be changed",
    "退回": "Send back",
    "记账": "Ledger",
    "记一笔调整": "Enter an adjustment",
    "本小区还没有设置规则，账可以先记，送审前要设好。": (
        "No rules are set yet; lines can be entered, but not handed in."
    ),
    "正在记": "Open period:",
    "的账。": ".",
    "这一期已送审，账不能改；可以先记下一期的。": (
        "It is handed in and can't be changed; enter lines of the next one."
    ),
    "还没有科目。请先添加科目，例如停车、电梯广告、维修。": (
        "No categories yet. Add some first, such as parking, lift advertising, repairs."
    ),
    "去添加科目": "Add categories",
    "不用鼠标也能记：日期（可只填 11-05）、科目（按编号选）、金额、对方、说明。": (
        "By keyboard: day (11-05 will do), category (type its number), amount, counterparty, note. "
    ),
    "按 Tab 换格，按回车保存并接着记下一笔，上下键换行。": (
        "Tab goes on, Enter saves and begins the next line, arrows change the row."
    ),
    "办理": "What to do",
    "保存后可传": "once saved",
    "没有未公布的账": "Nothing is unpublished",
    "由物业或财务人员记账。": "The property company or the bookkeeper enters lines.",
    "退款、补差等不属于一笔新收支的，用调整。改已公布的账请用冲正。": (
        "For refunds and differences. A published line is corrected by a reversal."
    ),
    "调整哪一项": "Which figure",
    "增加还是减少": "More or less",
    "增加": "More",
    "减少": "Less",
    "这笔账已送审，不能修改。要改须由审核人退回。": (
        "It is handed in and can't be changed unless the reviewer hands it back."
    ),
    "公开件已生成": "Public file made",
    "没有遮盖": "nothing covered",
    "还没有凭证。": "No voucher yet.",
    "凭证已传，请接着遮盖个人信息": "Uploaded; now cover what is personal",
    "传凭证（照片或 PDF，最多 9 份）": "Add vouchers (photos or PDF, at most 9)",
    "上传": "Upload",
    "改这一笔": "Change",
    "已保存": "Saved",
    "按哪份合同收的": "Under which contract",
    "不是按合同": "None",
    "选了合同，系统才知道这份合同还欠多少。": "By this it is known what is missing of the contract.",
    "删除后这一笔和它的凭证都没有了，不能恢复。确定删除吗？": (
        "The line and its vouchers are gone for good. Delete it?"
    ),
    "删除这一笔": "Delete the line",
    "已公布的账": "Published lines",
    "导出 Excel": "Export to Excel",
    "导出 CSV": "Export CSV",
    "哪一项": "Figure",
    "说明、对方、合同编号": "Note, counterparty, contract",
    "没有符合条件的账": "No line fits",
    "公布过的账才在这里。": "Only published lines are here.",
    "笔数": "Lines",
    "登记合同": "Enter a contract",
    "应收、已收、欠收算到最近公布的一天：": "Due, paid and missing until the last published day: ",
    "还没有合同": "No contract yet",
    "电梯广告、场地租金这些按合同收的钱，登记合同后系统会提示欠收。": (
        "Enter contracts for advertising and rents: what is missing is shown then."
    ),
    "编号": "Number",
    "每次（元）": "Each (yuan)",
    "多久一次": "Paid",
    "收入记在哪个科目": "Category of its income",
    "开始日期": "First day",
    "每次收多少（元）": "Each instalment (yuan)",
    "多久收一次": "Paid",
    "合同扫描件": "Scan of the contract",
    "同意变更": "Agree",
    "这种图片不能直接在这里显示：请下载原件对照着填数字。": (
        "This picture can't be shown here: download it and fill in numbers."
    ),
    "请填数字，最多两位小数，例如 89.50。": "A number with at most two decimals, such as 89.50.",
    "页": "page",
    "已记入，请接着记下一笔": "Entered; go on with the next line",
    "PDF 不能直接在这里显示：请下载原件对照着填数字，或先生成一次再看。": (
        "A PDF can't be shown here: download it and fill in numbers, or make the public file once to see its pages."
    ),
    "请填数字，单位是元，最多两位小数，例如 1234.50。": (
        "An amount in yuan with at most two decimals, such as 1234.50."
    ),
    "还没有黑框": "No boxes yet",
    "第": "",
    "没有画任何黑框：整份内容会原样公开。确定没有个人信息吗？": (
        "No boxes: all of it will be public as it is. Is there nothing personal on it?"
    ),
    "下面是上次生成的版面；原件可以下载。": "Below is what was made last; the original can be downloaded.",
    "原件没有载入成功": "The original wasn't loaded",
    "全部小区": "All estates",
    "超期未公布": "Late",
    "等待审核或公布": "To be reviewed or published",
    "有异议待答复": "Doubts to answer",
    "记账中": "open",
    "已审核，等待公布": "to be published",
    "公示中": "Posted",
    "公示期满": "closed",
    "每月": "each month",
    "每季度": "each quarter",
    "每半年": "each half-year",
    "每年": "each year",
    "按月": "month",
    "按季度": "quarter",
    "按年": "year",
    "四舍六入五成双": "half to even",
    "四舍五入": "half up",
    "不足一分的舍去": "rounded down",
    "区维修资金中心": "maintenance fund centre of the district",
    "业委会专户": "account of the owners' committee",
    "受托物业专户": "account of the property company, entrusted",
    "类型（收入、成本、支出）": "Kind (income, cost, use)",
    "金额": "Amount",
    "收入金额": "Income amount",
    "支出金额": "Amount out",
    "这一列不用": "Not used",
    "正在读取": "Being read",
    "等您指明各列": "Say what the columns are",
    "等您核对": "Look it over",
    "正在记入": "Being entered",
    "已记入": "Entered",
}
