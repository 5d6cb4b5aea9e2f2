"""Every corpus is known by its layout, and its labels are right to the clip."""

from collections import Counter
from pathlib import Path

import pytest

from emotalk_cli.datasets.catalogue import Choice, detect_dataset, find_clips
from emotalk_cli.datasets.clip_source import safe_id, unique_ids
from emotalk_cli.datasets.grid import read_align
from emotalk_cli.errors import EmotalkError

MANIFESTS = Path(__file__).resolve().parents[2] / "data_manifests"


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.fixture
def mead(tmp_path: Path) -> Path:
    """MEAD with its irregularities: a folder `1`, missing views, emotions and sound files."""
    root = tmp_path / "MEAD"
    for speaker in ("M003", "W009"):
        for emotion, levels, count in (("neutral", 1, 12), ("happy", 3, 8), ("contempt", 2, 7)):
            for level in range(1, levels + 1):
                for number in range(1, count + 1):
                    name = f"{emotion}/level_{level}/{number:03d}"
                    touch(root / speaker / "video" / "front" / f"{name}.mp4")
                    touch(root / speaker / "audio" / f"{name}.m4a")
    touch(root / "W009/1/left_30/sad/level_2/004.mp4")
    touch(root / "W009/video/2/left_30/sad/level_2/004.mp4")
    touch(root / "W009/audio/sad/level_2/004.m4a")
    touch(root / "M003/video/top/angry/level_3/007.mp4")  # its sound is lost
    touch(root / "M003/video/front/angry/level_3/.007.mp4")
    touch(root / "M003/video/front/angry/readme.txt")
    return root


def test_mead(mead: Path) -> None:
    assert detect_dataset(mead) == "mead"
    clips = find_clips(mead)
    count = Counter((c.labels.speaker, c.labels.emotion) for c in clips)
    assert count == {
        ("M003", "neutral"): 12, ("M003", "happy"): 24, ("M003", "contempt"): 14,
        ("M003", "angry"): 1, ("W009", "neutral"): 12, ("W009", "happy"): 24,
        ("W009", "contempt"): 14, ("W009", "sad"): 2,
    }  # fmt: skip
    ids = [c.labels.clip_id for c in clips]
    assert len(set(ids)) == len(ids)
    by_id = dict(zip(ids, clips, strict=True))
    happy = by_id["M003_front_happy_level_2_005"]
    assert happy.labels.intensity == pytest.approx(2 / 3)
    assert happy.sound == mead / "M003/audio/happy/level_2/005.m4a"
    lost = by_id["M003_top_angry_level_3_007"]
    assert lost.sound is None
    assert lost.missing_sound == "M003/audio/angry/level_3/007.m4a"
    doubles = [c for c in clips if c.labels.emotion == "sad"]
    assert {c.labels.view for c in doubles} == {"left_30"}
    assert {c.sound for c in doubles} == {mead / "W009/audio/sad/level_2/004.m4a"}


def test_one_speaker_of_mead_is_mead_too(mead: Path) -> None:
    clips = find_clips(mead / "W009" / "video")
    assert {c.labels.speaker for c in clips} == {"W009"}
    assert all(c.sound for c in clips)


def test_filters_and_their_errors(mead: Path) -> None:
    clips = find_clips(mead, choice=Choice(("w009",), ("happy",), ("front",), (3,), 5))
    assert [c.labels.clip_id for c in clips] == [
        f"W009_front_happy_level_3_{n:03d}" for n in range(1, 6)
    ]
    with pytest.raises(EmotalkError, match="nothing is called 'X001'") as caught:
        find_clips(mead, choice=Choice(speakers=("X001",)))
    assert "M003, W009" in caught.value.next_step
    with pytest.raises(EmotalkError, match="no dataset called 'meat'"):
        find_clips(mead, "meat")


def test_published_splits(mead: Path) -> None:
    def split(name: str) -> Counter[tuple[str, str]]:
        clips = find_clips(mead, splits=MANIFESTS / name)
        return Counter((c.labels.speaker, c.labels.split) for c in clips)

    assert split("mead_eat_speakers.csv") == {("M003", "test"): 51, ("W009", "test"): 52}
    assert split("mead_identity_70_15_15.csv") == {("M003", "train"): 51, ("W009", "train"): 52}
    last = find_clips(mead, splits=MANIFESTS / "mead_last10_last6.csv")
    test = Counter(
        (c.labels.emotion, round(3 * c.labels.intensity))
        for c in last
        if c.labels.speaker == "M003" and c.labels.split == "test"
    )
    assert test == {
        ("neutral", 1): 10, ("happy", 1): 6, ("happy", 2): 6, ("happy", 3): 6,
        ("contempt", 1): 6, ("contempt", 2): 6, ("angry", 3): 1,
    }  # fmt: skip
    train = {c.labels.clip_id for c in last if c.labels.split == "train"}
    assert "M003_front_neutral_level_1_002" in train
    assert "M003_front_neutral_level_1_003" not in train


def test_crema_d(tmp_path: Path) -> None:
    for name in ("1001_DFA_ANG_XX.flv", "1002_IEO_DIS_LO.flv", "1091_WSI_FEA_HI.mp4"):
        touch(tmp_path / "VideoFlash" / name)
    touch(tmp_path / "AudioWAV" / "1001_DFA_ANG_XX.wav")
    touch(tmp_path / "again" / "1001_DFA_ANG_XX.mp4")
    assert detect_dataset(tmp_path) == "crema_d"
    labels = [c.labels for c in find_clips(tmp_path)]
    assert [(x.speaker, x.emotion, round(x.intensity, 2)) for x in labels] == [
        ("1001", "angry", 1.0), ("1002", "disgusted", 0.33), ("1091", "fear", 1.0),
    ]  # fmt: skip


