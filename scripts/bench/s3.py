#!/usr/bin/env python3
"""A store that speaks as much of S3 as aux-server asks for, in a folder: scripts/bench/s3.py PORT FOLDER [MILLISECONDS].

For measurements only: it believes every signature. Objects are sent by the kernel (sendfile), so that it is not what is measured;
MILLISECONDS is how long every answer is held back, as a store on the network would. One bucket, of any name.
"""
import hashlib
import http.server
import os
import pathlib
import sys
import threading
import time
import urllib.parse
import uuid

PORT, FOLDER = int(sys.argv[1]), pathlib.Path(sys.argv[2])
DELAY = float(sys.argv[3]) / 1000 if len(sys.argv) > 3 else 0.0
PIECE = 1 << 20
uploads, lock = {}, threading.Lock()


def listed(prefix, delimiter):
    """Keys below a prefix, and those of them that end at the delimiter."""
    keys = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file())
    contents, prefixes = [], set()
    for key in (key for key in keys if key.startswith(prefix)):
        head, found, _ = key[len(prefix):].partition(delimiter or "\0")
        if delimiter and found:
            prefixes.add(prefix + head + delimiter)
        else:
            contents.append(key)
    entry = "<Contents><Key>{}</Key><LastModified>2026-01-01T00:00:00Z</LastModified><ETag>\"x\"</ETag><Size>{}</Size></Contents>"
    rows = [entry.format(key, (FOLDER / key).stat().st_size) for key in contents]
    rows += [f"<CommonPrefixes><Prefix>{one}</Prefix></CommonPrefixes>" for one in sorted(prefixes)]
    return f"<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated>{''.join(rows)}</ListBucketResult>"


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def parts(self):
        time.sleep(DELAY)
        url = urllib.parse.urlsplit(self.path)
        key = urllib.parse.unquote(url.path).lstrip("/").partition("/")[2]
        return key, dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def take(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        left = int(self.headers.get("Content-Length", "0"))
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        with open(part, "wb") as file:
            while left:
                piece = self.rfile.read(min(left, PIECE))
                file.write(piece)
                left -= len(piece)
        os.replace(part, path)

    def send_object(self, is_head):
        key, query = self.parts()
        if "list-type" in query:
            return self.answer(200, listed(query.get("prefix", ""), query.get("delimiter", "")).encode())
        try:
            file = open(FOLDER / key, "rb")
        except OSError:
            return self.answer(404, b"" if is_head else b"<Error><Code>NoSuchKey</Code></Error>")
        with file:
            size = os.fstat(file.fileno()).st_size
            start, end, status = 0, size, 200
            if self.headers.get("Range"):
                first, last = self.headers["Range"].removeprefix("bytes=").split("-")
                start, end, status = int(first), min(int(last) + 1, size), 206
            self.send_response(status)
            self.send_header("Content-Length", str(end - start))
            self.send_header("ETag", f"\"{hashlib.md5(key.encode()).hexdigest()}\"")
            self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
            self.end_headers()
            while not is_head and start < end:
                start += os.sendfile(self.connection.fileno(), file.fileno(), start, end - start)

    def do_GET(self):
        self.send_object(False)

    def do_HEAD(self):
        self.send_object(True)

    def do_PUT(self):
        if self.headers.get("Expect", "").lower() == "100-continue":
            pass  # the base class has answered that
        key, query = self.parts()
        if "uploadId" in query:
            self.take(FOLDER.with_name("parts") / query["uploadId"] / query["partNumber"].rjust(8, "0"))
        else:
            self.take(FOLDER / key)
        self.answer(200, ETag="\"x\"")

    def do_POST(self):
        key, query = self.parts()
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if "uploads" in query:
            name = uuid.uuid4().hex
            return self.answer(200, f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>".encode())
        target, folder = FOLDER / key, FOLDER.with_name("parts") / query["uploadId"]
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(folder / "whole", "wb") as whole:
            for part in sorted(path for path in folder.iterdir() if path.name != "whole"):
                whole.write(part.read_bytes())
        os.replace(folder / "whole", target)
        self.answer(200, b"<CompleteMultipartUploadResult><ETag>\"x\"</ETag></CompleteMultipartUploadResult>")

    def do_DELETE(self):
        key, _ = self.parts()
        (FOLDER / key).unlink(missing_ok=True)
        self.answer(204)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


FOLDER.mkdir(parents=True, exist_ok=True)
Server(("127.0.0.1", PORT), Answers).serve_forever()
