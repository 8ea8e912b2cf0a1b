"""``datasets list`` and ``fetch``, the latter from a server on this machine that can fail in every way."""

import dataclasses
import gzip
import hashlib
import json
import sys
import threading
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffzero_lab.datasets import IMAGE_SETS
from ffzero_lab.training import TrainSettings

Command = Callable[..., Any]

FILES = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
]


def published() -> dict[str, bytes]:
    """Four files of a small set: 60 training and 20 test images, brighter at the top for even classes."""

    def file(*arrays: np.ndarray) -> bytes:
        array = arrays[0]
        sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
        return gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes(), mtime=0)

    labels = np.arange(80, dtype=np.uint8) % 10
    images = np.random.default_rng(4).integers(0, 128, (80, 28, 28), dtype=np.uint8)
    images[labels % 2 == 0, :14] += 127
    return dict(zip(FILES, map(file, (images[:60], labels[:60], images[60:], labels[60:])), strict=True))


@dataclasses.dataclass
class Server:
    """What it serves under /set, how often it was asked for what, and the file that it breaks off halfway."""

    url: str
    content: dict[str, bytes]
    asked: list[str]
    breaks_off: str = ""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Generator[Server]:
    content = published()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/set/")
            state.asked.append(name)
            body = state.content.get(name)
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if name == state.breaks_off else body)

        def log_message(self, *args: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Server(f"http://127.0.0.1:{httpd.server_port}/set", content, [])
    sums = tuple(hashlib.sha256(content[name]).hexdigest() for name in FILES)
    monkeypatch.setitem(IMAGE_SETS, "mnist", dataclasses.replace(IMAGE_SETS["mnist"], url=state.url, sha256=sums))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("FFZERO_DATA", raising=False)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_fetch_brings_four_files_into_a_folder_of_the_set_and_the_second_time_nothing(cli, server, tmp_path) -> None:
    ended = cli("datasets", "fetch", "mnist", "--data-dir", tmp_path / "sets", "--url", f"{server.url}/")
    assert ended.code == 0, ended.err
    assert "60 training and 20 test images in" in ended.out
    folder = tmp_path / "sets" / "mnist"
    assert names(folder) == sorted(FILES)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == server.content
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in folder.iterdir())
    again = cli("datasets", "fetch", "mnist", "--data-dir", tmp_path / "sets", "--json")
    assert again.json == {"dataset": "mnist", "folder": str(folder), "train": 60, "test": 20, "downloaded": []}
    assert server.asked == FILES


def test_a_broken_download_leaves_nothing_and_the_next_one_brings_only_what_is_missing(cli, server, tmp_path) -> None:
    server.breaks_off = FILES[2]
    ended = cli("datasets", "fetch", "mnist", "--data-dir", tmp_path)
    assert ended.code == 1
    assert f"cannot download {server.url}/{FILES[2]}" in ended.err
    assert "Nothing of this file is left behind" in ended.err
    assert names(tmp_path / "mnist") == sorted(FILES[:2])
    server.breaks_off = ""
    server.asked.clear()
    ended = cli("datasets", "fetch", "mnist", "--data-dir", tmp_path, "--json")
    assert ended.json["downloaded"] == FILES[2:]
    assert server.asked == FILES[2:]


@pytest.mark.parametrize(
    ("content", "words"),
    [(gzip.compress(b"another file"), "hash"), (b"<html>please log in</html>", "hash"), (None, "404")],
    ids=["another file", "a page", "no file"],
)
def test_what_is_not_the_published_file_is_not_kept(cli, server, tmp_path, content: bytes | None, words: str) -> None:
    if content is None:
        del server.content[FILES[0]]
    else:
        server.content[FILES[0]] = content
    ended = cli("datasets", "fetch", "mnist", "--data-dir", tmp_path)
    assert ended.code == 1
    assert words in ended.err
    assert names(tmp_path) == []


def test_a_server_that_does_not_answer_is_one_message(cli, server, tmp_path) -> None:
    ended = cli("datasets", "fetch", "mnist", "--data-dir", tmp_path, "--url", "http://127.0.0.1:9", "--json")
    assert ended.code == 1
    assert "cannot download http://127.0.0.1:9/train-images-idx3-ubyte.gz" in ended.json["error"]["message"]
    assert names(tmp_path) == []


