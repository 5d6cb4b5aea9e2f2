"""What an experiment can measure: the names that a plan's outcomes may have."""

from __future__ import annotations

SCORED = (
    *("lip r", "|lip lag|", "lip amplitude", "lip closures kept", "lip closure F1", "MOD"),
    *("LVE", "EVE", "MVE", "FDD", "|FDD|", "M-LMD", "jitter", "head range", "blink rate"),
)
"""Metrics of `emotalk score`."""
KEPT, READ = "lips kept under emotion", "emotion read"
FRECHET = {"Frechet face": False, "Frechet mouth": True}
"""Outcome -> whether it looks at the mouth's units, or at all others."""
OWN_METRICS = {
    "Frechet face": "Fréchet distance between the frames of all clips, made and real, in the units "
    "beside the lips' and their change over 0.2 s: the same faces and as lively, whatever the "
    "moment. Reference: training clips against test clips.",
    "Frechet mouth": "The same of the lips' units.",
    KEPT: "Correlation of the lip opening of a clip made with its emotion and made neutral, same "
    "speech and seed: below 1 the emotion leaks into the lips. Neither high nor low is right; the "
    "reference's own value is, where the corpus has both.",
    READ: "Share of clips whose emotion a logistic regression on the units' quantiles over time, "
    "trained on the training clips, finds most likely. Reference: its ceiling.",
}
"""What the experiment measures itself, and what that means."""


def metrics_of(name: str) -> tuple[str, ...]:
    """The metrics that clips of the set `name` can be judged by."""
    own = [metric for metric in OWN_METRICS if metric != KEPT or name == "emotional"]
    return (*SCORED, *own)
