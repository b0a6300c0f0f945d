"""Objects in a bucket of any store that speaks S3 with signature version 4."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app import threads
from app.adapters.storage import ObjectMissing, StorageUnavailable, check_key

# A photo is at most 10 MB: 20 s without a byte means that nobody is there. With three tries a call ends
# within about 75 s at the worst.
_CONNECT_TIMEOUT_S = 4
_READ_TIMEOUT_S = 20
_TRIES = 3


class S3Storage:
    """A bucket that exists already; addressed by path (`endpoint/bucket/key`), as every store can be."""

    def __init__(self, *, endpoint: str, bucket: str, region: str, access_key: str, secret: str) -> None:
        self._endpoint, self._bucket, self._region = endpoint, bucket, region
        self._access_key, self._secret = access_key, secret
        self._lock = threading.Lock()
        self._connected: tuple[int, Any] | None = None

    def __repr__(self) -> str:
        return f"S3Storage({self._endpoint}/{self._bucket})"

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """One PutObject: whole or not at all."""
        check_key(key)
        with self._speaking() as client:
            client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=content_type)

    def get(self, key: str) -> bytes:
        """The object; ObjectMissing."""
        check_key(key)
        with self._speaking(key) as client:
            body: bytes = client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            return body

    def delete(self, key: str) -> None:
        """Removes the object; nothing happens when it is not there."""
        check_key(key)
        try:
            with self._speaking(key) as client:
                client.delete_object(Bucket=self._bucket, Key=key)
        except ObjectMissing:
            return  # S3 answers 204 here, some stores 404

    def exists(self, key: str) -> bool:
        """Whether there is an object under `key`."""
        check_key(key)
        try:
            with self._speaking(key) as client:
                client.head_object(Bucket=self._bucket, Key=key)
        except ObjectMissing:
            # A HEAD has no body that would tell a missing bucket from a missing object.
            with self._speaking() as client:
                client.head_bucket(Bucket=self._bucket)
            return False
        return True

    def is_empty(self) -> bool:
        """Whether the bucket holds no object."""
        with self._speaking() as client:
            found = client.list_objects_v2(Bucket=self._bucket, MaxKeys=1)
        return not found.get("KeyCount") and not found.get("Contents")

    def healthy(self) -> bool:
        """Whether the store answers, knows our key and has the bucket."""
        try:
            with self._speaking() as client:
                client.head_bucket(Bucket=self._bucket)
        except StorageUnavailable:
            return False
        return True

    @contextmanager
    def _speaking(self, key: str | None = None) -> Iterator[Any]:
        """The client; what the store answers instead of success leaves as one of our two errors.

        Key, secret and signature never reach the text of an error: botocore's texts name host and code only.
        """
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            with threads.aside():
                yield self._client()
        except ClientError as e:
            code = str(e.response.get("Error", {}).get("Code", ""))
            if key is not None and code in ("404", "NoSuchKey", "NotFound"):
                raise ObjectMissing(key) from e
            raise StorageUnavailable(f"object store refuses {e.operation_name}: {code}") from e
        except (BotoCoreError, HTTPClientError, OSError) as e:
            raise StorageUnavailable(f"object store: {type(e).__name__}") from e

    def _client(self) -> Any:
        # One client a process: its connections must not be shared by a worker and the child it forks.
        connected = self._connected
        if connected is not None and connected[0] == os.getpid():
            return connected[1]
        with self._lock:
            connected = self._connected
            if connected is None or connected[0] != os.getpid():
                connected = self._connected = (os.getpid(), self._connect())
            return connected[1]

    def _connect(self) -> Any:
        # Imported on first use: boto3 takes half a second, which no process should pay that keeps a folder.
        import boto3
        from botocore.config import Config

        return boto3.session.Session().client(
            "s3",
            endpoint_url=self._endpoint,
            region_name=self._region,
            aws_access_key_id=self._access_key,
            aws_secret_access_key=self._secret,
            config=Config(
                signature_version="s3v4",
                connect_timeout=_CONNECT_TIMEOUT_S,
                read_timeout=_READ_TIMEOUT_S,
                retries={"total_max_attempts": _TRIES, "mode": "standard"},
                s3={"addressing_style": "path"},
                max_pool_connections=16,
                # boto3 adds CRC trailers since 1.36, which many S3-compatible stores don't know.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
