"""The page of a protocol leads to those of its training runs."""

from protocols.book import Book, Entry
from protocols.steps.report import written


def test_it_links_to_each_training_run_those_of_a_sweep_included() -> None:
    swept = {"values": [1, 2], "points": [{"run": "03-sweep/point-1/training"}, {"run": "03-sweep/point-2/training"}]}
    entries = [Entry("train", "train", results={"run": "02-train a&b"}), Entry("sweep", "sweep", results=swept)]
    page = written("title", "device", Book(entries))
    for link in ("02-train%20a%26b", "03-sweep/point-1/training", "03-sweep/point-2/training"):
        assert f'href="{link}/report.html"' in page
    assert "ffzero-lab report" in page


def test_without_training_there_is_nothing_to_link_to() -> None:
    page = written("title", "device", Book([Entry("park", "park", results={}), Entry("train", "train")]))
    assert "href" not in page
