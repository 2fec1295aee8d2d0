# SPDX-License-Identifier: BSD-2-Clause
"""Chromium without a window, driven over the DevTools protocol through a pipe.

    with Browser() as browser:
        browser.open("http://127.0.0.1:8080/", width=1200, height=900)
        browser.wait("document.title.includes('Busbar')")
        browser.screenshot("page.png")
"""
import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time


class BrowserError(Exception):
    """What the browser refused or did not do in time."""


def found():
    """Chromium's path, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="busbar-browser-")
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        # The protocol's pipe is descriptors 3 and 4 of the browser. What is put there must not be
        # one of them before.
        high = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 10) for each in (commands, answers)]
        words = [found(), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--disable-dev-shm-usage", "--hide-scrollbars", f"--user-data-dir={self.profile}",
                 "--remote-debugging-pipe", "about:blank"]
        null = [(os.POSIX_SPAWN_OPEN, each, os.devnull, os.O_RDWR, 0) for each in range(3)]
        pipe = [(os.POSIX_SPAWN_DUP2, each, 3 + i) for i, each in enumerate(high)]
        self._process = os.posix_spawn(words[0], words, os.environ, file_actions=null + pipe)
        for each in (commands, answers, *high):
            os.close(each)
        self._number, self._heard, self.messages = 0, b"", []
        self._session = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in (self._commands, self._answers):
            os.close(each)  # at the end of its pipe the browser leaves
        for attempt in range(100):
            if os.waitpid(self._process, os.WNOHANG)[0]:
                break
            if attempt == 98:
                os.kill(self._process, signal.SIGKILL)
            time.sleep(0.1)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, limit=30, **params):
        """The result of one command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + limit
        while True:
            while b"\0" in self._heard:
                one, self._heard = self._heard.split(b"\0", 1)
                answer = json.loads(one)
                if answer.get("id") == self._number:
                    if "error" in answer:
                        raise BrowserError(f"{method}: {answer['error']['message']}")
                    return answer["result"]
                self.messages.append(answer)
            if not select.select([self._answers], [], [], max(0, end - time.monotonic()))[0]:
                raise BrowserError(f"{method}: no answer in {limit} s")
            data = os.read(self._answers, 1 << 16)
            if not data:
                raise BrowserError("the browser ended")
            self._heard += data

    def open(self, address, width=1200, height=900, dark=False, phone=False):
        """Another tab with this address in it."""
        self._session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=address)

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    def wait(self, expression, limit=30):
        """Waits until it is true; returns its value."""
        end = time.monotonic() + limit
        while True:
            value = self.evaluate(expression)
            if value:
                return value
            if time.monotonic() > end:
                raise BrowserError(f"not within {limit} s: {expression}")
            time.sleep(0.1)

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, text=key if kind == "keyDown" else "")

    def screenshot(self, path, whole=False):
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole,
                            **({"clip": self._page()} if whole else {}))
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture["data"]))

    def _page(self):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}

    def complaints(self):
        """What scripts threw, and what the browser logged as an error."""
        result = []
        for message in self.messages:
            params = message.get("params", {})
            if message.get("method") == "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                result.append(details.get("exception", {}).get("description", details["text"]))
            if message.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
                result.append(params["entry"]["text"])
        return result
