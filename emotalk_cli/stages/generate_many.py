"""Generate, for every row of a manifest: many videos, the models loaded once per worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from emotalk_cli import batch, safe_files
from emotalk_cli.errors import EmotalkError
from emotalk_cli.folder_lock import one_run
from emotalk_cli.progress import Progress, Quiet
from emotalk_cli.stages.generate import Generated, generate
from emotalk_cli.stages.video_options import VideoOptions
from emotalk_cli.stages.video_rows import VideoRow, read_rows
from emotalk_cli.stages.video_times import TimesFile

STAGE = "generate"


@dataclass(frozen=True)
class VideoJob:
    """One row to make, and where."""

    row: VideoRow
    out: Path
    keep_motion: bool
    overwrite: bool

    @property
    def clip_id(self) -> str:
        """Name of the video, for lists and messages."""
        return self.row.clip_id


@dataclass(frozen=True)
class GeneratedMany:
    """What one run did: videos made now and there already, their files, and faults.

    `video_s`: length of what was made now.
    """

    made: int
    skipped: int
    video_s: float
    videos: tuple[Path, ...]
    failures: tuple[batch.Failure, ...]


def generate_many(
    manifest: Path,
    out: Path,
    options: VideoOptions = VideoOptions(),
    *,
    keep_motion: bool = False,
    workers: int = 1,
    cluster: str | None = None,
    shard: str | None = None,
    overwrite: bool = False,
    progress: Progress = Quiet(),
) -> GeneratedMany:
    """Make the video of every row of the CSV `manifest` as `out`/<name>.mp4.

    `options` hold for every row that does not say otherwise (see `video_rows.read_rows`). With
    `keep_motion` the motion stands beside each video as <name>.h5. What is done is skipped; a row
    that fails is listed in failures.csv and the others are done; video_times.csv says how long
    each took. Raises EmotalkError for a file that is no such list.
    """
    options.check()
    rows = read_rows(manifest, options)
    if out.exists() and not out.is_dir():
        raise EmotalkError(f"{out} is a file.", "Name a folder for the videos with -o.")
    jobs = batch.shard_of([VideoJob(row, out, keep_motion, overwrite) for row in rows], shard)
    results: list[Generated] = []
    with one_run(out, STAGE, shard):
        safe_files.remove_leftovers(out)
        times = TimesFile.begin(out, shard, workers)

        def collect(_job: VideoJob, value: Generated) -> None:
            results.append(value)
            if not value.skipped:
                times.add(value.video, value.duration_s, value.elapsed_s)

        failures = batch.run_jobs(
            make_row,
            jobs,
            stage=STAGE,
            workers=workers,
            cluster=cluster,
            on_done=collect,
            progress=progress,
        )
        batch.write_failures(failures, out, shard)
    made = [value for value in results if not value.skipped]
    video_s = sum(value.duration_s for value in made)
    videos = tuple(sorted(value.video for value in results))
    return GeneratedMany(len(made), len(results) - len(made), video_s, videos, tuple(failures))


def make_row(job: VideoJob) -> Generated:
    """Make one row's video; EmotalkError names the row's line where it cannot be made."""
    row = job.row
    try:
        if row.problem:
            raise EmotalkError(row.problem)
        return generate(
            row.audio,
            row.face,
            job.out / f"{row.clip_id}.mp4",
            row.options,
            motion_out=job.out / f"{row.clip_id}.h5" if job.keep_motion else None,
            overwrite=job.overwrite,
        )
    except EmotalkError as error:
        raise EmotalkError(f"Line {row.line}: {error.problem}", error.next_step) from error
