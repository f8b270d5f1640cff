"""What mkdocs does beyond docs/: the pages of all options, the files of the repository's root, and links to them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))
from site_options import pages

ROOT = Path(__file__).parents[1]
FROM_ROOT = {
    "README.md": "overview.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "DECISIONS.md": "decisions.md",
    "SECURITY.md": "security.md",
    "LICENSE": "licence.md",
}
"""File of the repository's root -> its page of the site."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is written here, not in docs/."""
    for name, text in {**pages(), **_from_root()}.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links that hold in the repository lead to the same page of the site."""
    return here(markdown) if "/" not in page.file.src_uri else markdown


def here(markdown: str) -> str:
    """`](../README.md)` and `](docs/x.md)`, as they lie in the repository, as `](overview.md)` and `](x.md)`."""
    markdown = re.sub(r"(\]\()docs/", r"\1", markdown)
    for name, page in FROM_ROOT.items():
        markdown = re.sub(rf"(\]\()(?:\.\./)?{re.escape(name)}(?=[)#])", rf"\1{page}", markdown)
    return markdown


def _from_root() -> dict[str, str]:
    texts = {page: (ROOT / name).read_text(encoding="utf-8") for name, page in FROM_ROOT.items()}
    return texts | {"licence.md": f"# Licence\n\n```text\n{texts['licence.md']}```\n"}
