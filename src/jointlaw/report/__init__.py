"""One self-contained page that shows whether a run's law holds."""

from jointlaw.report._contents import Contents
from jointlaw.report._page import write_report

__all__ = ["Contents", "write_report"]
