"""The page in a real browser, from upload to playing video, and what it must not give away."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest

from emotalk_cli.media import ffmpeg_binary
from emotalk_cli.stages.generate import DEMO_FACE, DEMO_SPEECH

pytest.importorskip("gradio")
START_S = 60.0
VIDEO_S = 180.0


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the terminal of the page shows."""
    return tmp_path_factory.mktemp("terminal") / "stderr.txt"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page puts its temporary files."""
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def address(errors: Path, place: Path) -> Iterator[str]:
    """A page served by the command line on a free port; its end leaves nothing behind."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "emotalk_cli", "ui", "--port", str(port)]
    told = {**os.environ, "TMPDIR": str(place)}
    with errors.open("w") as file:
        process = subprocess.Popen(command, stderr=file, stdout=subprocess.DEVNULL, env=told)
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + START_S
        while time.monotonic() < end and process.poll() is None:
            if f"The page is at {url}" in errors.read_text():
                break
            time.sleep(0.2)
        assert process.poll() is None
        assert list(place.iterdir())
        yield url
    finally:
        process.terminate()
        process.wait(20)
    assert not list(place.iterdir())


def test_a_busy_port_is_said_before_anything_else() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "emotalk_cli", "ui", "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=START_S,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: The page cannot be served at 127.0.0.1:{port}: ")
    assert "in use" in done.stderr
    assert "The page is at" not in done.stderr
    assert "gradio" not in done.stderr.lower()


def test_a_broken_picture_is_named_as_it_was_sent(
    address: str, errors: Path, place: Path, tmp_path: Path
) -> None:
    client = pytest.importorskip("gradio_client")
    broken = tmp_path / "my face.jpg"
    broken.write_bytes(b"\xff\xd8\xff no picture at all")
    sent = [client.handle_file(str(path)) for path in (broken, DEMO_SPEECH)]
    values = [True, 0, "happy", 1] + [False, 2, "neutral", 1] * 3
    values += [1, 1, 1, "wander", 256, "full", 0]
    page = client.Client(address, verbose=False, download_files=str(tmp_path))
    with pytest.raises(client.exceptions.AppError) as caught:
        page.predict(*sent, *values, api_name="/generate")
    assert "my face.jpg is no picture that can be read." in str(caught.value)
    assert str(place) not in str(caught.value)
    assert "Traceback" not in errors.read_text()


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize(
    "path",
    [
        "file=/etc/passwd",
        "gradio_api/file=/etc/passwd",
        "gradio_api/file=..%2f..%2f..%2fetc%2fpasswd",
        "gradio_api/file=pyproject.toml",
        f"gradio_api/file={Path(__file__).resolve()}",
        "gradio_api/proxy=http://127.0.0.1:22/",
    ],
)
def test_other_files_are_refused(address: str, path: str) -> None:
    assert status_of(f"{address}/{path}") in (400, 403, 404)


def test_other_names_of_this_machine_are_not_answered(address: str) -> None:
    request = urllib.request.Request(address, headers={"Host": "example.org"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)
    assert caught.value.code == 400


def test_files_of_this_machine_do_not_count_as_uploads(address: str, tmp_path: Path) -> None:
    mine = [Path(shutil.copy(path, tmp_path)) for path in (DEMO_FACE, DEMO_SPEECH)]
    values: list[Any] = [{"path": str(p), "meta": {"_type": "gradio.FileData"}} for p in mine]
    values += [True, 0, "happy", 1] + [False, 2, "neutral", 1] * 3
    values += [1, 1, 1, "wander", 256, "full", 0]
    call = f"{address}/gradio_api/call/generate"
    request = urllib.request.Request(call, json.dumps({"data": values}).encode())
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=60) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{call}/{event}", timeout=VIDEO_S) as answer:
        told = answer.read().decode()
    assert "event: error" in told
    assert "event: complete" not in told


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver")
    driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
    if not driver or not chromium:
        pytest.skip("needs chromium and its driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--window-size=1280,1400", "--lang=en"):
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path / 'profile'}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    service = webdriver.ChromeService(driver)
    chrome = webdriver.Chrome(options, service)
    yield chrome
    chrome.quit()


def test_from_upload_to_playing_video(address: str, browser: Any, tmp_path: Path) -> None:
    speech = tmp_path / "speech.wav"
    cut = [ffmpeg_binary(), "-v", "error", "-i", str(DEMO_SPEECH), "-t", "2", str(speech)]
    subprocess.run(cut, check=True)
    browser.get(address)
    inputs = wait_for(browser, "input[type=file]", 2)
    inputs[0].send_keys(str(DEMO_FACE))
    inputs[1].send_keys(str(speech))
    time.sleep(3)
    buttons = browser.find_elements("tag name", "button")
    next(b for b in buttons if b.text == "Make the video").click()
    (video,) = wait_for(browser, "video", 1, VIDEO_S)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        ready, played = browser.execute_script(
            "arguments[0].muted = true; arguments[0].play();"
            "return [arguments[0].readyState, arguments[0].currentTime]",
            video,
        )
        if ready >= 2 and played > 0.2:
            break
        time.sleep(0.2)
    assert ready >= 2
    assert played > 0.2
    picture = os.environ.get("EMOTALK_SCREENSHOT")
    if picture:
        browser.save_screenshot(picture)
    asked = {
        host
        for entry in browser.get_log("performance")
        for host in hosts_in(entry["message"])
        if not host.startswith("127.0.0.1")
    }
    assert not asked


def hosts_in(message: str) -> list[str]:
    """Hosts of the requests that a log entry of the browser tells of."""
    event = json.loads(message)["message"]
    if event["method"] != "Network.requestWillBeSent":
        return []
    url = urlparse(event["params"]["request"]["url"])
    return [url.netloc] if url.scheme in ("http", "https", "ws", "wss") else []


def wait_for(browser: Any, selector: str, count: int, limit_s: float = 30.0) -> list[Any]:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        found = browser.find_elements("css selector", selector)
        if len(found) >= count:
            return list(found[:count])
        time.sleep(0.2)
    raise AssertionError(f"{count} x {selector} did not appear in {limit_s:g} s")
