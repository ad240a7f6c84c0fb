"""Writes hostile files of every kind that scanners have been deceived by, from a seed.

usage: make_hostile.py FILE COUNT SEED

FILE: for each u16 length, kind; u16 length, name; u32 length, bytes. Nothing is run: pickles are put
together operation by operation. Kinds are those of the attack checklist: names taken in every way,
calls made in every way, what hides them, and the containers around them.
"""
import bz2
import gzip
import io
import json
import lzma
import random
import struct
import sys
import tarfile
import zipfile
import zlib

CALLABLES = """
os.system os.popen os.execv os.spawnl posix.system posix.popen nt.system subprocess.Popen
subprocess.call subprocess.check_output subprocess.getoutput builtins.eval builtins.exec
builtins.compile builtins.__import__ builtins.getattr builtins.setattr builtins.open builtins.map
builtins.apply builtins.type builtins.vars builtins.globals __builtin__.eval __builtin__.execfile
commands.getoutput runpy.run_path runpy._run_code pip.main pip._internal.main pty.spawn
importlib.import_module importlib.__import__ operator.attrgetter operator.methodcaller
operator.itemgetter _operator.attrgetter functools.partial functools.reduce _functools.partial
numpy.load numpy.fromfile numpy.memmap numpy.f2py.crackfortran.myeval numpy.f2py.capi_maps.eval
numpy.testing._private.utils.runstring numpy._core._ufunc_reconstruct
numpy.core._ufunc_reconstruct numpy.DataSource numpy.apply_along_axis numpy.vectorize
numpy.lib.npyio.load numpy.ctypeslib.load_library numpy.lib.format.open_memmap
torch.load torch.hub.load torch.jit.load torch.jit.compile_unsupported torch.serialization.load
torch.utils.collect_env.run torch.utils.cpp_extension.load torch._inductor.codecache.compile_file
torch.fx.graph_module.reduce_graph_module torch.storage._load_from_bytes
torch.utils._config_module.load_config torch.distributed.rpc.rpc_sync torch.package.PackageImporter
torch._utils._set_obj_state joblib.load joblib.numpy_pickle.load joblib.memory.Memory
joblib.numpy_pickle_compat.NDArrayWrapper pandas.read_pickle pandas.eval pandas.io.pickle.read_pickle
pandas.read_csv pandas.core.computation.eval.eval sklearn.utils.parallel.Parallel
sklearn.utils._testing.ignore_warnings sklearn.datasets.load_files sklearn.externals.joblib.load
sklearn.utils.metaestimators.available_if scipy.stats._distn_infrastructure.rv_continuous
scipy.stats._continuous_distns.norm_gen scipy.io.loadmat scipy.LowLevelCallable
skops.io.load xgboost.Booster lightgbm.Booster types.FunctionType types.CodeType types.MethodType
copyreg.add_extension copyreg.pickle copy_reg.constructor codecs.decode codecs.open _codecs.decode
weakref.finalize weakref.ref marshal.loads pickle.loads pickle.Unpickler _pickle.loads
cPickle.loads cloudpickle.loads cloudpickle.cloudpickle._make_function
cloudpickle.cloudpickle._builtin_type cloudpickle.cloudpickle.subimport dill.loads
dill._dill._create_function dill._dill._import_module code.interact code.InteractiveInterpreter
codeop.compile_command bdb.Bdb pdb.run cProfile.runctx profile.run timeit.timeit trace.Trace
doctest.debug_script ensurepip._run_pip idlelib.run.main lib2to3.pgen2.pgen.ParserGenerator
venv.create uuid._get_command_stdout webbrowser.open ctypes.CDLL ctypes.pythonapi _ctypes.dlopen
shutil.rmtree shutil.move socket.socket socket.create_connection ssl.SSLContext
http.client.HTTPSConnection urllib.request.urlopen urllib.request.urlretrieve requests.get
aiohttp.ClientSession httpx.get ftplib.FTP smtplib.SMTP telnetlib.Telnet xmlrpc.client.ServerProxy
asyncio.create_subprocess_shell multiprocessing.Process multiprocessing.util.spawnv_passfds
multiprocessing.popen_fork.Popen threading.Thread _thread.start_new_thread signal.signal
sys.exit sys.setprofile sys.modules gc.get_objects inspect.getattr_static atexit.register
logging.config.dictConfig logging.FileHandler linecache.getlines tokenize.open io.open io.FileIO
_io.FileIO pathlib.Path.write_text pathlib.PosixPath tempfile.mkstemp glob.glob fileinput.input
zipimport.zipimporter pkgutil.resolve_name pkgutil.get_data imp.load_source sqlite3.connect
tarfile.open zipfile.ZipFile dbm.open shelve.open pydoc.pipepager pydoc.locate test.support.run
nltk.app.concordance_app IPython.start_ipython keras.models.load_model tensorflow.io.read_file
transformers.pipeline jinja2.Template yaml.unsafe_load numba.core.serialize._rebuild_reduction
some_package.gadget evil.run a.b.c.d mymodel.Model __main__.Model antigravity.geohash
contextlib.ExitStack itertools.accumulate typing.get_type_hints dataclasses.make_dataclass
""".split()

