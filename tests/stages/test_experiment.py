"""The stage experiment, small but whole: real plan, default face, networks of a few steps."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from emotalk_cli import __version__, store
from emotalk_cli.errors import EmotalkError, StaleOutputError
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.folder_lock import one_run
from emotalk_cli.progress import Quiet
from emotalk_cli.schema import AudioFeatures, FaceTrack, Labels, MadeBy
from emotalk_cli.stages.experiment import READER, experiment
from emotalk_cli.stages.experiment_answer import answer
from emotalk_cli.stages.experiment_cells import TrainCell, train_cell
from emotalk_cli.stages.experiment_folder import require_ready
from emotalk_cli.stages.experiment_plan import read_plan
from emotalk_cli.stages.experiment_records import Sets, prepare
from tests.stages.track_help import track_of

PLAN = Path(__file__).resolve().parents[2] / "data_manifests/experiments/dual_vs_single.yaml"
CLIPS, FRAMES = 16, 50
TINY: dict[str, Any] = {
    "steps": 4,
    "validate_every": 4,
    "batch_size": 4,
    "window": 40,
    "network": {"hidden": 12, "encoder_blocks": 1, "denoiser_blocks": 1, "kernel": 3},
}


def write_clip(folder: Path, number: int, emotion: str = "neutral", speaker: str = "a") -> None:
    """A clip whose jaw follows the first of three sounds."""
    rng = np.random.default_rng(number)
    rows = 2 * FRAMES + 1
    slow = np.cumsum(rng.standard_normal((rows, 3)), axis=0)
    speech = np.exp((slow - slow.mean(0)) / 2)
    speech = (speech / speech.sum(1, keepdims=True)).astype(np.float32)
    smile = np.full(FRAMES, 0.8 * (emotion == "happy"))
    units = {"jawOpen": 0.5 * speech[:-1:2, 0], "browInnerUp": 0.1 * rng.random(FRAMES)}
    units |= {"mouthSmileLeft": smile, "mouthSmileRight": smile}
    pose = np.zeros((FRAMES, 6), np.float32)
    pose[:, 0] = 0.05 * np.sin(np.arange(FRAMES) / 9)
    pose[:, 5] = -0.7
    labels = Labels(f"c{number:02}", "tiny", speaker, emotion)
    track = track_of(units, pose, labels)
    features = AudioFeatures(
        made_by=MadeBy("test", "0"),
        speech=speech,
        log_mel=rng.standard_normal((rows, 16)).astype(np.float32),
        f0_hz=np.full(rows, 120, np.float32),
        voicing=np.ones(rows, np.float32),
        energy_db=(-20 + 10 * speech[:, 0]).astype(np.float32),
        speaking_rate_hz=4.0,
        rate_hz=50.0,
        duration_s=rows / 50,
        encoder="hama",
        speech_names=("a", "m", "blank"),
        labels=labels,
    )
    store.write(track, folder / "tracks" / f"{labels.clip_id}.h5")
    store.write(features, folder / "audio" / f"{labels.clip_id}.h5")


def small_plan(path: Path, **changes: Any) -> Path:
    """The real plan with tiny networks, one seed and fewer systems."""
    plan = yaml.safe_load(PLAN.read_text(encoding="utf-8"))
    plan["seeds"] = [0]
    plan["training"], plan["resamples"] = TINY, 40
    plan["data"]["test_share"] = 0.3
    kept = ("dual", "single", "dual_shuffled", "still")
    plan["systems"] = {name: plan["systems"][name] for name in kept}
    plan["decoders"] = {name: plan["decoders"][name] for name in ("lip", "emo", "single")}
    plan["compare"] = [pair for pair in plan["compare"] if set(pair) <= set(kept)]
    path.write_text(yaml.safe_dump({**plan, **changes}, sort_keys=False), encoding="utf-8")
    return path


def contents(folder: Path) -> dict[Path, tuple[int, int]]:
    """Time and size of every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path, str]:
    """Plan, corpus of neutral clips, folder of a finished run, and its answer."""
    root = tmp_path_factory.mktemp("experiment")
    for number in range(CLIPS):
        write_clip(root / "corpus", number)
    for number in range(2):
        write_clip(root / "strangers", 50 + number, "happy" if number else "neutral", "b")
    plan = small_plan(root / "plan.yaml")
    found = experiment(plan, root / "corpus", root / "out", unseen=root / "strangers", workers=1)
    return plan, root / "corpus", root / "out", found.answer


