"""What the commands that write an interactive page do alike."""

from pathlib import Path

from jointlaw.report import InteractivePage


def check_output(where: str, out: Path) -> None:
    """Raise unless ``out`` names a page in a folder that exists; other files are not written over."""
    if out.suffix.lower() not in (".html", ".htm") or out.is_dir():
        raise ValueError(
            f"{where}: expected --out to name a .html file, found {out}. Name one, such as --out=law.html."
        )
    if not out.parent.is_dir():
        raise ValueError(f"{where}: expected a folder {out.parent} for --out, found none. Create it first.")


def deliver(page: InteractivePage, out: Path, show: bool) -> None:
    """Print the numbers of a page's start, write it, and open it where that is wanted."""
    for figure in page.figures:
        print(f"  {figure.name:24} {figure.text:>14}   {figure.meaning}")
    print(f"  page: {page.write(out)}")
    if show:
        page.open()
