"""Drives an exported page in headless Chromium: web_browser.py PAGE FOLDER < JSON inputs > JSON findings; photographs go to FOLDER.

The page has three tabs: a translator, next words, a forecast; or, where inputs has "files", tabs that take one each. A process of its own: a browser's driver does not start reliably
beside TensorFlow's threads.
"""

import base64
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--hide-scrollbars")
SHOWN = "return document.body.dataset.shown === arguments[0]"


class Page:
    """A page in a browser, and the server that it comes from."""

    def __init__(self, web, photographs):
        self.photographs = Path(photographs)
        command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", web]
        self.server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = re.search(r"http://\S+/", self.server.stdout.readline()).group()
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
        self.size(1280, 800)

    def close(self):
        self.driver.quit()
        self.server.terminate()

    def size(self, width, height):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})

    def wait(self, script, *given):
        WebDriverWait(self.driver, 120).until(lambda driver: driver.execute_script(script, *given))

    def open(self):
        self.driver.get(self.address)
        self.wait("return document.body.dataset.ready === 'yes' && document.body.dataset.offline === 'ready'")

    def tab(self, number):
        self.driver.find_elements(By.CSS_SELECTOR, "[role=tab]")[number].click()
        self.wait("return document.querySelectorAll('.panel')[arguments[0]].dataset.ready === 'yes'", number)

    def part(self, name):
        return self.driver.find_element(By.CSS_SELECTOR, f".panel:not([hidden]) [data-part={name}]")

    def give(self, text, name="source"):
        """Types by script: keys of Hindi and of pictures are no keys to a driver."""
        self.driver.execute_script("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))",
                                   self.part(name), text)
        self.wait(SHOWN, text)
        return self.part("answer").get_property("value") if name == "source" and self.has("answer") else None

    def has(self, name):
        return bool(self.driver.find_elements(By.CSS_SELECTOR, f".panel:not([hidden]) [data-part={name}]"))

    def photograph(self, name):
        height = self.driver.execute_script("return document.documentElement.scrollHeight")
        width = self.driver.execute_script("return innerWidth")
        taken = self.driver.execute_cdp_cmd("Page.captureScreenshot", {
            "captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}})
        (self.photographs / f"{name}.png").write_bytes(base64.b64decode(taken["data"]))


def translating(page, given):
    found = {"answers": [page.give(text) for text in given["texts"]], "lines": page.give("\n".join(given["texts"][:2])),
             "others": len(page.driver.find_elements(By.CSS_SELECTOR, "[data-part=others] li")), "facts": page.part("facts").text}
    page.photograph("translator")
    page.give("red dog " * 60)
    found["cut"] = page.part("cut").is_displayed()
    page.part("source").send_keys(Keys.TAB)
    found["next"] = page.driver.switch_to.active_element.get_attribute("data-part")
    return found


def completing(page, given):
    found = {"continuation": page.give(given["beginning"]), "words": words(page)}
    page.photograph("next-words")
    page.driver.find_element(By.CSS_SELECTOR, "[data-part=words] button").click()
    page.wait("return document.body.dataset.shown.endsWith(' ')")
    found["taken"] = page.part("source").get_property("value")
    page.give(given["beginning"].rstrip() + " " + found["words"][0][:1])
    found["begun"] = words(page)
    return found


def words(page):
    return [button.text.split("\n")[0].rsplit(" ", 2)[0] for button in page.driver.find_elements(By.CSS_SELECTOR, "[data-part=words] button")]


def forecasting(page, given):
    page.give(given["csv"])
    table = [[cell.text for cell in row.find_elements(By.CSS_SELECTOR, "th, td")] for row in page.part("table").find_elements(By.TAG_NAME, "tr")]
    found = {"table": table, "chart": page.part("chart").find_element(By.TAG_NAME, "svg").get_attribute("aria-label")}
    page.photograph("forecast")
    page.give("date,load\n2024-01-01,1")
    found["problem"] = page.part("problem").text
    page.give(given["csv"])
    return found


def of_files(page, given):
    """What the tabs, one after the other, make of a file each."""
    found = {"answers": [], "others": []}
    for number, path in enumerate(given["files"]):
        page.tab(number)
        page.part("file").send_keys(path)
        page.wait(SHOWN, f"{Path(path).stat().st_size} bytes")
        found["answers"].append(page.part("answer").get_property("value"))
        found["others"].append([item.text for item in page.driver.find_elements(By.CSS_SELECTOR, ".panel:not([hidden]) li span")])
        page.photograph(f"file-{number}")
    page.part("file").send_keys(str(Path(__file__).resolve()))
    page.wait("return document.querySelector('.panel:not([hidden]) [data-part=problem]').hidden === false")
    found["problem"] = page.part("problem").text
    return found


def main(web, photographs):
    given, page = json.load(sys.stdin), Page(web, photographs)
    try:
        page.open()
        if "files" in given:
            return json.dump(of_files(page, given), sys.stdout)
        found = {"online": translating(page, given)}
        page.tab(1)
        found["next words"] = completing(page, given)
        page.tab(2)
        found["forecast"] = forecasting(page, given)
        found["title"], found["tabs"] = page.driver.title, [tab.text for tab in page.driver.find_elements(By.CSS_SELECTOR, "[role=tab]")]
        page.server.terminate()
        page.server.wait(20)
        page.open()
        found["offline"] = [page.give(text) for text in given["texts"]]
        page.give("\n".join(given["texts"][:2]))
        page.size(360, 740)
        found["narrow"] = []
        for number in range(3):
            page.tab(number)
            page.give(given["csv"] if number == 2 else given["beginning"])
            found["narrow"].append(page.driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"))
            page.photograph(f"narrow-{number}")
        found["font"] = page.driver.execute_script("return document.fonts.check('16px \"Noto Sans Devanagari\"', 'क')")
        found["errors"] = [entry["message"] for entry in page.driver.get_log("browser")
                           if entry["level"] == "SEVERE" and "/litert/wasm/" not in entry["message"]]  # the runtime's reports
    finally:
        page.close()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