DOTTED = """
numpy:core.os.system numpy:f2py.os.system sklearn:utils.os.system torch:os.system
torch.nn.modules.linear:torch.os.system collections:_sys.modules pandas:io.common.os.system
builtins:object.__subclasses__ builtins:str.format builtins:dict.__class__.__base__
numpy:ndarray.__reduce__ numpy:ndarray.tofile sklearn.pipeline:Pipeline.fit datetime:sys.modules.get
numpy:dtype.__init_subclass__ collections:OrderedDict.__init__.__globals__ decimal:_sys.exit
sklearn.tree._classes:DecisionTreeClassifier.fit.__globals__.get xgboost.core:os.system
pandas:DataFrame.to_pickle lightgbm.basic:json.codecs.open joblib.numpy_pickle:os.system
""".split()

BENIGN = [
    b"K\x01", b"N", b"\x88", b"]", b"}", b")", b"\x8c\x04data", b"C\x02ab", b"G?\xf0\0\0\0\0\0\0",
    b"(K\x01K\x02t", b"K\x01\x85", b"ccollections\nOrderedDict\n)R", b"cnumpy\nfloat64\n",
    b"cbuiltins\nset\n]\x85R", b"cdatetime\ntimedelta\nK\x01K\0K\0\x87R",
]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.slot = 0

    # Parts.

    def split(self, path):
        module, _, name = path.rpartition(".")
        return module, name

    def target(self):
        if self.random.random() < 0.12:
            module, name = self.random.choice(DOTTED).split(":")
            return module, name
        return self.split(self.random.choice(CALLABLES))

    def unicode(self, text):
        data = text.encode()
        form = self.random.randrange(4)
        if form == 0:
            return b"X" + struct.pack("<I", len(data)) + data
        if form == 1 and len(data) < 256:
            return b"\x8c" + bytes([len(data)]) + data
        if form == 2:
            return b"\x8d" + struct.pack("<Q", len(data)) + data
        return b"V" + data + b"\n"

    def put(self):
        """Remembers the top of the stack, and how to get it back."""
        self.slot += 1
        slot = self.slot
        if self.random.random() < 0.5 and slot < 256:
            return b"q" + bytes([slot]), b"h" + bytes([slot])
        if self.random.random() < 0.5:
            return b"r" + struct.pack("<I", slot), b"j" + struct.pack("<I", slot)
        return b"p%d\n" % slot, b"g%d\n" % slot

    def obscured(self, text):
        """A text that only comes about while loading, or in a form that hides it."""
        form = self.random.randrange(5)
        if form == 0:
            return b"V" + "".join("\\u%04x" % ord(each) for each in text).encode() + b"\n"
        if form == 1:
            return b"S'" + "".join("\\x%02x" % ord(each) for each in text).encode() + b"'\n"
        if form == 2:
            data = text.encode()
            return b"U" + bytes([len(data)]) + data
        if form == 3:
            return b"cbuiltins\nstr\n" + self.unicode(text) + b"\x85R"
        put, get = self.put()
        return self.unicode(text) + put + b"0" + self.unicode("harmless") + b"0" + get

    def taken(self, module, name):
        """Operations that push what a module holds."""
        form = self.random.randrange(6)
        plain = "\n" not in module + name
        if form == 0 and plain:
            return b"c" + module.encode() + b"\n" + name.encode() + b"\n"
        if form == 1:
            return self.unicode(module) + self.unicode(name) + b"\x93"
        if form == 2:
            return self.obscured(module) + self.obscured(name) + b"\x93"
        if form == 3:
            # The memo first holds something harmless and then what is taken.
            put, get = self.put()
            again = put
            return (self.unicode("collections") + put + b"0" + self.unicode(module) + again + b"0"
                    + get + self.unicode(name) + b"\x93")
        if form == 4:
            return self.unicode(module) + b"20" + self.unicode(name) + b"\x93"
        put, get = self.put()
        return self.unicode(module) + self.unicode(name) + b"\x93" + put + b"0" + get

    def arguments(self):
        return self.random.choice([
            b"\x8c\x02id\x85", b"(\x8c\x02idt", b")", b"(S'id'\nt", b"K\x01K\x02\x86",
            b"\x8c\x02idN\x86",
        ])

    def called(self):
        """Operations that call something and leave one value."""
        module, name = self.target()
        form = self.random.randrange(9)
        if form <= 2:
            return self.taken(module, name) + self.arguments() + b"R"
        if form == 3:
            return b"(S'id'\ni" + module.encode() + b"\n" + name.encode() + b"\n"
        if form == 4:
            return b"(" + self.taken(module, name) + b"\x8c\x02ido"
        if form == 5:
            return self.taken(module, name) + self.arguments() + b"\x81"
        if form == 6:
            return self.taken(module, name) + self.arguments() + b"}\x92"
        if form == 7:
            # Python calls __setstate__ of the object itself.
            word = self.random.choice(["__setstate__", "append", "extend", "__reduce__", "__class__"])
            first = b"csklearn.pipeline\nPipeline\n)\x81}" + self.unicode(word)
            return first + self.taken(module, name) + b"sb\x8c\x02idb"
        return (b"ccopyreg\n_reconstructor\n(" + self.taken(module, name)
                + b"cbuiltins\nobject\nNtR")

    def around(self, payload):
        """Puts harmless operations before, and hides what the call left."""
        before = b"".join(
            self.random.choice(BENIGN) + b"0" for _ in range(self.random.randrange(4)))
        form = self.random.randrange(9)
        value = self.random.choice(BENIGN)
        if form == 0:
            body = payload
        elif form == 1:
            body = payload + b"0" + value
        elif form == 2:
            body = b"(" + payload + b"1" + value
        elif form == 3:
            body = b"]" + payload + b"a"
        elif form == 4:
            body = b"}" + self.unicode("key") + payload + b"s"
        elif form == 5:
            body = b"(" + value + payload + b"t"
        elif form == 6:
            body = b"\x8f(" + payload + b"\x90"
        elif form == 7:
            body = value + payload + b"20" + b"0"
        else:
            body = b"csklearn.pipeline\nPipeline\n)\x81}" + self.unicode("steps") + payload + b"sb"
        return before + body

    def headed(self, body, protocol=None):
        protocol = self.random.randrange(6) if protocol is None else protocol
        head = b"" if protocol < 2 else b"\x80" + bytes([protocol])
        if protocol >= 4 and self.random.random() < 0.5:
            return head + b"\x95" + struct.pack("<Q", len(body) + 1) + body + b"."
        return head + body + b"."

    def pickle(self):
        self.slot = 0
        return self.headed(self.around(self.called()))

    # Kinds.

    def plain(self):
        return "m.pkl", self.pickle()

    def renamed(self):
        name = self.random.choice(["m.bin", "weights.safetensors", "notes.txt", "config.json", "m",
                                   "model.h5", "m.PKL", "data.csv", "m.onnx"])
        return name, self.headed(self.around(self.called()), self.random.randrange(2, 6))

    def trailing(self):
        garbage = bytes(self.random.randrange(256) for _ in range(self.random.randrange(1, 40)))
        return "m.pkl", self.pickle() + garbage

    def harmless_then_hostile(self):
        first = self.headed(self.random.choice(BENIGN))
        return "m.pkl", first * self.random.randrange(1, 4) + self.pickle()

    def harmless_then_garbage(self):
        garbage = b"\xff" + bytes(self.random.randrange(256) for _ in range(12))
        return "m.pkl", self.headed(self.random.choice(BENIGN)) + garbage

    def torn(self):
        """The payload runs before the error that ends the loading."""
        body = self.headed(self.called())[:-1]
        return "m.pkl", body + self.random.choice([b"", b"\xfe", b"X\xff\xff\xff\x7f", b"h\xf0", b"t"])

    def before_protocol(self):
        body = self.random.choice(BENIGN) + b"0" + b"\x80\x04" + self.around(self.called()) + b"."
        return "m.pkl", body

    def harmless_before_protocol(self):
        return "m.pkl", b"N0\x80\x04" + self.random.choice(BENIGN) + b"."

    def extension(self):
        op = self.random.choice([b"\x82\x01", b"\x83\x01\x02", b"\x84\x01\0\0\0"])
        return "m.pkl", self.headed(op + self.arguments() + b"R", 2)

    def lies(self):
        body = self.random.choice(BENIGN)
        return "m.pkl", self.random.choice([
            b"\x80\x06" + body + b".", b"\x80\x04\x95\xff\0\0\0\0\0\0\0" + body,
            b"\x80\x04\x95\x01\0\0\0\0\0\0\0X\x05\0\0\0abcde.", b"\x80\x04h\x05.", b"\x80\x040.",
            b"\x80\x04(.", b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xffa.", b"\x80\x02t.",
            b"\x80\x04" + body + b"r\xff\xff\xff\xff.", b"\x80\x05\x97.", b"\x80\x02Pid\n.",
            b"\x80\x02K\x01Q.", b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f" + body + b".",
        ])

    def made_callable(self):
        """Calls what a call returned, or changes a class."""
        return "m.pkl", self.headed(self.random.choice([
            b"ccollections\nOrderedDict\n)R)R", b"cnumpy\nndarray\n}b", b"csklearn.pipeline\nPipeline\n"
            b"N}\x8c\x03fitcnumpy\nlog\ns\x86b", b"K\x01)R", b"\x8c\x02os)R", b"]}b",
            b"csklearn.pipeline\nPipeline\n)\x81ccollections\nOrderedDict\n)Rb",
            b"ccopyreg\n_reconstructor\nK\x01\x85R", b"c_codecs\nencode\n\x8c\x01a\x8c\x03zip\x86R",
            b"]ccopyreg\n_reconstructor\na",
        ]), self.random.randrange(2, 6))

    def numpy_addresses(self):
        """Bytes of the file as addresses of objects."""
        field = b"cnumpy\ndtype\n\x8c\x02O8\x89\x88\x87R"
        body = (b"cnumpy\ndtype\n\x8c\x02V8\x89\x88\x87R(K\x03\x8c\x01|N\x8c\x01a\x85}\x8c\x01a"
                + field + b"K\0\x86sK\x08K\x01K\x10tb")
        return "m.pkl", self.headed(body, 4)

    def loaded_bytes(self):
        inner = self.pickle()
        if self.random.random() < 0.5:
            inner = self.torch_bytes(inner)
        data = b"B" + struct.pack("<I", len(inner)) + inner
        name = self.random.choice([
            b"ctorch.storage\n_load_from_bytes\n", b"cpickle\nloads\n", b"c_pickle\nloads\n"])
        return "m.pkl", self.headed(name + data + b"\x85R", 4)

    # Containers.

    def packed(self):
        inner = self.pickle()
        pack = self.random.choice([
            lambda each: zlib.compress(each, self.random.choice([1, 6, 9])), gzip.compress,
            bz2.compress, lzma.compress, lambda each: lzma.compress(each, lzma.FORMAT_ALONE),
            lambda each: b"\x04\x22\x4d\x18" + each, lambda each: b"7z\xbc\xaf\x27\x1c" + each,
            lambda each: zlib.compress(each) + zlib.compress(b"x"),
            lambda each: gzip.compress(each[:3]) + gzip.compress(each[3:]),
            lambda each: zlib.compress(each)[:-3],
        ])
        return self.random.choice(["m.joblib", "m.pkl", "m.z"]), pack(inner)

    def joblib_wrapper(self, dtype, extra=b""):
        return (b"\x80\x04cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(\x8c\x08subclass"
                b"cnumpy\nndarray\n\x8c\x05shapeK\x01\x85\x8c\x05order\x8c\x01C\x8c\x05dtype"
                b"cnumpy\ndtype\n" + dtype + b"\x89\x88\x87R\x8c\x0aallow_mmap\x89"
                b"\x8c\x1bnumpy_array_alignment_bytesK\x10" + extra + b"ub")

    def joblib_array(self):
        payload = self.around(self.called())
        form = self.random.randrange(5)
        number = b"\x8c\x02i1"
        if form == 0:
            # Data of an array to joblib, operations to the other unpickler.
            return "m.pkl", self.joblib_wrapper(number) + payload + b"."
        if form == 1:
            return "m.pkl", self.joblib_wrapper(b"\x8c\x02O8") + self.headed(payload, 5) + b"."
        if form == 2:
            return "m.joblib", self.joblib_wrapper(number) + b"\x01\xff\0" + payload + b"."
        if form == 3:
            body = self.joblib_wrapper(number, b"\x8c\x05shapeK\x02\x85")
            return "m.joblib", body + b"\x01\xff\0" + b"."
        body = self.joblib_wrapper(number)[2:]
        frame = b"\x80\x04\x95" + struct.pack("<Q", len(body) + 8) + body
        return "m.joblib", frame + b"\x01\xff\0" + payload + b"."

    def array(self):
        header = "{'descr': %r, 'fortran_order': False, 'shape': (1,), }" % self.random.choice(
            ["|O", "O", "object", "b8,O", ">O8"])
        header = header.ljust(117) + "\n"
        data = b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode() + self.pickle()
        if self.random.random() < 0.5:
            return self.random.choice(["m.npy", "m.bin"]), data
        return "m.npz", self.archive([("a.npy", data)])

    def archive(self, members, packed=None):
        out = io.BytesIO()
        kind = self.random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
        with zipfile.ZipFile(out, "w", packed or kind) as file:
            for name, data in members:
                file.writestr(name, data)
        return out.getvalue()

    def torch_members(self, data):
        return [("m/data.pkl", data), ("m/version", b"3\n"), ("m/byteorder", b"little"),
                ("m/data/0", b"\0" * 16)]

    def torch_bytes(self, data):
        return self.archive(self.torch_members(data))

    def torch(self):
        return self.random.choice(["m.pt", "m.bin", "m.pth", "x.txt"]), self.torch_bytes(self.pickle())

    def torch_deceit(self):
        """The payload stands where some reader looks and another does not."""
        good = self.headed(b"}", 2)
        bad = self.pickle()
        form = self.random.randrange(11)
        plain = self.torch_bytes(bad)
        if form == 0:
            members = self.torch_members(good) + [("m/data.pkl", bad)]
            return "m.pt", self.archive(members)
        if form == 1:
            return "m.pt", self.archive(self.torch_members(good) + [("other/data.pkl", bad)])
        if form == 2:
            return "m.pt", self.torch_bytes(good) + plain
        if form == 3:
            return "m.pt", b"\x89PNG" + plain
        if form == 4:
            return "m.pt", plain + b"junk"
        stored = self.archive(self.torch_members(good), zipfile.ZIP_STORED)
        if form == 5:
            return "m.pt", self.changed(stored, b"PK\x01\x02", 8, self.random.choice([1, 0x20, 0x40]))
        if form == 6:
            return "m.pt", self.changed(stored, b"PK\x03\x04", 6, self.random.choice([1, 0x20, 0x40]))
        if form == 7:
            return "m.pt", self.changed(stored, b"PK\x01\x02", 16, 0x55)
        if form == 8:
            return "m.pt", stored.replace(b"m/data.pkl", b"m/date.pkl", 1)
        if form == 9:
            end = stored.rindex(b"PK\x05\x06")
            wide = struct.pack("<IQHHIIQQQQ", 0x06064b50, 44, 45, 45, 0, 0, 1, 1, 5, 0)
            locator = struct.pack("<IIQI", 0x07064b50, 0, end, 1)
            return "m.pt", stored[:end] + wide + locator + stored[end:]
        return "m.pt", self.archive([("m/extra/x.pkl", bad)] + self.torch_members(good))

    def changed(self, data, signature, offset, value):
        place = data.index(signature) + offset
        return data[:place] + bytes([data[place] ^ value]) + data[place + 1:]

    def torch_old(self):
        head = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}."
        if self.random.random() < 0.5:
            return "m.pt", head + self.headed(self.around(self.called()), 2) + b"\x80\x02]."
        return "m.pt", head + b"\x80\x02}.\x80\x02]." + self.pickle()

    def nested(self):
        data = self.pickle()
        for _ in range(self.random.randrange(1, 4)):
            data = self.archive([(self.random.choice(["a.pkl", "x.bin.pkl", "in.zip"]), data)])
        return self.random.choice(["m.zip", "m.npz", "m.bin", "m.keras"]), data

    def slip(self):
        name = self.random.choice(["../x", "/etc/x", "a/../../x", "C:\\x", "..\\x"])
        return "m.zip", self.archive([(name, b"x")])

    def tape(self):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as file:
            link = self.random.random() < 0.5
            info = tarfile.TarInfo("../x" if not link else "a")
            if link:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            file.addfile(info)
        return "m.tar", out.getvalue()

    def skops(self):
        module, name = self.target()
        loader = self.random.choice(["ObjectNode", "FunctionNode", "TypeNode", "MethodNode",
                                     "OperatorFuncNode", "PartialNode", "WhoKnowsNode"])
        node = {"__class__": name, "__module__": module, "__loader__": loader, "content": None}
        root = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode",
                "content": [node], "_skops_version": "0.16.0", "protocol": 2}
        return self.random.choice(["m.skops", "m.zip"]), self.archive(
            [("schema.json", json.dumps(root).encode())])


KINDS = {
    "plain": 30, "renamed": 6, "trailing": 6, "harmless_then_hostile": 6,
    "harmless_then_garbage": 2, "torn": 6, "before_protocol": 4, "harmless_before_protocol": 1,
    "extension": 2, "lies": 3, "made_callable": 3, "numpy_addresses": 1, "loaded_bytes": 6,
    "packed": 8, "joblib_array": 8, "array": 6, "torch": 8, "torch_deceit": 10, "torch_old": 4,
    "nested": 6, "slip": 2, "tape": 1, "skops": 5,
}


def main():
    path, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    maker = Maker(seed)
    import warnings
    warnings.simplefilter("ignore")
    names, weights = list(KINDS), list(KINDS.values())
    with open(path, "wb") as file:
        for number in range(count):
            kind = names[number] if number < len(names) else maker.random.choices(names, weights)[0]
            name, data = getattr(maker, kind)()
            for text in (kind.encode(), name.encode()):
                file.write(struct.pack("<H", len(text)) + text)
            file.write(struct.pack("<I", len(data)) + data)


if __name__ == "__main__":
    main()