def test_ravdess(tmp_path: Path) -> None:
    for name in (
        "01-01-06-01-02-01-12.mp4",
        "02-01-06-01-02-01-12.mp4",  # the same take without sound
        "02-01-03-02-01-02-05.mp4",
        "01-02-03-02-01-02-05.mp4",  # song
    ):
        touch(tmp_path / "Actor" / name)
    sound = touch(tmp_path / "sounds" / "03-01-03-02-01-02-05.wav")
    assert detect_dataset(tmp_path) == "ravdess"
    happy, fear = find_clips(tmp_path)
    assert happy.labels.clip_id == "01-03-02-01-02-05"
    assert (happy.labels.emotion, happy.labels.intensity, happy.sound) == ("happy", 1.0, sound)
    assert (fear.labels.emotion, fear.labels.intensity, fear.labels.speaker) == (
        "fear", 0.5, "actor_12",
    )  # fmt: skip
    assert fear.path.name.startswith("01-")


def test_grid(tmp_path: Path) -> None:
    for speaker in ("s1", "s20"):
        touch(tmp_path / speaker / "video" / "bbaf2n.mpg")
    align = touch(tmp_path / "alignments" / "s20" / "bbaf2n.align")
    align.write_text("0 23750 sil\n23750 29500 bin\n29500 34000 sp\n")
    assert detect_dataset(tmp_path) == "grid"
    one, twenty = find_clips(tmp_path)
    assert (one.labels.clip_id, one.words) == ("s1_bbaf2n", ())
    assert (twenty.labels.speaker, twenty.words) == ("s20", ((0.95, 1.18, "bin"),))
    assert read_align(align) == twenty.words


def test_a_plain_folder(tmp_path: Path) -> None:
    for name in ("a/x.mp4", "a/X.MOV", "b c/ü!.webm", "notes.txt", ".hidden/y.mp4"):
        touch(tmp_path / name)
    clips = find_clips(tmp_path)
    assert detect_dataset(tmp_path) == "folder"
    assert [c.labels.clip_id for c in clips] == ["a_X", "a_x-2", "b-c_ü"]


def test_a_manifest(tmp_path: Path) -> None:
    path = tmp_path / "clips.csv"
    path.write_text("path,emotion,intensity,split\na.mp4,joy,0.5,val\nd/b.mp4,,,\n")
    first, second = find_clips(path)
    assert first.path == tmp_path / "a.mp4"
    assert (first.labels.emotion, first.labels.intensity, first.labels.split) == (
        "happy", 0.5, "val",
    )  # fmt: skip
    assert second.labels.clip_id == "b"
    path.write_text("path,emotion\na.mp4,joy:60%\nb.mp4,sad:level_2\n")
    strengths = [(c.labels.emotion, round(c.labels.intensity, 2)) for c in find_clips(path)]
    assert strengths == [("happy", 0.6), ("sad", 0.67)]
    for text, reason in (
        ("file\na.mp4\n", "no column 'path'"),
        ("path,mood\na.mp4,sad\n", "unknown column 'mood'"),
    ):
        path.write_text(text)
        with pytest.raises(EmotalkError, match=reason):
            find_clips(path)


@pytest.mark.parametrize(
    ("columns", "row", "clip_id", "reason"),
    [
        ("path,emotion", "b.mp4,happy:2", "b", "'2' is no strength"),
        ("path,emotion", "b.mp4,happy:level_9", "b", "There is no level 9"),
        ("path,emotion", "b.mp4,hapy", "b", "no emotion called 'hapy'. Did you mean happy"),
        ("path,intensity", "b.mp4,7", "b", "'7' is no strength"),
        ("path", "d/a.mp4", "a-2", "the clip 'a' is there already"),
        ("path,emotion", ",sad", "line_3", "the column 'path' is empty"),
        ("path,emotion", "b.mp4,sad,0.5", "b", "more cells than the first line"),
    ],
)
def test_a_bad_row_of_a_manifest_is_a_bad_clip(
    columns: str, row: str, clip_id: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "man.csv"
    path.write_text(f"{columns}\na.mp4\n{row}\nc.mp4\n")
    first, bad, last = find_clips(path)
    assert (first.problem, last.problem, bad.labels.clip_id) == ("", "", clip_id)
    assert bad.problem.startswith(f"{path}, line 3: ") and reason in bad.problem


def test_a_bad_row_is_not_lost_by_a_choice(tmp_path: Path) -> None:
    path = tmp_path / "man.csv"
    path.write_text("path,speaker,emotion\na.mp4,x,sad\nb.mp4,x,sadd\nc.mp4,y,sadd\n")
    chosen = find_clips(path, choice=Choice(speakers=["x"], emotions=["sad"]))
    assert [clip.labels.clip_id for clip in chosen] == ["a", "b"]


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(EmotalkError, match="No clips were found"):
        find_clips(tmp_path)
    with pytest.raises(EmotalkError, match="no file or folder"):
        find_clips(tmp_path / "nowhere")


def test_ids() -> None:
    assert safe_id("a b", "../c:d", "!?") == "a-b_c-d_clip"
    assert len(safe_id("界" * 200).encode()) == 150
    assert unique_ids(["a", "A", "a"]) == ["a", "A-2", "a-3"]


def test_real_corpora(shared_data: Path) -> None:
    grid = find_clips(shared_data / "grid_s1")
    assert len(grid) == 1000
    assert all(len(c.words) == 6 for c in grid)
    crema = find_clips(shared_data / "crema_d")
    assert sorted(c.labels.emotion for c in crema) == [
        "angry", "disgusted", "fear", "happy", "neutral", "sad",
    ]  # fmt: skip
