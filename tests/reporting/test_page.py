"""The page of a report: one file that fetches nothing, says what the report says, and works in a browser."""

import html
import json
import random
import re

import chromium
import numpy as np
import pytest
from run_folders import write_result, write_run

from mtlrun.reporting.exports import FORMATS, write
from mtlrun.reporting.make import report
from mtlrun.reporting.page import trade_offs
from mtlrun.reporting.page.svg import tag, tick_texts, ticks
from mtlrun.reporting.page.thinning import at_positions, common_positions, mean_and_deviation
from mtlrun.reporting.series import Course

NASTY = ["<script>alert(1)</script>", "[red]x[/red]", "</script><b>", "a\"b'c&d", "{{ 7 * 7 }}"]


def sweep(folder, methods=3, seeds=3, tasks=3, epochs=6, steps=20):
    """Runs with curves, cosines and single-task runs; each method a little better than the one before."""
    for seed in range(seeds):
        draw = random.Random(seed)
        for method in range(methods):
            path = folder / f"m{method}s{seed}"
            write_run(path, tasks, epochs=epochs, steps_per_epoch=steps, seed=seed + method)
            scores = {f"task{task:02d}": 0.7 + 0.03 * method + 0.002 * draw.random() for task in range(tasks)}
            more = {"rows_per_second": 1000.0 + method, "steps": epochs * steps}
            write_result(path, scores, seed=seed, balancer=f"method{method}", summary=more)
        single = {f"task{task:02d}": 0.71 + 0.001 * draw.random() for task in range(tasks)}
        write_result(folder / f"stl{seed}", single, seed=seed, sharing="independent")
    return folder


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The file, in the folder of its runs."""
    folder = sweep(tmp_path_factory.mktemp("runs"))
    write(report(folder), "html", folder / "report.html")
    return folder / "report.html"


def data_of(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])


def assert_fetches_nothing(text):
    addresses = re.findall(r"""(?:src|href|action|data)\s*=\s*["']?([^"'\s>]*)""", text.partition("<script>")[0])
    assert not [address for address in addresses if re.match(r"(?:\w+:)?//|https?:", address)]
    assert "url(" not in text.partition("</style>")[0]
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_it_is_one_file(page):
    text = page.read_text()
    assert_fetches_nothing(text)
    assert "Leon Sorokin" in text  # uPlot's licence asks for its notice
    assert text.index("Verdict") < text.index("<table") < text.index("Over training")


def test_it_says_what_the_report_says(page):
    made, text = report(page.parent), html.unescape(page.read_text())
    section = made.sections[0]
    for line in (section.conclusion, *section.notes, *section.doubts, *section.commands):
        assert line in text
    assert "mtlrun -m task=digits balancer=method1 sharing=hard seed=0,1,2" in text
    for row in section.rows:
        assert all(folder in text for folder in row.folders)


def test_every_figure_is_there(page):
    text, section = page.read_text(), data_of(page.read_text())["sections"][0]
    titles = [curve["title"] for curve in section["curves"]]
    assert titles[:3] == ["validation score", "validation loss", "training loss"]
    assert titles[3:] == ["task weight", "gradient norm", "cosine of gradients"]
    assert section["curves"][-1]["names"][0] == "task00 – task01"
    assert text.count('class="heat"') == 3
    assert text.count('class="scatter"') == 2
    assert text.count('class="forest"') == 3 * 4  # methods; the measure and three tasks
    assert [axis["label"] for axis in section["axes"]][-1] == "ms per step ↓"


def test_a_curve_is_the_mean_of_its_runs(page):
    curves = data_of(page.read_text())["sections"][0]["curves"][1]
    row = curves["curves"][0][1]
    assert curves["x"] == [1, 2, 3, 4, 5, 6]
    assert row["m"] == pytest.approx(np.mean(row["r"], axis=0), rel=1e-3)
    assert row["s"] == pytest.approx(np.std(row["r"], axis=0, ddof=1), rel=1e-2, abs=1e-4)


def test_rows_of_other_lengths_share_a_plot(tmp_path):
    for name, epochs in (("a", 4), ("b", 6)):
        write_run(tmp_path / name, 2, epochs=epochs, steps_per_epoch=10)
        write_result(tmp_path / name, {"task00": 0.5, "task01": 0.5}, balancer=name)
    curves = data_of(FORMATS["html"](report(tmp_path)))["sections"][0]["curves"][1]
    assert curves["x"] == [1, 2, 3, 4, 5, 6]
    assert [curve["m"].count(None) for curve in curves["curves"][0]] == [2, 0]


def test_names_are_shown_as_they_are(result, tmp_path):
    for seed in range(2):
        for method in ("<i>a", "b"):
            result(f"{method[-1]}{seed}", dict.fromkeys(NASTY, 0.5 + 0.1 * seed), seed=seed, balancer=method)
        result(f"stl{seed}", dict.fromkeys(NASTY, 0.5), seed=seed, sharing="independent")
    result("bad", {}, seed=7, status="failed", error="</script><script>alert(2)</script>")
    text = FORMATS["html"](report(tmp_path))
    assert text.count("<script") == text.count("</script>") == 3  # the data, uPlot, ours
    assert "<i>a" not in text
    assert "alert(2)&lt;/script&gt;" in text
    for name in NASTY:
        assert name in html.unescape(text)
    assert data_of(text)["sections"][0]["axes"][0]["label"].startswith(NASTY[0])


def test_a_page_without_a_finished_run(result, tmp_path):
    result("a", {}, status="failed", error="boom")
    text = FORMATS["html"](report(tmp_path))
    assert "No finished run" in text
    assert "boom" in text


def test_results_of_another_tool_have_a_page(tmp_path):
    table = tmp_path / "wide.csv"
    table.write_text("method,seed,left/accuracy\nstl,0,0.9\nstl,1,0.8\nours,0,0.95\nours,1,0.9\n")
    text = FORMATS["html"](report(tables=[table]))
    assert "ours" in text
    assert not data_of(text)["sections"][0]["curves"]


def test_large_pictures_are_left_out_and_named(tmp_path):
    from PIL import Image

    for name, size in (("a", 64), ("b", 700)):
        path = write_result(tmp_path / name, {"left": 0.5}, balancer=name)
        (path / "plots").mkdir()
        noise = np.random.default_rng(0).integers(0, 255, (size, size, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path / "plots" / "samples.png")
    write(report(tmp_path), "html", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert text.count('src="data:image/webp;base64,') == 1
    assert 'href="b/plots/samples.png"' in text


@pytest.mark.slow
def test_200_runs_stay_below_a_megabyte(tmp_path):
    made = report(sweep(tmp_path, methods=66, epochs=40, steps=5))
    text = FORMATS["html"](made)
    assert len(text.encode()) < 1_000_000
    assert len(data_of(text)["sections"][0]["rows"]) == 67


def test_many_tasks_stay_below_a_megabyte(tmp_path):
    text = FORMATS["html"](report(sweep(tmp_path, methods=3, seeds=2, tasks=40, epochs=4, steps=20)))
    assert len(text.encode()) < 1_000_000
    assert "more are left out" in text


def test_thinning_keeps_means():
    course = Course(np.arange(1000.0), np.arange(1000.0))
    ends = common_positions([course], 10)
    assert [*ends] == [99, 199, 299, 399, 499, 599, 699, 799, 899, 999]
    assert at_positions(course, ends)[1] == pytest.approx(149.5)
    assert [*common_positions([course], 2000)] == [*course.x]
    gap = Course(np.array([5.0]), np.array([np.nan]))
    assert np.isnan(at_positions(gap, ends)).all()


def test_mean_and_deviation_count_what_is_known():
    mean, deviation = mean_and_deviation([np.array([1.0, 2.0, np.nan]), np.array([3.0, np.nan, np.nan])])
    assert mean[:2].tolist() == [2.0, 2.0]
    assert deviation[0] == pytest.approx(2**0.5)
    assert np.isnan(mean[2])
    assert np.isnan(deviation[1:]).all()


@pytest.mark.parametrize(
    ("x_higher", "y_higher", "kept"),
    [(True, True, [2, 1]), (False, True, [0, 2]), (True, False, [3, 1])],
)
def test_the_front_is_what_nothing_beats(x_higher, y_higher, kept):
    x = trade_offs.Axis("x", x_higher, [0.1, 0.9, 0.5, 0.4, None], [], [])
    y = trade_offs.Axis("y", y_higher, [0.2, 0.4, 0.8, 0.1, 1.0], [], [])
    assert trade_offs.front(x, y) == kept


@pytest.mark.parametrize(
    ("low", "high", "texts"), [(0.0, 1.0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]), (-3, 11, ["0", "5", "10"])]
)
def test_ticks_are_round(low, high, texts):
    assert tick_texts(ticks(low, high, 5)) == texts


def test_svg_escapes():
    assert tag("text", {"x": 1.0, "class": '"><b>'}, "<b>") == '<text x="1" class="&#34;&gt;&lt;b&gt;">&lt;b&gt;</text>'


needs_browser = pytest.mark.skipif(chromium.find() is None, reason="no chromium here")


@needs_browser
def test_in_a_browser_by_keyboard(page):
    with chromium.Page(page, width=400, dark=True) as shown:
        column = "document.querySelectorAll('.results th')[3]"
        scores = "[...document.querySelectorAll('.results tbody tr')].map(row => +row.cells[3].dataset.number)"
        shown.run(f"{column}.querySelector('button').focus()")
        shown.press("Enter")
        rising = shown.run(scores)
        assert rising == sorted(rising)
        assert shown.run(f"{column}.getAttribute('aria-sort')") == "ascending"
        shown.press("Enter")
        assert shown.run(scores) == rising[::-1]
        assert shown.run("document.querySelectorAll('.results [aria-sort]').length") == 1
        assert shown.run("document.documentElement.scrollWidth") <= 400
        captions = "[...document.querySelectorAll('.caption')].map(line => line.getBoundingClientRect().right)"
        assert max(shown.run(captions)) <= 400
        assert shown.problems == []


@needs_browser
def test_in_a_browser_plots_switch(page):
    choose = "(s, v) => { const e = document.querySelector(s); e.value = v; e.dispatchEvent(new Event('change')) }"
    with chromium.Page(page) as shown:
        assert shown.run("document.querySelectorAll('.plot canvas').length") == 1
        assert shown.run("document.querySelectorAll('.legend button').length") == 3  # single-task runs left no curve
        dashes = "[...document.querySelectorAll('.legend path')].map(path => path.getAttribute('stroke-dasharray'))"
        assert len({*shown.run(dashes)}) == 3  # of lines on each other each shows in the gaps of the next
        cut_off = "[...document.querySelectorAll('.wide')].filter(part => part.scrollWidth > part.clientWidth).length"
        assert shown.run(cut_off) == 0
        shown.run(f"({choose})('.quantity', '5')")
        assert "cosine of gradients of task00 – task01" in shown.run("document.querySelector('.plot').ariaLabel")
        shown.run(f"({choose})('.which', 'r1')")
        assert shown.run("document.querySelectorAll('.legend button').length") == 3  # pairs
        shown.run("document.querySelector('.singles').click()")
        shown.run("document.querySelector('.plot').focus()")
        shown.press("ArrowRight")
        assert shown.run("document.querySelector('.reading').textContent").startswith("step 10")
        before = shown.run("document.querySelector('.scatter .front').outerHTML")
        shown.run(f"({choose})('.trade-off select.x', '3')")
        assert shown.run("document.querySelector('.scatter .x-label').textContent").startswith("Delta-m")
        assert shown.run("document.querySelector('.scatter .front').outerHTML") != before
        assert shown.problems == []
