"""The anchor as a page to print: what stood in the log at a moment, for the notice board and for other people's files.

Once it hangs there, nobody can go back behind it: the verifier compares the log with it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import segno
from markupsafe import escape

from app import clock
from app.voting import verify

_PAGE = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>业主表决记录公示</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<style>
body{{font:20px/1.7 "Noto Sans CJK SC","Microsoft YaHei","PingFang SC",sans-serif;color:#000;background:#fff;
max-width:19cm;margin:1cm auto;padding:0 .6cm}}
h1{{font-size:40px;line-height:1.3;margin:0 0 .2em}}
.big{{font-size:30px;font-weight:700;margin:.2em 0}}
.row{{display:flex;gap:1cm;align-items:flex-start;flex-wrap:wrap;margin:.4cm 0}}
.code{{width:8.5cm;flex:none}} .code svg{{width:100%;height:auto;display:block}}
.text{{flex:1 1 7cm}} .text p{{margin:0 0 .5em}}
dl{{margin:.3cm 0 0;border-top:2px solid #000}} dt{{font-size:16px;margin-top:.5em}}
dd{{margin:0;font:16px/1.5 ui-monospace,Consolas,monospace;overflow-wrap:anywhere}}
.foot{{font-size:16px;margin-top:.6cm;border-top:1px solid #000;padding-top:.3cm}}
@media print{{@page{{size:A4;margin:1.2cm}}body{{margin:0;padding:0;max-width:none}}}}
</style></head><body>
<h1>业主表决记录公示</h1>
<p class="big">{moment}　已记录 {leaves} 条</p>
<div class="row"><div class="code">{code}</div><div class="text">
<p>这张纸记下了此刻表决记录的“指纹”。贴出以后，之前的记录谁也改不了：改动任何一张票，指纹就对不上。</p>
<p>看不出谁投了票，也看不出投了什么。</p>
<p>请拍照留存。截止以后，可以用核对程序检查：</p>
<p>记录没有删改，您自己的票也在里面。</p></div></div>
<dl><dt>表决编号</dt><dd>{decision}</dd>
<dt>指纹（根哈希）</dt><dd>{root}</dd>
<dt>签名时间</dt><dd>{signed_at}</dd>
<dt>公钥（编号 {key_id}）</dt><dd>{public_key}</dd>
<dt>签名（{alg}）</dt><dd>{signature}</dd></dl>
<p class="foot">贴出人签名：________________　　贴出时间：________________　　居委会、业委会各留一份</p>
</body></html>
"""


def page(anchor: Mapping[str, Any]) -> str:
    """The page for an anchor (`boards.anchor`). The QR code holds the anchor as `verify --anchor` reads it."""
    drawing = io.BytesIO()
    segno.make_qr(verify.canonical(dict(anchor)), error="m").save(
        drawing, kind="svg", xmldecl=False, svgns=True, omitsize=True, border=3
    )
    at = clock.in_shanghai(datetime.fromisoformat(anchor["signed_at"]))
    moment = f"{at:%Y} 年 {at.month} 月 {at.day} 日 {at:%H:%M}"
    shown = {name: escape(value) for name, value in anchor.items()}
    return _PAGE.format(
        moment=moment, leaves=f"{anchor['size']:,}", code=drawing.getvalue().decode(), **shown
    )
