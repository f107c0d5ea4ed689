"""Drives an exported page in headless Chromium: web_browser.py ADDRESS CHROMIUM FOLDER < JSON texts > JSON findings.

A process of its own: a browser's driver does not start reliably beside TensorFlow's threads.
"""

import json
import sys

from playwright.sync_api import sync_playwright


def main(address, chromium, folder):
    texts = json.load(sys.stdin)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        tab = context.new_page()
        found = {"errors": []}
        tab.on("pageerror", lambda error: found["errors"].append(str(error)))
        tab.goto(address)
        tab.wait_for_selector("body[data-ready=yes][data-offline=ready]")

        def translate(text):
            tab.get_by_label("Your text").fill(text)
            tab.wait_for_function("text => document.body.dataset.shown === text", arg=text)
            return tab.evaluate("document.getElementById('answer').value")

        found["online"] = [translate(text) for text in texts]
        found["lines"] = translate("\n".join(texts[:2]))
        found["others"], found["facts"] = tab.locator("#others li").count(), tab.locator("#facts").inner_text()
        tab.screenshot(path=f"{folder}/desktop.png")
        context.set_offline(True)
        tab.reload()
        tab.wait_for_selector("body[data-ready=yes]")
        found["offline"] = [translate(text) for text in texts]
        translate("\n".join(texts[:2]))
        tab.set_viewport_size({"width": 360, "height": 740})
        found["narrow"] = tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        tab.screenshot(path=f"{folder}/phone.png", full_page=True)
        translate("red dog " * 60)
        found["cut"] = tab.locator("#cut").is_visible()
        found["font"] = tab.evaluate("document.fonts.check('16px \"Noto Sans Devanagari\"', 'क')")
        tab.keyboard.press("Tab")
        found["next"] = tab.evaluate("document.activeElement.id")
        browser.close()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
