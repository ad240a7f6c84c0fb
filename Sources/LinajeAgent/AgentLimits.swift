/// Every bound that the agent enforces on what it reads, in one place.
package enum AgentLimits {
    /// Longest record of an event file that is looked into. Longer ones (graphs, videos) are passed
    /// over without being read.
    package static let recordBytes = 16 << 20
    /// Longest line of a JSON lines file. Longer ones are passed over.
    package static let lineBytes = 1 << 20
    /// Deepest nesting of objects in a line.
    package static let jsonDepth = 16
    /// Most points in one numbered batch: with keys of the longest kind they fit the least credit
    /// that a stream may have.
    package static let pointsPerBatch = 500
    /// Most measurements that are taken from one record.
    package static let pointsPerRecord = 10_000
    /// Bytes that are read from a file at once.
    package static let readBytes = 256 << 10
    /// Deepest sub-directory that is looked into.
    package static let directoryDepth = 16
    /// Most directories and most event files below one that is followed.
    package static let directories = 20_000
    package static let files = 100_000
    /// Files that are read at the same time.
    package static let concurrentFiles = 8
    /// Problems of one file that are told one by one; the rest is counted.
    package static let toldProblems = 5

    /// Most processes that are looked at.
    package static let processes = 65_536
    /// Most runs whose processes are measured at the same time.
    package static let measuredRuns = 1_000
    /// Most GPUs, and most processes on one of them.
    package static let gpus = 64
    package static let gpuProcesses = 1_024
    /// Bytes of samples that wait for the daemon, over all runs; then the oldest go.
    package static let waitingBytes = 16 << 20
    /// Samples that are sent as one batch at most.
    package static let samplesPerBatch = 60
    /// Points of them.
    package static let samplePointsPerBatch = 5_000
}
