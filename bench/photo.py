"""`make bench NAME=photo`: the two renditions of a 12 MP JPEG, ours beside plain Pillow; a HEIC to look at.

Every sample is a fresh process that renders the same photo several times. `cpu_ms` is user + sys of one
rendering, without the start of the interpreter, which a worker pays once; `process_cpu_ms` and `peak_mb` are
the whole process, with it. `in_app` is the same on top of the imported application.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import harness
from bench.harness import Report, Target


def plain(data: bytes) -> None:
    """What one writes first: decode all, turn, resize twice with the best filter, save."""
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    for edge in (1600, 320):
        scale = edge / max(picture.size)
        size = (round(picture.width * scale), round(picture.height * scale))
        picture.resize(size, Image.Resampling.LANCZOS).save(io.BytesIO(), "JPEG", quality=82)


def ours(data: bytes) -> None:
    """What the media worker does: headers again, then both renditions."""
    from app.media import imaging

    imaging.render(data)


def ours_in_app(data: bytes) -> None:
    """The same in a process that has imported all that a worker has."""
    import workers.jobs  # noqa: F401

    ours(data)


VARIANTS: dict[str, Callable[[bytes], None]] = {"plain": plain, "ours": ours, "ours in app": ours_in_app}


def take_sample(variant: str, path: Path, times: int) -> dict[str, float]:
    """CPU ms of one rendering and MB of this whole process; prints nothing."""
    data = path.read_bytes()
    before = harness.cpu_seconds()
    render = VARIANTS[variant]
    # The first rendering also imports Pillow's plugins and codecs: a worker has that behind it.
    render(data)
    warm = harness.cpu_seconds()
    for _ in range(times):
        render(data)
    done = harness.cpu_seconds()
    return {
        "cpu_ms": (done - warm) * 1000 / times,
        "first_cpu_ms": (warm - before) * 1000,
        "process_cpu_ms": done * 1000,
        "peak_mb": harness.peak_mb(),
    }


def main() -> int:
    """0 when both targets hold."""
    parser = argparse.ArgumentParser(description="Renditions of a 12 MP photo, ours beside plain Pillow.")
    parser.add_argument("--sample", nargs=2, metavar=("VARIANT", "PHOTO"), help=argparse.SUPPRESS)
    parser.add_argument("--times", type=int, default=harness.scaled(5), help="renderings in a sample")
    asked = parser.parse_args()
    if asked.sample:
        print(json.dumps(take_sample(asked.sample[0], Path(asked.sample[1]), asked.times)))
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-photo-") as folder:
        return _compare(Path(folder), asked.times)


def _compare(folder: Path, times: int) -> int:
    from tools import pictures

    scene = pictures.scene(lit=False).transpose(pictures.UPRIGHT_TO_STORED)
    photo = folder / "lamp.jpg"
    photo.write_bytes(pictures.jpeg(scene, pictures.exif()))
    size = photo.stat().st_size / 1e6
    print(f"a JPEG of {scene.width} × {scene.height}, {size:.1f} MB, {times} renderings a sample")
    harness.cpu_yardstick().show()

    def sampler(variant: str, path: Path) -> Callable[[], harness.Sample]:
        return partial(
            harness.sample_in_fresh_process,
            "bench.photo", "--sample", variant, str(path), "--times", str(times),
        )  # fmt: skip

    variants = {name: sampler(name, photo) for name in VARIANTS}
    try:
        heic = folder / "lamp.heic"
        heic.write_bytes(pictures.heic(scene, pictures.exif()))
    except ModuleNotFoundError:
        print("pillow_heif is not installed: no HEIC to measure.")
    else:
        variants["ours, HEIC"] = sampler("ours", heic)
    taken = harness.rounds(variants)

    report = Report("photo")
    report.figure(
        "cpu_of_plain", harness.ratio(taken["ours"]["cpu_ms"], taken["plain"]["cpu_ms"]), Target("<=", 0.45)
    )
    report.figure("peak_mb", max(taken["ours"]["peak_mb"]), Target("<=", 80))
    report.figure("cpu_ms", statistics.median(taken["ours"]["cpu_ms"]))
    report.figure("plain_cpu_ms", statistics.median(taken["plain"]["cpu_ms"]))
    report.figure("in_app_peak_mb", max(taken["ours in app"]["peak_mb"]))
    report.figure("plain_peak_mb", statistics.median(taken["plain"]["peak_mb"]))
    if "ours, HEIC" in taken:
        report.figure("heic_cpu_ms", statistics.median(taken["ours, HEIC"]["cpu_ms"]))
        # One at a time in a process, so this is also what a worker needs.
        report.figure("heic_peak_mb", max(taken["ours, HEIC"]["peak_mb"]), Target("<=", 160))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
