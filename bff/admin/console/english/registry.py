"""English for what the registry, its imports, memberships and notices say."""

from __future__ import annotations

ENGLISH: dict[str, str] = {
    ("Excel 或 CSV，最大 20 MB、65000 行。一套房屋一行，共有人写在同一格，用顿号分开。"): (
        "Excel or CSV, at most 20 MB and 65,000 rows. One row for a house; co-owners in one cell "
        "with 、 between."
    ),
    "《个人信息保护法》要求有明确目的。谁、什么时候、为什么看，审计员都能查到。一分钟后自动收起。": (
        "The law on personal information asks for a purpose. The auditor sees who looked, when and "
        "why. It goes away after a minute."
    ),
    "上一件已退回，申请人会收到通知。": "The one before is refused; the applicant is told.",
    "上一件已通过。": "The one before is approved.",
    "上传一份登记册": "Upload a register",
    "上传并读取": "Upload and read",
    "上传文件": "Upload",
    "上传时间": "Uploaded at",
    "上次处理": "Last decided",
    "上门或打电话": "Visit or call",
    "上门登记业主": "Enter an owner at the door",
    "上门登记，本人签字": "Signed at the door",
    "上门登记，还没有用小程序": "Entered at the door, not in WeChat yet",
    "下载写不了的行（改好再传）": "Rows that can't be written (mend and upload again)",
    "下载没有写入的行": "Rows that were not written",
    "下载空白模板": "Empty template",
    (
        "下面是同名、但系统不能确定是不是一个人的业主。合并后人数只算一人、面积合计（最高法院建筑物"
        "区分所有权解释第九条），合并错了可以撤销。不是同一个人的，不用管。"
    ): (
        "Owners of one name of whom the system isn't sure. Once joined they count as one head and "
        "their areas add up (Interpretation on divided ownership, art. 9); it can be undone. Leave "
        "those alone who aren't the same."
    ),
    "不会收到": "Doesn't reach",
    "不动产登记资料": "Registration office",
    "不动产登记资料（以后只有登记资料能再改）": "Registration office (later only it can correct this)",
    "不在楼栋里的": "In no building",
    "不导入这一列": "Leave this column out",
    "不通过": "Refuse the request",
    "不通过，看下一件": "Refuse and go on",
    "与更可靠来源不同的内容不会覆盖，登记册保留原来的。": (
        "What differs from a better source is not overwritten; the register keeps what it has."
    ),
    "业主": "Owner",
    "业主信息已更正": "The owner is corrected",
    "业主姓名": "Owner's name",
    "业主姓名或手机号": "Owner's name or phone",
    "业主已更换": "The owners are changed",
    "业主本人的手机号": "The owner's own phone",
    "业主登记进度": "Registration of owners",
    "业主确认": "An owner vouches",
    "两个人绑定到了同一位业主": "Two people are bound as one owner",
    "个人": "Person",
    "为什么撤回（居民看得到）": "Why it is withdrawn (residents read it)",
    "为什么更正（居民看得到）": "Why it is corrected (residents read it)",
    "为什么要审核": "Why it waits",
    "产权登记面积": "Registered area",
    "人读过": "have read it",
    "什么时候": "When",
    "今天已经提醒过": "Reminded earlier today",
    "从哪天起（不填就是今天）": "From which day (empty: today)",
    "从等得最久的开始审核": "Start with who waits longest",
    "从这天起": "Since",
    "从这天起注销": "No longer exists from",
    "代表本户投票": "votes for the house",
    "会收到": "Reaches",
    "位置图": "Outline",
    "住宅": "Home",
    "住户审核": "Review of residents",
    "例如：核对过户材料": "Such as: checking papers of a transfer",
    "保存更正": "Save the correction",
    "保存草稿，去核对": "Save the draft and check",
    "保留登记册原来的": "the register keeps its own",
    "修改通知": "Change the notice",
    "先上传，系统读完后请您核对；点“写入”之前，登记册里什么都不会改。": (
        "Upload first; when the system has read it, you look it over. Nothing changes before you "
        "click “Write”."
    ),
    "先跳过，看下一件": "Pass over, next one",
    "先选中文字，再点上面的按钮；右边就是居民看到的样子。最多 5000 字。": (
        "Choose words, then a button above; on the right is what residents see. At most 5,000 characters."
    ),
    "全部小区": "All estates",
    "公开事项": "Open affairs",
    "共有": "of",
    "共有人要签字推选一个人投票，请收好推选书。对这几位业主共有的其他房屋同样有效。": (
        "Co-owners sign for one of them; keep the paper. It holds for the other houses that they "
        "own together."
    ),
    "共有的房屋只有一票。共有人还没有推选谁投票，请他们签字推选后登记投票人。": (
        "A house in co-ownership has one vote. The co-owners have chosen nobody yet: let them sign, "
        "then enter the voter."
    ),
    "其中有人绑定微信的": "of them with somebody in WeChat",
    "其实是两个人": "In truth two people",
    "再看看": "Look again",
    "写一份通知": "Write a notice",
    "写入于": "written at",
    "写入后会改什么": "What will change",
    "写入登记册": "Write into the register",
    "写好了，等社区发布。": "Written; the community publishes it.",
    "写好的通知先存为草稿，核对后再发布给居民。": (
        "A notice is kept as a draft first and published to residents after a check."
    ),
    "分成两个人": "Part into two people",
    "分钟": "minutes",
    "列": "Column",
    "列表": "List",
    "删除草稿": "Delete the draft",
    "删除这份草稿？删除后不能恢复。": "Delete this draft? It can't be brought back.",
    "加粗": "Bold",
    "加粗的字": "strong words",
    "单位业主": "Organisation",
    "单元": "Unit of the building",
    "历任业主": "Owners over time",
    "原因（只给工作人员看）": "Reason (staff only)",
    "原来核对用的手机号换了人": "The phone it rests on changed hands",
    "原来登记错了：不是过户，原业主从来不是业主": "It was wrong: no transfer, the former one never owned it",
    "去掉哪些附件": "Files to take away",
    "去看房屋和业主": "See houses and owners",
    "发出更正": "Publish the correction",
    "发布以后，类型、范围和时间不能再改；正文可以更正，居民会看到更正原因和以前的版本。": (
        "Afterwards kind, area and time stay; the text can be corrected, and residents see the "
        "reason and earlier versions."
    ),
    "发布信息": "About it",
    "发布前请核对": "Before publishing",
    "发布时间": "Published at",
    "发布范围": "For",
    "发布通知": "Publish the notice",
    "发给哪里": "For which places",
    "发给谁": "For whom",
    "取得日期": "Owned since",
    "另一条记录": "Another row",
    "只发其中几栋": "Only some of its buildings",
    "只填要改的，空着的不变。手机号改了，用旧号码核对过的绑定会转入审核。": (
        "Only what changes; what is left empty stays. When a phone changes, bindings that rest on "
        "the old number are reviewed."
    ),
    "只有一两套时用这里；整栋、整个小区请用“导入登记册”。": (
        "For one or two; for a building or an estate use “Import registers”."
    ),
    "可以投票": "May vote",
    "可以投票的业主": "Owners who may vote",
    "可以报事、看通知，先不投票": "Reports and notices, no vote for now",
    "可以提醒": "Can be reminded",
    "可以离开这个页面，回来时在“导入登记册”里找到它。": (
        "You may leave this page; you find it again below “Import registers”."
    ),
    "可报事、看通知，不能投票": "Reports and notices, no vote",
    "可能是同一人的业主": "Perhaps the same person",
    "各个版本": "Versions",
    "合同面积": "Area of the contract",
    "合并已撤销": "The joining is undone",
    "合并过的记录": "Joined rows",
    "同一位业主有几套房屋，人数只算一人，面积合计（最高法院建筑物区分所有权解释第九条）。": (
        "An owner of several houses is one head, the areas add up (Interpretation on divided "
        "ownership, art. 9)."
    ),
    "同名的业主都已经分清了。": "Owners of one name are all told apart.",
    (
        "同名的两个人被当成了一个。勾选属于另一位的房屋，系统会为他新建一条记录，两人分别计票；有疑"
        "问的绑定会转入审核。"
    ): (
        "Two people of one name were taken for one. Choose the houses of the other: she gets a row "
        "of her own and they count apart; doubtful bindings are reviewed."
    ),
    "名下房屋": "Houses",
    "和第一条是同一个人": "Same person as the first",
    "哪一位业主": "Which owner",
    "哪些房屋是另一位的": "Which houses are the other's",
    "商铺": "Shop",
    "图片或 PDF 附件": "Pictures or PDF",
    "在左边点小区名称，再点楼栋、单元，就能看到房屋和业主。": (
        "Choose an estate on the left, then a building and a unit, to see houses and owners."
    ),
    (
        "填写过户以后的全部业主。办理后：原业主和由他确认的家人、租户不再代表这套房屋，投票资格随之"
        "改变；以前的业主留在历任记录里。已经公告的表决按公告时的名册计票。"
    ): (
        "Enter all owners after the transfer. Afterwards the former owners, and family and tenants "
        "they vouched for, no longer stand for this house and votes change with it; they stay in "
        "the history. Decisions already announced count by their roll."
    ),
    "处": "places",
    "处要看": "to look at",
    "备注（只给工作人员看）": "Note (staff only)",
    "备用电话": "Second phone",
    "套": "houses",
    "姓名和身份证后六位一致": "Name and last six of the ID agree",
    "姓名或单位名称": "Name or organisation",
    "姓名要写全名，手机号要写完整；只记得姓时，请同时填房号。在整个小区里查找。": (
        "Whole names and whole numbers; with a surname alone also give the room. Searches the whole estate."
    ),
    "学习通知": "To study",
    "学完的人": "People who finished",
    "定在": "set for",
    "定好时间了，到时自动发布": "Set; it goes out at its time",
    "定时发布": "To be published",
    "定时发布（不填就是点“发布”时）": "Publish at (empty: when you click “Publish”)",
    "实测面积": "Surveyed area",
    "审核": "Review",
    "家人": "Family",
    "家人和租户可以报事、看通知，不能投票。": "Family and tenants report and read notices; they don't vote.",
    "对应列": "Columns",
    "导入": "Import",
    "导入登记册": "Import registers",
    "导入的步骤": "Steps of the import",
    "小区名称": "Name of the estate",
    "小区和楼栋": "Estates and buildings",
    "小标题": "Heading",
    "小程序里提醒": "By the mini-program",
    "小程序里收得到": "reached in the mini-program",
    "居民看到的样子": "As residents see it",
    "工作人员拍的": "from staff",
    "工作人员看过材料": "Staff saw papers",
    "工作人员认识，没有材料": "Known to staff, no papers",
    "左边是表里的列名，右边是登记册里的项目。系统已经选好认得的，请核对；不需要的选“不导入这一列”。": (
        "On the left the headings of your sheet, on the right what the register knows. What the "
        "system recognised is chosen; check it, and choose “Leave this column out” for what isn't "
        "needed."
    ),
    "已交付业主": "Handed over",
    "已写入": "Written",
    "已发布": "Published",
    "已合并为一个人": "Joined into one person",
    "已告知的手机号": "Phones that were told",
    "已售未交付": "Sold, not handed over",
    "已撤回": "Withdrawn",
    "已登记，这位业主可以投票了": "Entered; this owner may vote",
    "已等": "Waits for",
    "已绑定": "Bound",
    "已绑定微信": "in WeChat",
    "已绑定，不能投票": "Bound, no vote",
    "已解除": "Ended",
    "已解除绑定": "The binding has ended",
    "平方米，最多两位小数。": "In m², at most two decimals.",
    "开发商的销售表，只补充没有的内容。": "The developer's sales list; only fills gaps.",
    "开发商销售表": "Sales list of the developer",
    "开始写入": "Writing has begun",
    "异议": "Objections",
    (
        "当面看过身份证件、请业主签字后才能登记。登记后，这位业主可以在纸上投票；用这个手机号进小程"
        "序的，也可以在手机上投票。"
    ): (
        "Only after seeing the ID card and with a signature. The owner may then vote on paper; and "
        "on the phone who uses the mini-program with this number."
    ),
    "待审核": "Waits for review",
    "微信验证于": "Verified by WeChat",
    "微信验证的手机号与登记一致": "Phone verified by WeChat is the registered one",
    "怎么处理": "What happens",
    "怎么联系": "How to reach",
    "您的范围内没有": "None in your area",
    "您负责的范围内还没有小区。": "There are no estates in your area yet.",
    "户没有人绑定微信，要另外张贴或上门": "households without WeChat: post it up or visit",
    "户，其中有人绑定微信的": "households; with somebody in WeChat:",
    "房屋与业主": "Houses and owners",
    "房屋信息已更正": "The house is corrected",
    "房屋已注销": "No longer exists",
    "房屋拆除或合并的，从哪天起注销": "Torn down or joined: no longer exists from",
    "房屋换了业主，家人或租户要重新确认": "The house has other owners: family or tenants to be confirmed",
    "房屋用途": "Use",
    "房屋面积": "Areas",
    "手机号": "Mobile phone",
    "手机号近期换过机主": "The phone had another holder until lately",
    "打开材料（会记录）": "Open (is recorded)",
    "把物业或社区的房屋台账传上来，核对以后再写入。没有核对之前，什么都不会改。": (
        "Upload the register of the property company or the community, look it over, then write it. "
        "Nothing changes before."
    ),
    "投票人已登记": "The voter is entered",
    "投票暂停到": "Vote held until",
    "投票暂停，等核实": "Vote held, under review",
    "按产权登记面积": "the registered one",
    "按合同面积": "that of the contract",
    "按实测面积": "the surveyed one",
    "按户算：一户有一个人读过，就算读过。没有绑定微信的户收不到，要上门告知。": (
        "By household: one reader is enough. Households without WeChat don't get it; tell them at the door."
    ),
    "按新的对应重新读取": "Being read again",
    "按楼栋": "By building",
    "按这个对应读取": "Read it like this",
    "换一份文件": "Another file",
    "排版": "Layout",
    "推选谁": "Whom they chose",
    "提醒不到，要上门": "Out of reach, to visit",
    "提醒没有绑定的业主": "Remind owners who aren't bound",
    "提醒过": "Reminded on",
    "提醒还不能投票、又用小程序的业主来绑定？每人每天最多提醒一次。": (
        "Remind owners who can't vote yet and use the mini-program? Each at most once a day."
    ),
    "撤回": "Withdraw",
    "撤回后居民看不到正文，只看到标题和撤回原因；读过的人会收到通知。撤回后不能恢复，要发请重新写一份。": (
        "Residents no longer see the text, only title and reason; who had read it is told. It can't "
        "be undone: write another one."
    ),
    "撤回时间": "Withdrawn at",
    "撤回通知": "Withdraw the notice",
    "撤销合并": "Undo the joining",
    "撤销合并后，两条记录按两个人计票。": "Undone, the two rows count as two people again.",
    "政策通知": "Policy",
    "整个小区": "The whole estate",
    "整栋": "The whole building",
    "文件第几行": "Row of the file",
    "新申请，系统没能自动核对上": "New, nothing proved it",
    "施工通知": "Works",
    "停水停电": "Water or power cut",
    "是哪个小区的": "Of which estate",
    "是登记册里的哪一位业主": "Which owner of the register",
    "更换业主": "Change the owners",
    "更正": "Correct",
    "更正业主信息": "Correct the owner",
    "更正原因": "Reason of the correction",
    "更正房屋信息": "Correct the house",
    "更正过": "corrected",
    "更正通知": "Correct the notice",
    "最多 9 个。": "At most 9.",
    "有人绑定微信的户": "Households in WeChat",
    "有多少户读过": "How many households have read it",
    "有异议": "objection",
    "有房屋会更换业主：原业主的投票资格会终止，他确认的家人和租户要重新审核。请先核对。": (
        "Some houses get other owners: the votes of the former ones end, and family and tenants "
        "they vouched for are reviewed again. Check first."
    ),
    "有新的申请会出现在这里。": "New requests appear here.",
    "有材料": "papers:",
    "未售": "Unsold",
    "本户有人提出异议": "Somebody of the house objects",
    "材料": "Paper",
    "查找房屋": "Find a house",
    "查看全部": "Show all",
    "查看完整信息": "Show in full",
    "标题": "Title",
    "核对后发布": "Check and publish",
    "核对预览": "Preview",
    "根据什么填写": "On what ground",
    "楼栋": "Building",
    "止": "until then",
    "正在写入": "Being written",
    "正在检查，请稍后再看。": "Being checked, look again soon.",
    "正在读取": "Being read",
    "正文": "Text",
    "每一列是什么": "What each column is",
    "每一项是从哪里来的": "Where each entry came from",
    "没有交材料。可以请申请人带身份证和房产证到窗口，或在小程序里补交。": (
        "No papers. Ask for ID card and deed at the counter or in the mini-program."
    ),
    "没有人用这个号码，收不到": "nobody uses this number there",
    "没有写原因": "no reason given",
    "没有手机就不填。": "Empty when there is none.",
    "没有找到房屋": "No house found",
    "没有拿不准的业主": "No doubtful owners",
    "没有核对上的地方": "What did not match",
    "没有登记电话": "no phone",
    "没有绑定": "Not bound",
    "没有这样的住户": "No such residents",
    "没有通过": "Refused before",
    "没有附件": "No files",
    "没读的户": "Households that haven't",
    "注销日期": "No longer exists since",
    "添加": "Add",
    "添加一套房屋": "Add a house",
    "物业公司的收费台账，不会覆盖社区台账和更可靠的内容。": (
        "The company's list for its fees; never overwrites the community's or better ones."
    ),
    "物业台账": "Register of the property company",
    "现在": "Now",
    "申请人": "Applicant",
    "申请人交的": "from the applicant",
    "申请人会收到“请带材料到社区办理”的通知，看不到下面的原因。": (
        "The applicant is asked to bring papers to the community; the reason below stays with staff."
    ),
    "申请人填写的": "What the applicant says",
    "申请时间": "Asked at",
    "登记业主": "Enter the owner",
    "登记中心出具的资料，最可靠，可以改正其他来源的内容。": (
        "From the registration office, the most reliable; may correct all other sources."
    ),
    "登记册里没有这套房屋的业主。": "The register knows no owner of this house.",
    "登记册里的": "What the register says",
    "登记册里的手机号改了": "The register's phone changed",
    "登记或更正": "Entered or corrected",
    "登记投票人": "Enter the voter",
    "登记的业主": "Owners in the register",
    "登记的业主其实是两个人": "The owner turned out to be two people",
    "看过材料，是业主本人：可以投票": "Papers seen, the owner herself: may vote",
    "确定把这份表写入登记册？写入后不能整份撤销，只能逐套更正。": (
        "Write this sheet into the register? It can't be undone as a whole afterwards, only house by house."
    ),
    "确认这一条和第一条是同一个人？合并后按一个人计票。": (
        "Is this one the same person as the first? They count as one head then."
    ),
    "社区台账": "Register of the community",
    "社区自己掌握的台账，不会覆盖登记中心和窗口核对过的内容。": (
        "The community's own; never overwrites the registration office or what was checked at the counter."
    ),
    "租户": "Tenant",
    "租期到": "Lease until",
    "窗口核对了原件": "Original papers seen at the counter",
    "窗口核对原件后填写": "Original papers at the counter",
    "第几行": "Row",
    "等": "and more, in all",
    "等了多久": "Waits",
    "等处理": "waits",
    "等审核": "Waiting for review",
    "等您对应列": "Map the columns",
    "等您核对": "Look it over",
    "签字的照片": "Photo of the signature",
    "类型": "Kind",
    "系统认为是这一位": "the system thinks it is this one",
    "紧急通知": "Emergency",
    "绑定了微信的，小程序里已经通知；没有绑定的请上门告知。": (
        "Who is in WeChat was told there; visit the others."
    ),
    "绑定的住户": "Residents bound to it",
    "网址": "Address",
    "联系方式": "Contact",
    "至少学": "Study at least",
    "至少学几分钟（只用于学习通知）": "Least minutes to study (study notices only)",
    "草稿": "Draft",
    "行": "rows",
    "行数": "Rows",
    "补交了材料，申请取得投票资格": "Papers were added, for the vote",
    "表格文件": "The sheet",
    "表里有“小区”这一列": "The sheet has a column for it",
    "表里没有的项目": "Not in the sheet",
    "要上门": "To visit",
    "要上门的": "To visit only",
    "要看哪几项": "Which of them",
    "要看的地方": "To look at",
    "解除后他不再代表这套房屋，也不能投票；由他确认的家人和租户要重新确认。他会收到通知，可以再次申请。": (
        "She no longer stands for this house nor votes; family and tenants she vouched for are "
        "confirmed anew. She is told, and may ask again."
    ),
    "解除绑定": "End the binding",
    "计票先用产权登记面积，没有的用实测面积，再没有用合同面积（最高法院建筑物区分所有权解释第八条）。": (
        "The registered area votes; else the surveyed, else that of the contract (Interpretation on "
        "divided ownership, art. 8)."
    ),
    "计票面积": "Area that votes",
    "证件号码": "ID number",
    "请先选小区": "Choose an estate",
    "读过的人": "People who read it",
    "读过的户": "Households that read it",
    "谁上传的": "Uploaded by",
    "谁填的": "By",
    "起": "on",
    "跳过写不了的行，先写入其余的": "Leave out the bad rows and write the others",
    "身份": "As",
    "车位": "Parking space",
    "车库": "Garage",
    "过户": "Transfer",
    "过户、更换业主": "Transfer, other owners",
    "还不能投票的业主": "Owners who can't vote yet",
    "还有共有人": "More co-owners",
    "还没到时间的，撤回后变回草稿。": "Before its time it becomes a draft again.",
    "还没有人在小程序里绑定这套房屋。": "Nobody has bound this house in the mini-program yet.",
    "还没有导入过": "Nothing imported yet",
    "还没有推选投票人": "no voter chosen yet",
    "还没有通知": "No notices yet",
    "还没轮到，请再点一次": "Left for another click",
    "这一行写不了": "this row can't be written",
    "这个地址的工单": "Tickets of this address",
    "这份表是谁的": "Whose sheet is it",
    (
        "这份通知已经发布。可以更正标题和正文、补充附件，要写明原因；以前的版本居民仍能看到。要改类"
        "型、范围或时间，请撤回后重新发布。"
    ): (
        "It is published. Title and text can be corrected and files added, with a reason; residents "
        "still see earlier versions. For another kind, area or time withdraw it and publish "
        "another."
    ),
    "这条记录已并入另一条": "This row was joined to another",
    "这次提醒了": "Reminded now",
    "进度": "State of it",
    "通知公告": "Public notices",
    "通知已发布": "Published to residents",
    "通过": "Approve",
    "通过以后可以做什么": "What it is good for",
    "通过，看下一件": "Approve and go on",
    "都可以投票了": "All of them may vote",
    "都审完了": "Nothing waits",
    "都读过了": "All have read it",
    "重新上传": "Upload again",
    "销售交付状态": "Sold and handed over",
    "问题": "What is wrong",
    "阅读率": "Read rate",
    "附件": "File",
    "面积就是票权：改动后，以后的表决按新面积计票；已经公告的表决不变。": (
        "Areas are votes: later decisions count the new ones; announced ones stay as they are."
    ),
    "项目": "Entry",
    "马上": "At once",
}
