"""A stand-in for the Hugging Face hub over HTTP: one data set of one commit, as far as `datasets` asks."""

import json
import re
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def serve(folder: Path, name: str) -> ThreadingHTTPServer:
    """A server of a folder as data set `name`, at a free port; revisions `main`, `v1` and the commit are the same."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    revision = rf"(?:main|v1|{COMMIT})"

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.answer()

        def answer(self) -> None:
            path = self.path.split("?")[0]
            if re.fullmatch(rf"/api/datasets/{name}(/revision/{revision})?", path):
                self.say({"id": name, "sha": COMMIT, "siblings": [{"rfilename": each} for each in files]})
            elif found := re.fullmatch(rf"/api/datasets/{name}/tree/{revision}/?(.*)", path):
                self.say(listing(found[1]))
            elif re.fullmatch(rf"/api/datasets/{name}/paths-info/{revision}", path):
                self.say([])
            elif (found := re.fullmatch(rf"/datasets/{name}/resolve/{revision}/(.*)", path)) and found[1] in files:
                self.send(200, files[found[1]])
            else:
                code = "EntryNotFound" if path.startswith(f"/datasets/{name}/") else "RepoNotFound"
                self.send(404, b"", code)

        def say(self, answer: object) -> None:
            self.send(200, json.dumps(answer).encode())

        def send(self, status: int, body: bytes, error: str = "") -> None:
            start, end = 0, len(body)
            if found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
                start, end = int(found[1]), min(int(found[2] or end) + 1, end)
                status = 206
            self.send_response(status)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{sha1(body).hexdigest()}"')
            self.send_header("Content-Length", str(end - start))
            if error:
                self.send_header("X-Error-Code", error)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[start:end])

        def log_message(self, format: str, *args: object) -> None:
            pass

    def listing(inside: str) -> list[dict[str, object]]:
        found: dict[str, dict[str, object]] = {}
        for path, content in files.items():
            rest = path.removeprefix(f"{inside}/") if inside else path
            if inside and rest == path:
                continue
            top, slash, _ = rest.partition("/")
            place = f"{inside}/{top}" if inside else top
            oid = sha1(place.encode() if slash else content).hexdigest()
            found[place] = {"type": "directory" if slash else "file", "path": place, "oid": oid}
            if not slash:
                found[place]["size"] = len(content)
        return list(found.values())

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)
