import Glibc
package import LinajeDomain

/// What is recorded of the machine and the place that a run is made in; the rules are those of
/// docs/provenance.md, which the Python client shares. What cannot be found out stays empty.
package enum MachineFacts {
    /// What is cheap to know. `command` is the command line.
    package static func capture(
        command: [String], environment: [String: String]
    ) -> Provenance {
        var found = Provenance()
        found.entryPoint = command.first ?? ""
        found.argv = CommandLineMask.masked(command)
        found.environment = CapturedEnvironment.allowed(environment)
        found.os = operatingSystem(SmallFile.lines("/etc/os-release"))
        found.kernel = kernel()
        found.cpu = processor(SmallFile.lines("/proc/cpuinfo"))
        found.memoryBytes = memory()
        found.host = host()
        found.user = user(environment)
        found.job = SchedulerJob.detect(environment, host: found.host)
        let container = ContainerTraces.ofThisProcess(environment)
        found.container = container.id
        found.containerIdentity = container.identity
        return found
    }

    /// NVIDIA's accelerators with their driver; asks nobody where there are none. Blocks.
    package static func accelerators(environment: [String]) -> [String] {
        guard access("/proc/driver/nvidia/version", F_OK) == 0,
            let bytes = SpawnedProcess.output(
                of: ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
                environment: environment)
        else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { row in
            guard let comma = row.lastIndex(of: ",") else { return nil }
            let driver = row[row.index(after: comma)...].drop { $0 == " " }
            return "\(row[..<comma]) (driver \(driver))"
        }
    }

    /// As Python's getpass.getuser: what the environment says, which asks no directory service.
    private static func user(_ environment: [String: String]) -> String {
        for name in ["LOGNAME", "USER", "LNAME", "USERNAME"] {
            if let user = environment[name], !user.isEmpty { return user }
        }
        guard let entry = getpwuid(getuid()), let name = entry.pointee.pw_name else {
            return "\(getuid())"
        }
        return String(cString: name)
    }

    private static func operatingSystem(_ release: [Substring]) -> String {
        for line in release where line.hasPrefix("PRETTY_NAME=") {
            return line.dropFirst("PRETTY_NAME=".count).filter { $0 != "\"" }
        }
        return ""
    }

    private static func kernel() -> String {
        var name = utsname()
        guard uname(&name) == 0 else { return "" }
        return text(name.sysname) + " " + text(name.release)
    }

    private static func host() -> String {
        var name = utsname()
        return uname(&name) == 0 ? text(name.nodename) : ""
    }

    private static func text<Characters>(_ characters: Characters) -> String {
        withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    private static func processor(_ lines: [Substring]) -> String {
        let model = lines.first { $0.hasPrefix("model name") }?.split(separator: ":").last
        let name = model.map { String($0.drop { $0 == " " }) }
        return "\(name ?? "unknown"), \(sysconf(Int32(_SC_NPROCESSORS_CONF))) cores"
    }

    private static func memory() -> UInt64 {
        let pages = sysconf(Int32(_SC_PHYS_PAGES))
        let size = sysconf(Int32(_SC_PAGESIZE))
        return pages > 0 && size > 0 ? UInt64(pages) * UInt64(size) : 0
    }
}

/// Which environment variables are recorded.
package enum CapturedEnvironment {
    private static let names = [
        "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "OMP_NUM_THREADS",
        "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUBLAS_WORKSPACE_CONFIG", "PYTHONHASHSEED",
        "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
        "SLURM_JOB_ID", "SLURM_JOB_NAME", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_NODELIST",
        "CONDA_DEFAULT_ENV", "VIRTUAL_ENV", "LANG", "LC_ALL", "TZ", "XLA_FLAGS",
        "PYTORCH_CUDA_ALLOC_CONF", "TF_DETERMINISTIC_OPS", "TORCH_CUDNN_V8_API_ENABLED",
    ]

    /// The listed ones, and those that LINAJE_CAPTURE_ENV names.
    package static func allowed(_ environment: [String: String]) -> [String: String] {
        let extra = (environment["LINAJE_CAPTURE_ENV"] ?? "").split(separator: ",").map {
            $0.filter { $0 != " " }
        }
        var found: [String: String] = [:]
        for name in names + extra where !name.isEmpty { found[name] = environment[name] }
        return found
    }
}

/// Hides what looks like a secret on a command line.
package enum CommandLineMask {
    private static let words = [
        "password", "passwd", "pass", "secret", "token", "credential", "api-key", "api_key",
        "apikey", "private-key", "private_key", "privatekey",
    ]

    /// The words; the value of an option whose name looks like that of a secret is ***.
    package static func masked(_ arguments: [String]) -> [String] {
        var hides = false
        return arguments.map { argument in
            defer {
                hides = argument.hasPrefix("-") && !argument.contains("=") && isSecret(argument)
            }
            if hides, !argument.hasPrefix("-") { return "***" }
            guard let equals = argument.firstIndex(of: "=") else { return argument }
            let name = argument[..<equals]
            return isSecret(String(name)) ? "\(name)=***" : argument
        }
    }

    private static func isSecret(_ name: String) -> Bool {
        let name = name.lowercased()
        return words.contains { name.contains($0) }
    }
}