def test_it_answers_with_intervals(done: tuple[Path, Path, Path, str]) -> None:
    _, _, out, said = done
    found = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert found["verdict"] == said and said
    outcomes = {level["outcome"] for level in found["levels"]}
    assert {"neutral: lip r", "emotional: EVE", "emotional: Frechet face"} <= outcomes
    assert "unseen: LVE" in outcomes
    question = [c for c in found["contrasts"] if (c["first"], c["second"]) == ("dual", "single")]
    assert len(question) == len(outcomes)
    for one in question:
        interval = one["difference"]
        assert interval["low"] <= interval["mean"] <= interval["high"]
    read = {name: sum(map(sum, table)) for name, table in found["confusions"].items()}
    assert read["dual"] == read["single"] == read["reference"] > 0
    text = (out / "RESULTS.md").read_text(encoding="utf-8")
    assert said in text and "acted over neutral clips" in text and "one speaker" in text
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "http" not in page and "<script" not in page


def test_sizes_match_and_a_still_face_is_still(done: tuple[Path, Path, Path, str]) -> None:
    out = done[2]
    facts = json.loads((out / "results.json").read_text(encoding="utf-8"))["facts"]
    sizes = {
        words[0]: int(words[1].replace(",", ""))
        for words in (part.split(" ") for part in facts["parameters"].split(", "))
    }
    assert sizes["single"] == pytest.approx(sizes["lip"] + sizes["emo"], rel=0.1)
    still = store.read(next((out / "systems/still/seed0/neutral/tracks").glob("*.h5")), FaceTrack)
    assert not still.expression.any() and not np.ptp(still.head_pose, axis=0).any()


def test_test_clips_are_not_trained_on_and_lips_are_real(
    done: tuple[Path, Path, Path, str],
) -> None:
    corpus, out = done[1], done[2]
    names = {
        name: {path.name for path in (out / "sets" / name / "tracks").glob("*.h5")}
        for name in ("train", "neutral", "emotional", "unseen")
    }
    assert names["neutral"] == names["emotional"] and names["neutral"]
    assert not names["train"] & names["neutral"]
    assert len(names["train"]) + len(names["neutral"]) == CLIPS
    model = load_default_face_model()
    jaw = model.expression_names.index("jawOpen")
    for name in names["neutral"]:
        real = store.read(corpus / "tracks" / name, FaceTrack).expression[:, jaw]
        plain = store.read(out / "sets/neutral/tracks" / name, FaceTrack)
        acted = store.read(out / "sets/emotional/tracks" / name, FaceTrack)
        assert np.corrcoef(plain.expression[:, jaw], real)[0, 1] > 0.95
        assert plain.labels.emotion == "neutral" != acted.labels.emotion
        assert np.abs(acted.expression - plain.expression).max() > 0.1


def test_a_second_run_does_nothing_and_a_lost_cell_is_done_again(
    done: tuple[Path, Path, Path, str],
) -> None:
    plan, corpus, out, said = done
    times = {p: p.stat().st_mtime_ns for p in out.rglob("*.safetensors")}
    lost = out / "systems/single/seed0/measures.h5"
    lost.unlink()
    unseen = corpus.with_name("strangers")
    assert experiment(plan, corpus, out, unseen=unseen, workers=1).answer == said
    assert lost.is_file()
    assert times == {p: p.stat().st_mtime_ns for p in out.rglob("*.safetensors")}


def test_a_corpus_with_emotions_is_taken_as_it_is(tmp_path: Path) -> None:
    for number in range(12):
        emotion = ("neutral", "happy")[number % 2]
        write_clip(tmp_path / "corpus", number, emotion, f"s{number // 2}")
    data = replace(read_plan(PLAN).data, test_share=0.3)
    sets = prepare(tmp_path / "corpus", None, data, tmp_path / "o", workers=1, progress=Quiet())
    assert not sets.acted and sets.by == "speakers"
    speakers = {
        name: {
            store.read_field(path, FaceTrack, "labels").speaker
            for path in (sets.folder(name) / "tracks").glob("*.h5")
        }
        for name in ("train", "neutral", "emotional")
    }
    assert speakers["neutral"] == speakers["emotional"] and speakers["neutral"]
    assert not speakers["train"] & speakers["neutral"]


