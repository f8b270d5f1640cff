"""The site is built strictly, asks no network for anything, and can be read and searched from a disk."""

import logging
import re
from pathlib import Path

import chromium
import pytest

mkdocs = pytest.importorskip("mkdocs.commands.build", reason="the site needs mtlrun[docs]")
pytest.importorskip("material", reason="the site needs mtlrun[docs]")
pytest.importorskip("mkdocstrings", reason="the site needs mtlrun[docs]")

ROOT = Path(__file__).parents[2]
needs_browser = pytest.mark.skipif(chromium.find() is None, reason="no chromium here")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, and what mkdocs warned of."""
    from mkdocs.config import load_config

    folder, said = tmp_path_factory.mktemp("site"), []
    listener = logging.Handler(logging.WARNING)
    listener.emit = lambda record: said.append(record.getMessage())
    logging.getLogger("mkdocs").addHandler(listener)
    try:
        config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder))
        config.plugins.on_startup(command="build", dirty=False)
        mkdocs.build(config)
    finally:
        logging.getLogger("mkdocs").removeHandler(listener)
    return folder, said


def test_no_link_leads_nowhere(site):
    assert site[1] == []


def test_every_page_of_docs_is_there(site):
    folder, _ = site
    for page in (ROOT / "docs").glob("*.md"):
        assert (folder / f"{page.stem}.html").is_file()
    assert "Yu et al. 2020" in (folder / "options/balancer.html").read_text()
    assert "Train one configuration" in (folder / "api.html").read_text()


def test_nothing_is_fetched(site):
    folder, _ = site
    for page in folder.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"<(?:script|img|link|iframe|source)\b[^>]*(?:src|href)=\"?(?:https?:)?//[^\">]*", text)
    for sheet in folder.rglob("*.css"):
        assert not re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", sheet.read_text(encoding="utf-8"))


@needs_browser
def test_it_is_read_and_searched_from_a_disk(site):
    folder, _ = site
    with chromium.Page(folder / "table_by_friday.html", width=400, dark=True) as page:
        wide = page.run("document.documentElement.scrollWidth")
        dark = page.run("getComputedStyle(document.body).getPropertyValue('--md-hue')")
        page.run(_SEARCH)
        found = page.run("document.querySelector('.md-search-result__list').innerText")
    assert wide <= 400
    assert dark
    assert "pcgrad" in found.lower()
    assert [problem for problem in page.problems if not problem.startswith("file:")] == []


_SEARCH = """new Promise((done) => {
  const input = document.querySelector(".md-search__input");
  document.querySelector("#__search").click();
  input.focus();
  input.value = "pcgrad";
  const again = setInterval(() => {
    input.dispatchEvent(new Event("keyup", { bubbles: true }));
    if (document.querySelector(".md-search-result__item")) { clearInterval(again); done(true); }
  }, 100);
  setTimeout(() => { clearInterval(again); done(false); }, 8000);
})"""
