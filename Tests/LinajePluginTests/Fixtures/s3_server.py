"""A real S3 server for tests (moto, signatures checked), behind a proxy that does harm on request.

Prints one line of JSON with its addresses and keys, then answers one line of JSON for each line of
JSON on standard input, and ends with it.
"""

import base64
import hashlib
import http.client
import http.server
import json
import logging
import sys
import threading
import time

import boto3
import flask
import moto.settings
from botocore.config import Config
from moto.iam.access_control import S3IAMRequest
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
lock = threading.Lock()
faults = []
requests = []
metadata = {"role": "trainer", "lifetime": 3600, "given": 0, "asked": []}


def bucket_of(path):
    """The bucket that is named in a path."""
    return path.split("?")[0].split("/")[1]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # A client that went away is part of the test.


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def end(self):
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(2)


class Proxy(Handler):
    """Passes requests on to the real server, but for those that a fault is meant for."""

    def handle_any(self):
        body = self.body()
        fault = self.fault()
        kind = fault["fault"] if fault else "none"
        note = {"method": self.command, "path": self.path, "fault": kind, "status": 0,
                "headers": {name.lower(): value for name, value in self.headers.items()}}
        with lock:
            requests.append(note)
        if kind == "status":
            note["status"] = fault["status"]
            text = (f"<?xml version=\"1.0\"?>\n<Error><Code>{fault.get('code', '')}</Code>"
                    f"<Message>made by the test</Message><RequestId>r-1</RequestId></Error>")
            headers = list(fault.get("headers", {}).items())
            return self.answer(fault["status"], headers, text.encode())
        if kind == "drop":
            return self.end()
        if kind == "endless":
            # A page of nothing, and always another one.
            text = ("<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>"
                    f"{fault['times']}</NextContinuationToken></ListBucketResult>")
            return self.answer(200, [("Content-Type", "application/xml")], text.encode())
        if kind == "slow":
            time.sleep(fault["seconds"])
        status, headers, content = self.pass_on(body)
        note["status"] = status
        if kind == "whole" and status == 206:
            # As a server that knows no ranges; ours has checked the signature over the header.
            key = self.path.split("?")[0].split("/", 2)[2]
            status, content = 200, s3.get_object(Bucket=fault["bucket"], Key=key)["Body"].read()
            headers = [(n, v) for n, v in headers if n.lower() != "content-range"]
        if kind == "lose":
            return self.end()
        if kind == "flip" and content:
            middle = len(content) // 2
            content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1:]
        if kind == "shift":
            headers = [(n, "bytes 1-2/3" if n.lower() == "content-range" else v)
                       for n, v in headers]
        if kind in ("truncate", "trickle"):
            return self.torn(kind, status, headers, content)
        self.answer(status, headers, content)

    def torn(self, kind, status, headers, content):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if kind == "truncate":
            self.wfile.write(content[:len(content) // 2])
            return self.end()
        for byte in content:
            self.wfile.write(bytes([byte]))
            time.sleep(0.05)

    def fault(self):
        with lock:
            for fault in faults:
                if (fault["method"] == self.command and fault["contains"] in self.path
                        and bucket_of(self.path) == fault["bucket"] and fault["times"] > 0):
                    fault["times"] -= 1
                    return fault
        return None

    def pass_on(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", real_port, timeout=30)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP:
                connection.putheader(name, value)
        if self.command in ("PUT", "POST"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        content = answer.read()
        headers = [(name, value) for name, value in answer.getheaders()
                   if name.lower() not in HOP_BY_HOP or
                   (name.lower() == "content-length" and self.command == "HEAD")]
        connection.close()
        return answer.status, headers, content

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any


class Metadata(Handler):
    """The endpoints that lend credentials to instances and containers."""

    def do_PUT(self):
        self.body()
        ttl = self.headers.get("x-aws-ec2-metadata-token-ttl-seconds")
        if self.path == "/latest/api/token" and ttl:
            return self.answer(200, [], b"the-token")
        self.answer(400, [], b"")

    def do_GET(self):
        with lock:
            metadata["asked"].append(self.path)
        if self.path.startswith("/container"):
            allowed = self.headers.get("authorization") == "let-me-in"
            return self.answer(*((200, [], self.document()) if allowed else (401, [], b"")))
        if self.headers.get("x-aws-ec2-metadata-token") != "the-token":
            return self.answer(401, [], b"")
        folder = "/latest/meta-data/iam/security-credentials/"
        if self.path == folder:
            return self.answer(200, [], metadata["role"].encode())
        if self.path == folder + metadata["role"]:
            return self.answer(200, [], self.document())
        self.answer(404, [], b"")

    def document(self):
        with lock:
            metadata["given"] += 1
            number, end = metadata["given"], time.time() + metadata["lifetime"]
        return json.dumps({
            "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": f"LENT{number}",
            "SecretAccessKey": "lent-secret", "Token": "lent-token",
            "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end))}).encode()


def serve(handler):
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def client(service, **more):
    return boto3.client(
        service, endpoint_url=f"http://127.0.0.1:{real_port}", region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}), **more)


def make_user(name, actions):
    """A user who may do that with buckets: an access key and its secret."""
    iam = client("iam", aws_access_key_id="x", aws_secret_access_key="x")
    iam.create_user(UserName=name)
    policy = {"Version": "2012-10-17",
              "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_user_policy(UserName=name, PolicyName="s3", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def check_what_came():
    """moto compares signatures with a query that it has decoded; S3 takes it as it was sent."""
    create = S3IAMRequest._create_aws_request

    def create_raw(self):
        self._path = flask.request.environ["RAW_URI"]
        return create(self)

    S3IAMRequest._create_aws_request = create_raw


def carry_out(order):
    what = order["do"]
    if what == "bucket":
        with lock:
            metadata["buckets"] = metadata.get("buckets", 0) + 1
            name = f"models-{metadata['buckets']}"
        s3.create_bucket(Bucket=name)
        return {"bucket": name}
    if what == "fault":
        with lock:
            faults.append(order)
        return {}
    if what == "mend":
        with lock:
            faults[:] = [fault for fault in faults if fault["bucket"] != order["bucket"]]
        return {}
    if what == "requests":
        with lock:
            return {"requests": [r for r in requests if bucket_of(r["path"]) == order["bucket"]]}
    if what == "uploads":
        return {"count": len(s3.list_multipart_uploads(Bucket=order["bucket"]).get("Uploads", []))}
    if what == "put":
        s3.put_object(Bucket=order["bucket"], Key=order["key"],
                      Body=base64.b64decode(order["bytes"]))
        return {}
    if what == "damage":
        for entry in s3.list_objects_v2(Bucket=order["bucket"])["Contents"]:
            body = s3.get_object(Bucket=order["bucket"], Key=entry["Key"])["Body"].read()
            middle = len(body) // 2
            s3.put_object(Bucket=order["bucket"], Key=entry["Key"],
                          Body=body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1:])
        return {}
    if what == "keys":
        found = s3.list_objects_v2(Bucket=order["bucket"]).get("Contents", [])
        return {"keys": [entry["Key"] for entry in found]}
    if what == "sha256":
        body = s3.get_object(Bucket=order["bucket"], Key=order["key"])["Body"].read()
        return {"sha256": hashlib.sha256(body).hexdigest()}
    if what == "metadata":
        with lock:
            metadata.update(order.get("set", {}))
            return {"given": metadata["given"], "asked": metadata["asked"]}
    return {"error": f"{what} is not known"}


check_what_came()
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
real_port = server.get_host_and_port()[1]
access, secret = make_user("linaje", ["s3:*"])
reader, reader_secret = make_user("reader", ["s3:GetObject", "s3:ListBucket"])
# From here on nobody does anything without a right signature.
moto.settings.INITIAL_NO_AUTH_ACTION_COUNT = 0.0
s3 = client("s3", aws_access_key_id=access, aws_secret_access_key=secret)
print(json.dumps({"real": real_port, "proxy": serve(Proxy), "metadata": serve(Metadata),
                  "access": access, "secret": secret, "reader": reader,
                  "reader_secret": reader_secret}), flush=True)
for line in sys.stdin:
    try:
        result = carry_out(json.loads(line))
    except Exception as error:  # The test says what it makes of it.
        result = {"error": repr(error)}
    print(json.dumps(result), flush=True)
