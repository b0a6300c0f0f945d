"""The marks of a notice's text: what is shown is what was written, and nothing else."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from app.notices import rich

PIECES = st.lists(
    st.sampled_from(
        ["**", "# ", "- ", "\n", "停水", " ", "http://a.cn/b", "<script>", "*", "javascript:x", "#"]
    ),
    max_size=14,
)


@given(PIECES)
def test_no_word_is_lost_and_only_web_addresses_are_links(pieces: list[str]) -> None:
    text = "".join(pieces)
    spans = [span for block in rich.blocks(text) for line in block.lines for span in line]
    assert all(span.link is bool(re.match("https?://", span.text)) or not span.link for span in spans)
    shown = "".join(span.text for span in spans)
    assert re.sub(r"[\s*#•-]", "", shown) == re.sub(r"[\s*#•-]", "", text)


def test_headings_lists_strong_words_and_links() -> None:
    found = rich.blocks("# 停水\n明天 **上午** 停\n到 12 点\n\n- 1栋\n- https://a.cn/x。\n完")
    assert [(block.kind, len(block.lines)) for block in found] == [
        ("heading", 1),
        ("paragraph", 2),
        ("list", 2),
        ("paragraph", 1),
    ]
    assert [span.text for span in found[1].lines[0] if span.strong] == ["上午"]
    assert [span.text for span in found[2].lines[1] if span.link] == ["https://a.cn/x"]
    assert rich.words("# 停水\n明天**上午**停") == "停水 明天上午停"