def test_a_damaged_file_that_stands_there_is_named_and_not_touched(cli, server, tmp_path) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    (folder / FILES[1].removesuffix(".gz")).write_bytes(b"\0\0\x08\x01\0\0\0\x3cshort")
    ended = cli("datasets", "fetch", "mnist", "--data-dir", tmp_path)
    assert ended.code == 2
    assert "train-labels-idx1-ubyte is truncated: 13 bytes, expected 68" in ended.err
    assert "move that file away, then fetch again" in ended.err
    assert (folder / FILES[1].removesuffix(".gz")).read_bytes().endswith(b"short")
    assert FILES[1] not in server.asked


def test_the_variable_names_the_folder(cli, server, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FFZERO_DATA", str(tmp_path / "data"))
    assert cli("datasets", "fetch", "mnist").code == 0
    assert names(tmp_path / "data" / "mnist") == sorted(FILES)


def test_without_pooch_the_message_says_how_to_get_it(cli, server, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    ended = cli("datasets", "fetch", "mnist", "--data-dir", tmp_path)
    assert ended.code == 2
    assert "pip install 'ffzero-lab[fetch]'" in ended.err
    assert f"from {server.url} into {tmp_path / 'mnist'}" in ended.err
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mnis", "--data-dir", "."], ["'mnis' is unknown (did you mean 'mnist'?)", "fashion-mnist"]),
        (["iris", "--data-dir", "."], ["'iris' comes with the package"]),
        (["mnist"], ["no folder is named", "--data-dir DIR", "FFZERO_DATA"]),
        (["mnist", "--data-dir", ".", "--url", "nowhere"], ["cannot download nowhere/train-images"]),
    ],
)
def test_what_cannot_be_fetched_is_told(cli, server, arguments: list[str], words: list[str]) -> None:
    ended = cli("datasets", "fetch", *arguments)
    assert ended.code in {1, 2}
    assert all(word in ended.err for word in words)
    assert server.asked == []


def test_the_list_tells_sizes_classes_and_where_each_set_stands(cli, server, tmp_path) -> None:
    cli("datasets", "fetch", "mnist", "--data-dir", tmp_path)
    rows = {row["name"]: row for row in cli("datasets", "list", "--data-dir", tmp_path, "--json").json["datasets"]}
    assert (rows["iris"]["train"], rows["iris"]["test"], rows["iris"]["features"]) == (105, 45, 4)
    assert rows["iris"]["classes"] == ["setosa", "versicolor", "virginica"]
    assert (rows["function2"]["task"], rows["function2"]["classes"]) == ("regression", [])
    assert (rows["mnist"]["train"], rows["mnist"]["where"]) == (60, str(tmp_path / "mnist"))
    assert (rows["fashion-mnist"]["train"], rows["fashion-mnist"]["where"]) == (60_000, None)
    shown = cli("datasets", "list").out
    assert "function1" in shown
    assert "not found" in shown
    assert "ffzero-lab datasets fetch NAME --data-dir DIR" in shown


def test_the_list_tells_what_is_wrong_with_the_files(cli, server, tmp_path) -> None:
    cli("datasets", "fetch", "mnist", "--data-dir", tmp_path)
    (tmp_path / "mnist" / FILES[0]).write_bytes(b"\x1f\x8bnothing")
    shown = cli("datasets", "list", "--data-dir", tmp_path).out
    assert "see below" in shown
    assert "train-images-idx3-ubyte.gz is a corrupt gzip file" in shown


def test_a_run_on_a_fetched_set_is_evaluated_from_anywhere_without_the_variable(cli, server, tmp_path, monkeypatch):
    monkeypatch.setenv("FFZERO_DATA", "data")
    assert cli("datasets", "fetch", "mnist").code == 0
    asked = ["--dataset", "mnist:4x4", "--set", "device.ports=17", "--layers", "1", "--steps", "3", "--json"]
    ended = cli("train", *asked)
    assert ended.code == 0, ended.err
    run = tmp_path / ended.json["run"]
    assert run.name.endswith("-mnist-4x4-seed0")
    manifest = json.loads((run / "manifest.json").read_text())
    assert TrainSettings(**manifest["settings"]).data_dir == tmp_path / "data"
    assert (manifest["dataset"]["features"], manifest["dataset"]["train"]) == (16, 60)
    monkeypatch.delenv("FFZERO_DATA")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert cli("evaluate", run, "--json").json["patterns"] == 20


def test_training_says_how_to_get_a_set_that_is_not_there(cli, monkeypatch) -> None:
    monkeypatch.delenv("FFZERO_DATA", raising=False)
    ended = cli("train", "--dataset", "fashion-mnist:8x8")
    assert ended.code == 2
    assert "'ffzero-lab datasets fetch fashion-mnist --data-dir DIR' downloads them" in ended.err
