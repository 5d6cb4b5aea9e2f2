# `make setup demo test lint type bench`: everything a newcomer needs; pip is the only download.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# A build of torch for the CPU where the index offers one; see "With a GPU" in the README.
TORCH  ?= torch==2.13.0
OPENCV := 4.11.0.86
STAMP  := $(VENV)/.installed

.PHONY: setup extras demo test lint type bench experiment needs-data clean

setup: $(STAMP)

# MediaPipe asks for an OpenCV that needs libGL.so.1; the headless build of the same version does not.
define headless
	$(BIN)/python -m pip uninstall --quiet --yes opencv-contrib-python
	$(BIN)/python -m pip install --quiet --no-deps --force-reinstall \
	  opencv-contrib-python-headless==$(OPENCV)
endef

$(STAMP): pyproject.toml Makefile
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet "$(TORCH)" --editable ".[dev]"
	$(headless)
	touch $@

# make extras EXTRAS=ui,hf: optional parts; `emotalk doctor` names them all.
extras: setup
	$(BIN)/python -m pip install --quiet --editable ".[$(EXTRAS)]"
	$(headless)

demo: setup
	$(BIN)/emotalk generate --audio emotalk_cli/assets/demo_speech.flac \
	  --face emotalk_cli/assets/demo_face.jpg --emotion happy \
	  --output demo/demo.mp4 --motion-out demo/demo.h5 --sheet demo/demo.png --overwrite

test: setup lint type
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: setup
	$(BIN)/mypy

bench: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.bench

# make experiment DATA=MEAD/ [UNSEEN=CREMA-D/] [OUT=experiment]: do two decoders beat one?
experiment: needs-data setup
	OMP_NUM_THREADS=1 $(BIN)/emotalk experiment data_manifests/experiments/dual_vs_single.yaml \
	  --data $(DATA) $(if $(UNSEEN),--unseen $(UNSEEN)) --output $(or $(OUT),experiment)

needs-data:
	$(if $(DATA),,$(error Name the corpus: make experiment DATA=MEAD/))

clean:
	rm -rf $(VENV) demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache
