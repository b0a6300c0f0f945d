"""Records what Alibaba Cloud's own SDK sends, so that the SMS adapter can be held against its very bytes.

The SDK is 29 packages, one of them only as source: it stays out of the locks. To record anew, in an environment that
is thrown away afterwards:

    python3 -m venv /tmp/aliyun-sdk
    /tmp/aliyun-sdk/bin/pip install alibabacloud_dysmsapi20170525 alibabacloud-tea-openapi
    /tmp/aliyun-sdk/bin/python tools/record_aliyun_requests.py > tests/fixtures/aliyun_requests.json

Keys and numbers are made up; nothing leaves this machine: a small server on loopback notes each request and answers OK.
Nonce and date are the SDK's own, so a second recording differs in them and in the signatures.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from importlib.metadata import version
from typing import Any

KEY_ID = "LTAI-made-up-key-id"
KEY_SECRET = "made-up-key-secret"  # noqa: S105 - made up, as the name says
PHONES = ["13900000001", "13900000002", "13900000003"]
OUT_ID = "smb_aaaaaaaa-made-up"
ANSWER = b'{"Code":"OK","Message":"OK","RequestId":"made-up","BizId":"9006^0"}'


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


CASES: list[tuple[str, dict[str, Any]]] = [
    (
        "SendSms",
        {
            # More than SendBatchSms takes: below that the adapter doesn't use SendSms.
            "phone_numbers": ",".join(f"139{n:08}" for n in range(101)),
            "sign_name": "幸福社区",
            "template_code": "SMS_100000001",
            "template_param": _compact({"name": "王 & 李*~", "when": "9:00"}),
            "out_id": OUT_ID,
        },
    ),
    (
        "SendBatchSms",
        {
            "phone_number_json": _compact(PHONES),
            "sign_name_json": _compact(["幸福社区"] * 3),
            "template_code": "SMS_100000001",
            "template_param_json": _compact([{"name": f"业主+{n}", "when": "周日 9:00"} for n in range(3)]),
            "out_id": OUT_ID,
        },
    ),
    (
        "QuerySendDetails",
        {"phone_number": PHONES[0], "send_date": "20260101", "page_size": 50, "current_page": 1},
    ),
]


class _Notes(BaseHTTPRequestHandler):
    """Notes the request and says OK."""

    seen: list[dict[str, Any]]

    def do_POST(self) -> None:
        """One API call."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.seen.append({"method": "POST", "target": self.path, "headers": headers, "body": body.decode()})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Say nothing: the recording goes to standard output."""


def main() -> int:
    """Print the recording as JSON; 1 and a sentence where the SDK isn't installed."""
    try:
        client_class = import_module("alibabacloud_dysmsapi20170525.client").Client
        models = import_module("alibabacloud_dysmsapi20170525.models")
        config_class = import_module("alibabacloud_tea_openapi.utils_models").Config
    except ImportError as e:
        sys.stderr.write(
            f"{e}. See the top of {sys.argv[0]} for how to install the SDK beside the project.\n"
        )
        return 1
    _Notes.seen = []
    server = HTTPServer(("127.0.0.1", 0), _Notes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = client_class(
        config_class(
            access_key_id=KEY_ID,
            access_key_secret=KEY_SECRET,
            endpoint=f"127.0.0.1:{server.server_port}",
            protocol="HTTP",
            user_agent="recording",
        )
    )
    methods = {
        "SendSms": client.send_sms,
        "SendBatchSms": client.send_batch_sms,
        "QuerySendDetails": client.query_send_details,
    }
    for action, params in CASES:
        methods[action](getattr(models, f"{action}Request")(**params))
    server.shutdown()
    recording = {
        "sdk": {p: version(p) for p in ("alibabacloud_dysmsapi20170525", "alibabacloud-tea-openapi")},
        "key_id": KEY_ID,
        "key_secret": KEY_SECRET,
        "requests": [
            {"action": action, "params": params, **seen}
            for (action, params), seen in zip(CASES, _Notes.seen, strict=True)
        ],
    }
    sys.stdout.write(json.dumps(recording, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
