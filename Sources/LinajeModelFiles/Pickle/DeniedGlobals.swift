/// Names that do harm, or from which harm is reached. The list makes messages and verdicts clearer; what
/// is not on it is unknown, never safe.
enum DeniedGlobals {
    /// Why a name is denied.
    ///
    /// - Parameter parts: The name, cut at its points.
    static func reason(module: String, parts: [Substring]) -> String? {
        for (names, reason) in words where parts.contains(where: { names.contains(String($0)) }) {
            return reason
        }
        var prefix = ""
        for part in module.split(separator: ".") {
            prefix += prefix.isEmpty ? part : "." + part
            if let reason = modules[prefix] { return reason }
        }
        return nil
    }

    /// Names that do harm wherever they stand.
    private static let words: [(Set<String>, String)] = [
        (
            [
                "system", "popen", "eval", "exec", "execfile", "compile", "spawn", "spawnl",
                "spawnv",
                "execv", "execve", "execl", "check_output", "check_call", "Popen", "runstring",
                "run_path", "run_module", "run_code", "startfile", "getoutput", "fork", "forkpty",
                "code_to_run", "runsource", "runcode", "runctx", "runeval", "subprocess", "os",
                "posix", "FunctionType", "CodeType", "LambdaType", "pty", "commands",
            ], "runs programs or code"
        ),
        (
            [
                "getattr", "setattr", "delattr", "__import__", "import_module", "attrgetter",
                "methodcaller", "itemgetter", "globals", "locals", "vars", "partial",
                "partialmethod", "reduce", "resolve_name", "find_spec", "get_loader", "subimport",
                "load_module", "load_source", "exec_module", "_ufunc_reconstruct", "importlib",
                "builtins", "sys", "apply_along_axis", "frompyfunc",
            ], "reaches anything by its name"
        ),
        (
            [
                "load", "loads", "Unpickler", "_load", "_loads", "read_pickle", "load_npz",
                "load_state_dict_from_url", "load_compatibility", "load_module_from_file",
                "legacy_load", "load_library", "torch_load", "unpickle",
            ], "loads another file"
        ),
        (
            [
                "open", "urlopen", "urlretrieve", "fromfile", "memmap", "open_memmap", "genfromtxt",
                "loadtxt", "DataSource", "unlink", "rmtree", "remove", "rename", "chmod", "socket",
                "mkstemp", "savetxt", "tofile",
            ], "reaches files or the network"
        ),
    ]

    private static let modules: [String: String] = {
        var table: [String: String] = [:]
        for (names, reason) in groups {
            for name in names.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
                table[String(name)] = reason
            }
        }
        return table
    }()

    private static let groups: [(String, String)] = [
        (
            """
            os posix nt ntpath posixpath subprocess _posixsubprocess popen2 commands pty platform
            multiprocessing threading _thread concurrent asyncio signal pexpect fabric invoke sh
            plumbum distutils setuptools pip ensurepip venv idlelib lib2to3 test unittest doctest
            timeit trace profile cProfile pstats pdb bdb code codeop cmd pydoc runpy webbrowser
            antigravity site sysconfig numpy.testing numpy.distutils numpy.f2py torch.utils
            torch._inductor torch._dynamo torch.testing torch.distributed torch.multiprocessing
            uuid curses readline rlcompleter tkinter turtle turtledemo _osx_support _aix_support
            _pyrepl IPython ipykernel jupyter_client numba llvmlite
            """, "is in a module that runs programs or code"
        ),
        (
            """
            importlib imp pkgutil zipimport zipapp functools _functools operator _operator types inspect
            sys builtins gc ctypes _ctypes cffi _cffi_backend marshal ast symtable py_compile
            compileall copyreg copy weakref _weakref atexit codecs _codecs encodings contextlib
            itertools typing dataclasses enum_tools cloudpickle dill pyximport cython Cython jinja2
            mako torch.fx torch.package torch.library torch.ops torch.classes torch.onnx
            torch._C torch._classes pandas.core.computation pandas.io numpy.ctypeslib numpy.compat
            sklearn.datasets sklearn.externals sklearn.utils._testing joblib.externals
            joblib.memory joblib.parallel joblib._parallel_backends logging
            """, "is in a module that reaches anything by its name"
        ),
        (
            """
            pickle _pickle pickletools shelve dbm _dbm _gdbm joblib skops.io torch.serialization
            torch.hub torch.jit torch.nn.modules._load h5py tables yaml ruamel zodbpickle jsonpickle
            """, "is in a module that loads other files"
        ),
        (
            """
            io _io _pyio socket _socket ssl http httplib urllib urllib2 urllib3 requests aiohttp httpx
            ftplib smtplib smtpd poplib imaplib telnetlib nntplib xmlrpc xmlrpclib socketserver
            SocketServer paramiko shutil tempfile pathlib glob fileinput linecache tokenize sqlite3
            zipfile tarfile gzip bz2 lzma mmap fcntl boto3 botocore fsspec nltk spacy
            """, "is in a module that reaches files or the network"
        ),
    ]
}
