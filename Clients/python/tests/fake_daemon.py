"""A small daemon for tests, in memory, with faults that a real one has only on bad days."""

import hashlib
import os
import socket
import struct
import threading
import time

from linaje import _frames, _wire
from linaje._messages import METHODS
from linaje._upload import TreeFile, tree_digest

BY_OPCODE = {entry[0]: (name, *entry[1:]) for name, entry in METHODS.items()}


class Refused(Exception):
    def __init__(self, code, message="refused", retryable=False, **details):
        super().__init__(code, message)
        self.code, self.message, self.retryable = code, message, retryable
        self.details = details


class FakeDaemon:
    """State survives `stop` and `start`, as a store does.

    drop_at      numbers of frames (counted over all connections, hello is 1) at which the
                 connection is closed before the frame is looked at
    drop_after   the same, but after the frame was acted on and before it is answered
    ack_delay    seconds between a batch and its acknowledgement
    stream_credit  what a new stream may send; it comes back with each acknowledgement
    goaway_after   number of batches after which a goaway is sent, once
    repeat_acks  every acknowledgement is sent twice
    full         the disk is: sessions that are open and meet it are lost for good
    before_frame  called before each frame is looked at; while it waits, the daemon is as if stopped
    """

    def __init__(self, path):
        self.path = path
        self.lock = threading.RLock()
        self.runs, self.batches, self.experiments = {}, {}, {"Default": 0}
        self.trees, self.files, self.ingests = {}, {}, {}
        self.models, self.versions, self.answers, self.calls = {}, {}, {}, []
        self.frames = self.batch_count = self.drops = 0
        self.drop_at, self.drop_after = set(), set()
        self.ack_delay, self.stream_credit = 0.0, 262_144
        self.goaway_after, self.repeat_acks = None, False
        self.before_frame = None
        self.full, self.loss, self.lost = False, 202, set()
        self.refuse = {}
        self.corrupt_reads = False
        self.listener = None

    def start(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.peers = []
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()
        return self

    def stop(self):
        if self.listener is None:
            return
        # Shutting it down wakes the thread that accepts; only closing it would not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.listener = None
        os.unlink(self.path)
        with self.lock:
            for peer in self.peers:
                try:
                    peer.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.peers = []

    # --- What a test wants to know ---

    def points(self, run_id, key=None):
        """[(step, time, value)] of a run over all writers, in arrival order, from whole batches."""
        out = []
        with self.lock:
            for (run, _), batches in self.batches.items():
                if run.hex() != run_id:
                    continue
                assert sorted(batches) == list(range(1, len(batches) + 1)), "a batch is missing"
                for _, payload in sorted(batches.items()):
                    batch = _wire.decode("MetricBatch", payload)
                    index = batch.series_index or [0] * len(batch.value)
                    for place, step, moment, value in zip(index, batch.step, batch.time_us,
                                                          batch.value):
                        if key is None or batch.series[place].key == key:
                            out.append((step, moment, value))
        return out

    def run(self, run_id):
        return self.runs[bytes.fromhex(run_id)]

    # --- Connections ---

    def _accept(self, listener):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                if self.listener is not listener:
                    peer.close()
                    return
                self.peers.append(peer)
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        connection = _Connection(self, peer)
        try:
            connection.run()
        except (OSError, EOFError):
            pass
        finally:
            peer.close()

    # --- Methods ---

    def call(self, name, header, request):
        with self.lock:
            self.calls.append((name, request))
            if name in self.refuse:
                raise self.refuse[name]
            mutation = METHODS[name][2]
            key = header.idempotency_key
            if mutation:
                if len(key) != 16:
                    raise Refused(102, "no idempotency key")
                digest = hashlib.sha256(_wire.encode(METHODS[name][3], request)).digest()
                known = self.answers.get(key)
                if known:
                    if known[:2] != (name, digest):
                        raise Refused(110, "key used with another request")
                    if name == "BeginIngest":
                        # As the real one: the key of a session that lost content brings the loss.
                        self._meet_full_disk(known[2]["ingest_id"])
                    return known[2]
            answer = getattr(self, "do_" + name)(request)
            if mutation:
                self.answers[key] = (name, digest, answer)
            return answer

    def do_GetStatus(self, request):
        return {"version": "fake", "pid": os.getpid()}

    def do_CreateExperiment(self, request):
        if request.name not in self.experiments:
            self.experiments[request.name] = len(self.experiments)
        return {"id": self.experiments[request.name], "name": request.name}

    def do_GetExperiment(self, request):
        if request.name not in self.experiments:
            raise Refused(104, "no such experiment")
        return {"id": self.experiments[request.name], "name": request.name}

    def do_CreateRun(self, request):
        if request.id not in self.runs:
            self.runs[request.id] = {
                "id": request.id, "name": request.name, "experiment_id": request.experiment_id,
                "status": 1, "params": list(request.params), "tags": list(request.tags),
                "parent_id": request.parent_id, "lease": request.lease, "user": request.user,
                "started_at_us": request.started_at_us}
        return self.runs[request.id]

    def _run(self, run_id):
        if run_id not in self.runs:
            raise Refused(104, f"run {run_id.hex()} does not exist")
        return self.runs[run_id]

    def do_GetRun(self, request):
        return self._run(request.id)

    def do_SearchRuns(self, request):
        return {"runs": list(self.runs.values())}

    def do_UpdateRun(self, request):
        run = self._run(request.id)
        if request.status is not None:
            run["status"] = request.status
            run["ended_at_us"] = request.ended_at_us or 0
        if request.ended_cause is not None:
            run["ended_cause"] = request.ended_cause
        return run

    def do_AttachRun(self, request):
        run = self._run(request.id)
        run["lease"] = request.lease
        return run

    def do_LogRun(self, request):
        run = self._run(request.id)
        for param in request.params:
            known = [each for each in run["params"] if each["key"] == param.key]
            if known and known[0] != param:
                raise Refused(113, f"param {param.key} has another value")
            if not known:
                run["params"].append(param)
        if request.tags is not None:
            gone = {each.key for each in request.tags.set} | set(request.tags.remove)
            run["tags"] = [each for each in run["tags"] if each["key"] not in gone]
            run["tags"] += request.tags.set
        for field in ("datasets", "model_inputs", "model_outputs"):
            run.setdefault(field, []).extend(request[field])
        if request.provenance is not None:
            run["provenance"] = request.provenance
        return {}

    def do_BeginIngest(self, request):
        ingest = os.urandom(16)
        self.ingests[ingest] = {}
        return {"ingest_id": ingest, "lease_s": 3600}

    def _meet_full_disk(self, ingest):
        if self.full:
            self.lost.add(ingest)
        if ingest in self.lost:
            raise Refused(self.loss, "lost content; begin a new one", retryable=True,
                          ingest_id=ingest.hex())

    def do_AbortIngest(self, request):
        self.ingests.pop(request.ingest_id, None)
        return {}

    def do_CommitIngest(self, request):
        self._meet_full_disk(request.ingest_id)
        if request.ingest_id not in self.ingests:
            raise Refused(104, "no such session", ingest_id=request.ingest_id.hex())
        files = self.ingests.pop(request.ingest_id)
        digest = tree_digest(TreeFile(path, *entry) for path, entry in files.items())
        self.trees[digest] = files
        if request.run_id:
            artifacts = self._run(request.run_id).setdefault("_artifacts", {})
            for path, entry in files.items():
                artifacts[f"{request.path}/{path}" if request.path else path] = entry
        return {"digest": digest, "files": len(files), "size": sum(each[1] for each in
                                                                   files.values())}

    def put_file(self, request, content):
        self._meet_full_disk(request.ingest_id)
        if request.ingest_id not in self.ingests:
            raise Refused(104, "no such session", ingest_id=request.ingest_id.hex())
        digest = hashlib.sha256(content).digest()
        if request.size is not None and request.size != len(content):
            raise Refused(116, "another size")
        if request.sha256 is not None and request.sha256 != digest:
            raise Refused(204, "another digest")
        self.files[digest] = content
        self.ingests[request.ingest_id][request.path] = (request.mode, len(content), digest)
        return {"file": {"path": request.path, "mode": request.mode, "size": len(content),
                         "sha256": digest}, "chunks": 1}

    def put_files(self, request, frames):
        self._meet_full_disk(request.ingest_id)
        if request.ingest_id not in self.ingests:
            raise Refused(104, "no such session", ingest_id=request.ingest_id.hex())
        count = 0
        for frame in frames:
            for file in _wire.decode("PutFilesFrame", frame).files:
                assert len(file.content) <= 128 << 10, "longer than a small file may be"
                if hashlib.sha256(file.content).digest() != file.sha256:
                    raise Refused(204, "another digest")
                self.files[file.sha256] = file.content
                self.ingests[request.ingest_id][file.path] = (
                    file.mode, len(file.content), file.sha256)
                count += 1
        return {"files": count}

    def do_CreateLoggedModel(self, request):
        if request.tree and request.tree not in self.trees:
            raise Refused(116, "no such tree")
        self.models[request.id] = {"id": request.id, "name": request.name, "tree": request.tree,
                                   "status": 2, "run_id": request.run_id,
                                   "experiment_id": request.experiment_id}
        return self.models[request.id]

    def do_CreateModelVersion(self, request):
        model = self.models.get(bytes.fromhex(request.source[len("models:/m-"):]))
        if model is None:
            raise Refused(104, f"{request.source} does not exist")
        versions = self.versions.setdefault(request.name, [])
        versions.append({"name": request.name, "version": len(versions) + 1,
                         "tree": model["tree"], "source": request.source, "stage": 1})
        return versions[-1]

    def do_TransitionStage(self, request):
        version = self.versions[request.name][request.version - 1]
        version["stage"] = {"staging": 2, "production": 3, "archived": 4}[request.stage.lower()]
        return version

    def do_ResolveModel(self, request):
        rest = request.uri[len("models:/"):]
        if rest.startswith("m-"):
            model = self.models.get(bytes.fromhex(rest[2:]))
            if model is None:
                raise Refused(104, f"{request.uri} does not exist")
            return {"logged_model": model}
        name, _, last = rest.partition("/")
        for version in reversed(self.versions.get(name, [])):
            stages = {"staging": 2, "production": 3, "archived": 4}
            if last == str(version["version"]) or stages.get(last.lower()) == version["stage"]:
                return {"version": version}
        raise Refused(104, f"{request.uri} does not exist")

    def do_ListArtifacts(self, request):
        files = self.trees[request.root.tree]
        return {"entries": [{"path": path, "mode": mode, "size": size, "sha256": digest}
                            for path, (mode, size, digest) in sorted(files.items())],
                "tree": request.root.tree}

    def read(self, request):
        content = self.files[self.trees[request.root.tree][request.path][2]]
        if self.corrupt_reads and content:
            content = bytes([content[0] ^ 1]) + content[1:]
        return content


class _Connection:
    def __init__(self, daemon, peer):
        self.daemon, self.peer = daemon, peer
        self.file = peer.makefile("rb")
        self.writing = threading.Lock()
        self.uploads, self.metrics = {}, {}
        self.connection_credit = 32_768
        self.stream_credit = {}
        self.send_credit, self.granted = {}, threading.Condition()

    def send(self, *arguments, **named):
        with self.writing:
            self.peer.sendall(_frames.encode(*arguments, **named))

    def fail(self, stream, code, message, retryable=False, details=None):
        self.send(_frames.ERROR, stream, _wire.encode("Failure", {
            "code": code, "name": "fake", "message": message, "retryable": retryable,
            "details": details or {}}))

    def read(self):
        header = self.file.read(12)
        if self.daemon.before_frame is not None:
            self.daemon.before_frame()
        if len(header) < 12:
            raise EOFError
        length, stream, kind, flags, opcode = _frames.HEADER.unpack(header)
        payload = self.file.read(length)
        if len(payload) < length:
            raise EOFError
        with self.daemon.lock:
            self.daemon.frames += 1
            number = self.daemon.frames
        if number in self.daemon.drop_at:
            self.daemon.drops += 1
            raise EOFError
        return number, kind, stream, flags, opcode, payload

    def run(self):
        assert self.file.read(8) == _frames.PREFACE
        number, kind, stream, _, _, payload = self.read()
        assert kind == _frames.HELLO and stream == 0
        _wire.decode("ClientHello", payload)
        self.send(_frames.HELLO, 0, _wire.encode("ServerHello", {
            "agent": "fake", "instance": bytes(16), "connection_credit": 32_768,
            "stream_credit": self.daemon.stream_credit, "principal": "uid:0", "role": "admin",
            "limits": {"frame_bytes": 4 << 20, "request_bytes": 1 << 20,
                       "concurrent_streams": 128}}))
        self.grant(0, (4 << 20) - 32_768)
        while True:
            number, kind, stream, flags, opcode, payload = self.read()
            if kind in (_frames.REQUEST, _frames.DATA):
                self.connection_credit -= len(payload)
                assert self.connection_credit >= 0, "more was sent than was granted"
            if number in self.daemon.drop_after:
                self.mute = True
            self.take(kind, stream, flags, opcode, payload)
            if number in self.daemon.drop_after:
                self.daemon.drops += 1
                raise EOFError

    mute = False

    def grant(self, stream, size):
        if stream == 0:
            self.connection_credit += size
        else:
            self.stream_credit[stream] = self.stream_credit.get(stream, 0) + size
        if not self.mute:
            self.send(_frames.CREDIT, stream, _wire.encode("Credit", {"bytes": size}))

    def answer(self, stream, opcode, payload, end=True):
        if not self.mute:
            self.send(_frames.RESPONSE, stream, payload, _frames.END_FLAG if end else 0, opcode)

    def take(self, kind, stream, flags, opcode, payload):
        if kind == _frames.REQUEST:
            self.grant(0, len(payload)) if payload else None
            self.request(stream, opcode, payload)
        elif kind == _frames.DATA and stream in self.metrics:
            self.stream_credit[stream] -= len(payload)
            assert self.stream_credit[stream] >= 0, "more was sent than was granted"
            self.batch(stream, payload)
        elif kind == _frames.DATA and stream in self.uploads:
            self.uploads[stream][1].append(payload)
            self.stream_credit[stream] -= len(payload)
            assert self.stream_credit[stream] >= 0, "more was sent than was granted"
            if payload:
                self.grant(0, len(payload))
                self.grant(stream, len(payload))
        elif kind == _frames.END and stream in self.uploads:
            request, parts, opcode = self.uploads.pop(stream)
            try:
                with self.daemon.lock:
                    if opcode == 0x0507:
                        answer = self.daemon.put_files(request, parts)
                    else:
                        answer = self.daemon.put_file(request, b"".join(parts))
                self.answer(stream, opcode, _wire.encode(BY_OPCODE[opcode][4], answer))
            except Refused as error:
                self.fail(stream, error.code, error.message, details=error.details)
        elif kind == _frames.END and stream in self.metrics:
            self.send(_frames.END, stream)
        elif kind == _frames.PING:
            self.send(_frames.PONG, 0, payload)
        elif kind == _frames.CREDIT:
            with self.granted:
                granted = _wire.decode("Credit", payload).bytes
                self.send_credit[stream] = self.send_credit.get(stream, 0) + granted
                self.granted.notify_all()

    def stream_out(self, stream, content):
        try:
            for start in range(0, len(content), 50_000):
                part = content[start:start + 50_000]
                with self.granted:
                    while self.send_credit[stream] < len(part):
                        if not self.granted.wait(10):
                            return
                    self.send_credit[stream] -= len(part)
                self.send(_frames.DATA, stream, part)
            self.send(_frames.END, stream)
        except OSError:
            pass

    def request(self, stream, opcode, payload):
        (size,) = struct.unpack_from(">H", payload)
        header = _wire.decode("CallHeader", payload[2:2 + size])
        name, kind, _, request_name, answer_name = BY_OPCODE[opcode]
        request = _wire.decode(request_name, payload[2 + size:])
        self.stream_credit[stream] = self.daemon.stream_credit
        try:
            if name == "StreamMetrics":
                self.daemon._run(request.run_id)
                if self.daemon.runs[request.run_id]["status"] != 1 and not request.replay:
                    raise Refused(114, "the run has ended")
                writer = (request.run_id, request.writer_id)
                done = self.daemon.batches.setdefault(writer, {})
                self.metrics[stream] = writer
                self.answer(stream, opcode, _wire.encode(answer_name, {
                    "durable_through": len(done)}), end=False)
            elif name in ("PutFile", "PutFiles"):
                self.uploads[stream] = (request, [], opcode)
            elif name == "ReadArtifact":
                content = self.daemon.read(request)
                self.answer(stream, opcode, b"", end=False)
                self.send_credit[stream] = 262_144
                threading.Thread(target=self.stream_out, args=(stream, content),
                                 daemon=True).start()
            else:
                answer = self.daemon.call(name, header, request)
                known = {entry[1] for entry in _wire.FIELDS[answer_name]}
                self.answer(stream, opcode, _wire.encode(answer_name, {
                    field: value for field, value in answer.items() if field in known}))
        except Refused as error:
            self.fail(stream, error.code, error.message, error.retryable, error.details)

    def batch(self, stream, payload):
        batch = _wire.decode("MetricBatch", payload)
        with self.daemon.lock:
            done = self.daemon.batches[self.metrics[stream]]
            if batch.sequence > len(done) + 1:
                self.fail(stream, 107, f"batch {batch.sequence} is ahead of {len(done) + 1}")
                return
            assert batch.value and len(batch.step) == len(batch.time_us) == len(batch.value)
            done.setdefault(batch.sequence, payload)
            self.daemon.batch_count += 1
            going = self.daemon.batch_count == self.daemon.goaway_after
            durable = len(done)
        if self.daemon.ack_delay:
            time.sleep(self.daemon.ack_delay)
        if self.mute:
            return
        for _ in range(2 if self.daemon.repeat_acks else 1):
            self.send(_frames.DATA, stream, _wire.encode("MetricAck", {"durable_through": durable}))
        self.grant(0, len(payload))
        self.grant(stream, len(payload))
        if going:
            self.send(_frames.GOAWAY, 0, _wire.encode("GoAway", {
                "last_stream": stream, "reason": "test"}))
