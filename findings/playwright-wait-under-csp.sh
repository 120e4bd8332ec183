#!/usr/bin/env bash
# Waiting for a condition on a page whose Content-Security-Policy allows inline scripts and no eval.
#
# Version: Playwright for Python 1.65.2 with the Chromium that is installed (no other browser is fetched).
# Guess: page.wait_for_function("...") either works on such a page or is refused at once; page.evaluate works on it.
# Seen: evaluate works. wait_for_function works where the condition holds at its first look, which the page's policy does
# not reach, and raises an EvalError where it must look again. So a test of a fast page passes, and fails once the page
# is slower. Locators wait without this.
set -euo pipefail
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ]; then echo "skipped: no Chromium on the path"; exit 0; fi
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
python3 -m venv v
v/bin/python -m pip install --quiet 'playwright==1.65.2'
cat > page.html <<'HTML'
<!doctype html>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'">
<title>page</title>
<script>setTimeout(() => document.body.append(document.createElement("hr")), 300);</script>
HTML
BROWSER="$browser" v/bin/python - <<'PY'
import os
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

ready = "document.querySelector('hr') !== null"
with sync_playwright() as play:
    browser = play.chromium.launch(executable_path=os.environ["BROWSER"], args=["--no-sandbox", "--disable-gpu"])
    page = browser.new_page()
    page.goto(Path("page.html").resolve().as_uri())
    assert page.evaluate("1 + 1") == 2
    try:
        page.wait_for_function(ready)
        later = "waited"
    except Error as error:
        later = "EvalError" if "EvalError" in str(error) else str(error)
    page.locator("hr").wait_for(state="attached")  # a locator waits on the same page
    page.wait_for_function(ready)  # the same condition, which holds by now
    browser.close()
print("seen:", later, "where the condition comes true later; no error where it is true at once")
assert later == "EvalError", "changed: waiting for a function works under a policy without eval"
PY
