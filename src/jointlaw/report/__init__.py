"""One self-contained page that shows whether a run's law holds."""

from jointlaw.report.contents import Contents
from jointlaw.report.page import write_report

__all__ = ["Contents", "write_report"]
