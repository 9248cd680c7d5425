"""The pages of the site that are kept outside of docs/, and the links that lead out of it; a hook of mkdocs.

Links are written for readers of the repository, relative to the page. On the site, a link to a page of the site leads
there, and a link to another file of the repository leads to its place on the web. A link to nothing is a warning, which
`make docs` makes an error. Knows nothing of what the pages say.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "README.md": "readme.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "reporting.md",
    "deploy/ecs/README.md": "ecs.md",
    "deploy/terraform/README.md": "terraform.md",
}
"""Files of the repository that are pages of the site, by their names there."""
# Code is matched first, so that nothing in it is a link.
_CODE_OR_LINK = re.compile(
    r"^ *```.*?^ *```$|`[^`\n]*`|(?<=\])\((?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?\)", re.M | re.S
)

log = logging.getLogger(f"mkdocs.plugins.{__name__}")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are kept outside of docs/."""
    for source, name in PAGES.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the text of a page with links that are right on the site."""
    sources = {name: source for source, name in PAGES.items()}
    path = sources.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def on_site(match: re.Match[str]) -> str:
        if match[1] is None:
            # In a table of the repository's web pages, a pipe is escaped also in code; on the site it is not.
            is_in_table = markdown[markdown.rfind("\n", 0, match.start()) + 1] == "|"
            return match[0].replace("\\|", "|") if is_in_table else match[0]
        target = os.path.normpath(os.path.join(os.path.dirname(path), match[1]))
        return f"({_address(target, path, config)}{match[2] or ''})"

    return _CODE_OR_LINK.sub(on_site, markdown)


def _address(target: str, path: str, config: MkDocsConfig) -> str:
    """Return where a file of the repository is, for a page of the site; all pages are in one folder."""
    if target in PAGES:
        return PAGES[target]
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    if not (ROOT / target).exists():
        log.warning("%s links to %s, which is not there", path, target)
    return f"{config.repo_url}/blob/main/{target}"
