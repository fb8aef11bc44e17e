"""A headless Chromium, driven over its debugging pipe; no package is needed."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

NAMES = ["chromium", "chromium-browser", "google-chrome"]


def find_chromium() -> str | None:
    """Return the path of a Chromium, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """One tab. Commands go in and answers and events come out as JSON ended by NUL."""

    def __init__(self, program: str, profile: Path) -> None:
        command_end, self.commands = os.pipe()
        self.answers, answer_end = os.pipe()
        # Chromium reads from descriptor 3 and writes to 4; a shell puts them there
        # (not sh: some know descriptors below 10 only).
        options = (
            "--headless=new --no-sandbox --disable-gpu --remote-debugging-pipe "
            "--disable-background-networking --no-first-run"
        )
        self.process = subprocess.Popen(
            [
                "bash",
                "-c",
                f'exec "$0" {options} "$1" 3<&{command_end} 4>&{answer_end}',
                program,
                f"--user-data-dir={profile}",
            ],
            pass_fds=(command_end, answer_end),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(command_end)
        os.close(answer_end)
        self.number = 0
        self.waiting = b""
        self.session: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give a command and return its answer."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        os.write(self.commands, json.dumps(message | self.session).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def open(self, path: Path) -> None:
        """Open a file and wait until it has loaded."""
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._read())

    def run(self, code: str) -> Any:
        """Return what an expression of JavaScript, or its promise, comes to."""
        answer = self.call(
            "Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def troubles(self) -> list[dict[str, Any]]:
        """Return errors on the page and requests that left the disk."""
        bad = (
            "Runtime.exceptionThrown",
            "Log.entryAdded",
            "Page.javascriptDialogOpening",
        )
        return [e for e in self.events if e.get("method") in bad or _leaves_disk(e)]

    def close(self) -> None:
        """End the browser."""
        self.session = {}
        self.call("Browser.close")
        self.process.wait(timeout=20)
        os.close(self.commands)
        os.close(self.answers)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self.waiting:
            part = os.read(self.answers, 1 << 20)
            assert part, "Chromium has ended"
            self.waiting += part
        message, _, self.waiting = self.waiting.partition(b"\0")
        return json.loads(message)


def _leaves_disk(event: dict[str, Any]) -> bool:
    if event.get("method") != "Network.requestWillBeSent":
        return False
    return not event["params"]["request"]["url"].startswith(("file:", "data:"))
