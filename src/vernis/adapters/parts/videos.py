"""Frames of videos, by the outside program ffmpeg.

No library is used: the wheels of PyAV hold x264 and x265, which are GPL. The program reads the one
file that it is given, in containers of videos alone, and nothing from elsewhere.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from vernis.domain.errors import UnreadableImage
from vernis.domain.parts import time_of, time_place

SCENE = 0.3
"""How much a frame differs from the one before it where a scene begins (0..1, ffmpeg's measure)."""
_MOST = 2_000  # frames of a video
_TIMEOUT = 1_800  # seconds
_QUALITY = "2"  # of JPEG, the best but one
_CONTAINERS = "mov,mp4,matroska,webm,avi,mpeg,mpegts,mpegvideo,asf,flv,ogg"
_SHOWN = re.compile(r"\[Parsed_showinfo.*\bpts_time:\s*(-?[\d.]+)")
_BARE = re.compile(r"Invalid data found|does not contain any stream|matches no streams|moov atom")


def list_frames(
    path: Path, every: float | None, take: Callable[[str, Path], None]
) -> tuple[str, ...]:
    """Return the places of a video's frames, and hand each frame's file on.

    Parameters
    ----------
    path : Path
    every : float or None
        Seconds between two frames; None: the first frame, and each that begins a scene.
    take : callable
        Gets place and file of each frame; the file is gone afterwards.

    Raises
    ------
    UnreadableImage
        It is no video, is damaged, or ffmpeg is missing.
    """
    chosen = f"gt(scene,{SCENE})" if every is None else f"gte(t-prev_selected_t,{every:g})"
    select = f"select='isnan(prev_selected_t)+{chosen}',showinfo"
    with TemporaryDirectory(prefix="vernis-") as folder:
        pattern = str(Path(folder) / "%06d.jpg")
        said = _run(
            path,
            ["-i", _named(path), "-map", "0:v:0", "-an", "-sn", "-dn", "-vf", select],
            ["-fps_mode", "passthrough", "-frames:v", str(_MOST), "-q:v", _QUALITY, pattern],
        )
        times = [max(0.0, float(time)) for time in _SHOWN.findall(said)]
        files = sorted(Path(folder).glob("*.jpg"))
        places: dict[str, Path] = {}
        for time, file in zip(times, files, strict=False):
            places.setdefault(time_place(time), file)
        if not places:
            raise UnreadableImage(path, "the video holds no frame that can be decoded")
        for place, file in places.items():
            take(place, file)
    return tuple(places)


def write_frame(path: Path, place: str, target: Path) -> None:
    """Write the frame at a place of a video as a JPEG; raises UnreadableImage."""
    seconds = time_of(place)
    if seconds is None:
        raise UnreadableImage(path, f"{place!r} is no time in a video")
    before = max(0.0, seconds - 0.0005)
    _run(
        path,
        ["-ss", f"{before:.4f}", "-i", _named(path), "-map", "0:v:0"],
        ["-frames:v", "1", "-q:v", _QUALITY, "-f", "mjpeg", str(target)],
    )
    if not target.is_file() or not target.stat().st_size:
        raise UnreadableImage(path, f"the video has no frame at {place.removeprefix('t=')} s")


def _named(path: Path) -> str:
    return f"file:{path}"  # a name such as -x.mp4 or a:b.mp4 is no option and no protocol


def _run(path: Path, before: list[str], after: list[str]) -> str:
    program = shutil.which("ffmpeg")
    if program is None:
        raise UnreadableImage(
            path, "its frames are read by the program ffmpeg, which is not installed"
        )
    command = [program, "-hide_banner", "-nostdin", "-y", "-loglevel", "info"]
    command += ["-protocol_whitelist", "file", "-format_whitelist", _CONTAINERS]
    try:
        done = subprocess.run(
            [*command, *before, *after], capture_output=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableImage(path, f"ffmpeg takes longer than {_TIMEOUT} s") from error
    except OSError as error:
        raise UnreadableImage(path, f"ffmpeg cannot be started ({error.strerror})") from error
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode:
        raise UnreadableImage(path, _why(said))
    return said


def _why(said: str) -> str:
    if re.search(r"matches no streams|does not contain any stream|no video stream", said):
        return "the file has no video stream"
    if _BARE.search(said):
        return "the file is no video, or is damaged"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f"ffmpeg cannot read it ({lines[-1][:120] if lines else 'it says nothing'})"