def test_another_plan_wants_another_folder(
    done: tuple[Path, Path, Path, str], tmp_path: Path
) -> None:
    _, corpus, out, _ = done
    unseen = corpus.with_name("strangers")
    plan = small_plan(tmp_path / "same.yaml")
    longer = small_plan(tmp_path / "longer.yaml", training={**TINY, "steps": 5})
    systems = yaml.safe_load(plan.read_text(encoding="utf-8"))["systems"]
    systems["single"]["draw"] = {"temperature": 0.5}
    cooler = small_plan(tmp_path / "cooler.yaml", systems=systems)
    share = {"test_share": 0.4}
    shared = small_plan(tmp_path / "shared.yaml", data=share)
    before = contents(out)
    for changed, difference in (
        (longer, "steps was 4, is now 5"),
        (cooler, "temperature was null, is now 0.5"),
        (shared, "test_share was 0.3, is now 0.4"),
    ):
        with pytest.raises(EmotalkError, match=rf"{difference}(?s:.)*another folder") as caught:
            experiment(changed, corpus, out, unseen=unseen, workers=1)
        assert "--overwrite" not in str(caught.value) and "--resume" not in str(caught.value)
        assert contents(out) == before
    with pytest.raises(EmotalkError, match=r"unseen was(?s:.)*another folder"):
        experiment(plan, corpus, out, workers=1)
    assert contents(out) == before


def test_a_decoder_of_other_clips_is_refused_without_options_that_are_not_there(
    done: tuple[Path, Path, Path, str], tmp_path: Path
) -> None:
    out = done[2]
    cell = TrainCell(
        "lip", "lip", 1, out / "sets/train", out / "decoders/lip/seed0", out / "configs/lip.yaml"
    )
    with pytest.raises(EmotalkError, match="seed was 0, is now 1") as caught:
        train_cell(cell)
    assert "--" not in str(caught.value)


def test_a_folder_of_other_things_is_refused_and_left_alone(
    done: tuple[Path, Path, Path, str], tmp_path: Path
) -> None:
    plan, corpus, _, _ = done
    out = tmp_path / "pics"
    (out / "sets").mkdir(parents=True)
    for name in ("0.mp4", "1.mp4", "2.mp4", "sets/3.mp4"):
        (out / name).write_text("film")
    before = contents(out)
    says = r"no experiment \(found: 0.mp4, 1.mp4, 2.mp4 and 1 more\)(?s:.)*with -o"
    with pytest.raises(StaleOutputError, match=says):
        experiment(plan, corpus, out, workers=1)
    assert contents(out) == before


def test_a_second_run_at_once_is_refused(
    done: tuple[Path, Path, Path, str], tmp_path: Path
) -> None:
    plan, corpus, _, _ = done
    out = tmp_path / "out"
    with one_run(out, "experiment"):
        with pytest.raises(EmotalkError, match="Another `emotalk experiment`") as caught:
            experiment(plan, corpus, out, workers=1)
        assert [path.name for path in out.iterdir()] == [".experiment.lock"]
    assert "--shard" not in str(caught.value)


@pytest.mark.parametrize("option", ["data", "unseen"])
def test_a_corpus_that_is_missing_leaves_nothing_behind(option: str, tmp_path: Path) -> None:
    write_clip(tmp_path / "data", 0)
    places = {"data": tmp_path / "data", option: tmp_path / "nope"}
    plan, out = small_plan(tmp_path / "plan.yaml"), tmp_path / "out"
    with pytest.raises(EmotalkError, match=rf"nope(?s:.)*--{option}"):
        experiment(plan, places["data"], out, unseen=places.get("unseen"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("names", "finished", "says"),
    [
        (("a", "b", "c"), False, ""),
        (("a", "b", "c"), True, "1 clip.s., such as c, which .* has anew"),
        (("a", "b"), True, ""),
        (("a",), False, "1 clip.s., such as b, which .*clips has, and"),
    ],
)
def test_another_corpus_is_refused_before_its_clips_lie_among_the_others(
    names: tuple[str, ...], finished: bool, says: str, tmp_path: Path
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    for name in names:
        (data / f"{name}.mp4").touch()
    clips = out / "corpus" / "clips"
    clips.mkdir(parents=True)
    (clips / "a.h5").touch()
    (clips / "manifest.csv").write_text("clip,status\na,done\nb,failed\n")
    plan = read_plan(small_plan(tmp_path / "plan.yaml"))
    if finished:
        made_by = MadeBy("experiment", __version__, asdict(plan.data), inputs={"data": "0"})
        (out / "sets").mkdir()
        content = json.dumps({"made_by": json.loads(store.as_json(made_by))})
        (out / "sets" / "records.json").write_text(content)
    before = contents(out)
    if says:
        with pytest.raises(EmotalkError, match=rf"{says}(?s:.)*another folder"):
            require_ready(plan, data, None, out)
    else:
        require_ready(plan, data, None, out)
    assert contents(out) == before


def test_outcomes_without_clips(done: tuple[Path, Path, Path, str], tmp_path: Path) -> None:
    corpus = done[1]
    plan = small_plan(tmp_path / "plan.yaml", outcomes=[{"set": "unseen", "metric": "LVE"}])
    with pytest.raises(EmotalkError, match=r"No clip is there for any outcome.*unseen: LVE"):
        experiment(plan, corpus, tmp_path / "out", workers=1)
    assert not (tmp_path / "out" / "decoders").exists()


def test_the_report_says_what_could_not_be_measured(
    done: tuple[Path, Path, Path, str], tmp_path: Path
) -> None:
    plan, _, before, _ = done
    out = tmp_path / "out"
    shutil.copytree(before, out)
    counts = {path.name: 4 for path in (out / "sets").iterdir() if path.is_dir()}
    sets = Sets(out / "sets", True, "clips", {**counts, "unseen": 0}, dict(counts))
    answer(read_plan(plan), [0], sets, out / READER, out, Quiet())
    text = (out / "RESULTS.md").read_text(encoding="utf-8")
    assert "2 outcome(s) of the plan could not be measured" in text
    assert "unseen: LVE, unseen: lip r" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sets": []}, "unknown key 'sets'"),
        ({"training": {"step": 3}}, "unknown key 'step'"),
        ({"systems": {"dual": {"decoders": ["lips"]}}}, "'lips'"),
        ({"systems": {"dual": {"decoders": ["emo"]}}}, "joined by system dual"),
        ({"compare": [["dual", "triple"]]}, "'triple'"),
        ({"outcomes": [{"set": "train", "metric": "lip r"}]}, "'train'"),
        (
            {"outcomes": [{"set": "emotional", "metric": "EVEE"}]},
            r"a metric of the set emotional is 'EVEE'.\nDid you mean 'EVE'\? Known: lip r,",
        ),
        (
            {"outcomes": [{"set": "neutral", "metric": "lips kept under emotion"}]},
            "a metric of the set neutral is",
        ),
        (
            {
                "systems": {"dual": {"draw": {"temprature": 1}}, "still": {}},
                "compare": [["dual", "still"]],
            },
            "Did you mean 'temperature'",
        ),
        ({"seeds": []}, "empty"),
        ({"data": {"share": 1}}, "unknown key 'share'"),
        ({"seeds": "abc"}, r"seeds is 'abc'.\nGive a list of different whole numbers"),
        ({"seeds": [0, "a"]}, r"seeds is \[0, 'a'\]"),
        ({"seeds": [0.5]}, r"seeds is \[0.5\]"),
        ({"seeds": [1, 1]}, "different whole numbers"),
        ({"seeds": [-1]}, "whole numbers from 0"),
        ({"resamples": -4}, r"resamples is -4.\nGive a whole number from 10"),
        ({"resamples": "many"}, "resamples is 'many'"),
        ({"data": {"augment": -1}}, r"data.augment is -1.\nGive a whole number from 0"),
        ({"data": {"limit": True}}, "data.limit is True"),
        ({"data": {"test_share": "some"}}, r"data.test_share is 'some'.\nGive a number from 0"),
        ({"data": {"validation_share": 1}}, "data.validation_share is 1"),
        ({"compare": [["dual"]]}, "compare is .*\nGive a list of pairs"),
        ({"decoders": ["lip"]}, "decoders is .*\nGive a mapping of names"),
        ({"training": 4}, "training is 4"),
    ],
)
def test_a_wrong_plan_is_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    for number in range(4):
        write_clip(tmp_path / "corpus", number)
    plan = small_plan(tmp_path / "plan.yaml", **changes)
    with pytest.raises(EmotalkError, match=message):
        experiment(plan, tmp_path / "corpus", tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()


def test_a_plan_that_is_missing_or_no_yaml(tmp_path: Path) -> None:
    with pytest.raises(EmotalkError, match="There is no file"):
        read_plan(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("title: x", encoding="utf-8")
    with pytest.raises(EmotalkError, match="lacks question"):
        read_plan(tmp_path / "bad.yaml")
    with pytest.raises(EmotalkError, match="There is no folder"):
        experiment(PLAN, tmp_path / "nowhere", tmp_path / "out")
