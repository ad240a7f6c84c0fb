/// Every bound that Linaje enforces on what comes from outside, in one place.
///
/// A value past its bound is an error that names the bound; nothing is cut silently. Each is
/// checked before memory is taken for the value.
public enum Limits {
    /// Longest frame payload in bytes.
    public static let frameBytes = 4 << 20
    /// Longest request payload in bytes (header, call header and message).
    public static let requestBytes = 1 << 20
    /// Most streams open at once on one connection.
    public static let concurrentStreams = 128
    /// Bytes of credit a client gets with hello.
    public static let firstConnectionCredit = 32 << 10
    /// Bytes of credit a connection holds once its principal is accepted.
    public static let connectionCredit = 4 << 20
    /// Bytes of credit a new stream holds.
    public static let streamCredit = 512 << 10
    /// Longest handshake before the connection is closed.
    public static let handshakeTimeout = Duration.seconds(10)
    /// How long a client may keep a connection waiting: for the rest of a frame that it has begun,
    /// or for the reading of what it was sent. `limits.slow_client_seconds` is another.
    public static let slowClientPatience = Duration.seconds(20)
    /// Bytes of a long frame that must come within that time; the frame may then go on.
    public static let slowClientBytes = 64 << 10
    /// Bytes that a client may leave unread for ever, as the kernel counts them: some ten small
    /// frames.
    public static let unreadAllowance = 8 << 10
    /// Bytes of answers that may wait for a client to read them before nothing more is done for it.
    public static let unreadBytes = 32 << 10
    /// Most bytes that are read from a connection at once.
    public static let readBytes = 64 << 10
    /// Most connections of one daemon.
    public static let connections = 16_384
    /// Most connections of one user.
    public static let connectionsPerUser = 12_000
    /// File descriptors that connections leave to the daemon's own files (databases, packs), or half
    /// of those it may have when they are few.
    public static let ownDescriptors = 128

    /// Most connections of the HTTP endpoint for metrics.
    public static let endpointConnections = 16
    /// Most bytes that are read on one of them.
    public static let endpointRequestBytes = 8 << 10
    /// Longest time one of them is open.
    public static let endpointTime = Duration.seconds(5)

    /// Most points in one metric batch.
    public static let batchPoints = 16_384
    /// Most series in one metric batch.
    public static let batchSeries = 10_000
    /// Most buckets that a series is divided into.
    public static let metricBuckets = 10_000
    /// Bytes of metric batches that may wait for their commit, over all connections.
    public static let ingestQueueBytes = 64 << 20
    /// How long the reading of a run's points waits for those of them that are not stored yet.
    public static let queuedReadPatience = Duration.seconds(5)

    /// Most bytes of output in one append to a run's log.
    public static let logAppendBytes = 512 << 10
    /// Most records in one append.
    public static let logAppendRecords = 16_384
    /// Most writers of one run's log.
    public static let logWriters = 4_096
    /// Bytes of output that a run's log keeps; `runs.log_bytes` is another. What comes after them is
    /// counted and dropped.
    public static let logBytes: UInt64 = 1 << 30
    /// Longest text that a log is searched for, in bytes.
    public static let logSearchBytes = 1_024
    /// Most lines that one search finds, and that it shows around each of them.
    public static let logSearchLines = 100_000
    public static let logContextLines = 100
    /// Most bytes of a line that a search shows.
    public static let logLineExcerptBytes = 4 << 10

    /// Longest key of a metric, param or tag in bytes.
    public static let keyBytes = 250
    /// Longest value of a param in bytes.
    public static let paramValueBytes = 6_000
    /// Longest value of a tag in bytes.
    public static let tagValueBytes = 100_000
    /// Longest name of an experiment, run, registered model or data set in bytes.
    public static let nameBytes = 500
    /// Longest alias in bytes.
    public static let aliasBytes = 255
    /// Longest free text (description, comment, cause) in bytes.
    public static let textBytes = 65_536
    /// Most params, tags, inputs and outputs in one call, each.
    public static let itemsPerCall = 10_000
    /// Most entries on one page of a list.
    public static let pageEntries = 1_000
    /// Most characters of all tags of one object, and of all its params: an object must fit into the
    /// answer that shows it.
    public static let labelCharacters = 768 << 10
    /// Most characters of all data sets of one run.
    public static let datasetCharacters = 1 << 20
    /// Entries on a page when the caller does not say.
    public static let defaultPageEntries = 100

    /// Most runs that one call names to be deleted for good.
    public static let purgedRuns = 1_000

    /// Longest filter of a search, and longest key of its order, in bytes.
    public static let filterBytes = 65_536
    /// Most parentheses and NOTs inside one another in a filter.
    public static let filterDepth = 20
    /// Most tests in a filter.
    public static let filterTests = 200
    /// Most values in the IN lists of a filter, all together.
    public static let filterListValues = 10_000
    /// Most times among them: each is a range of its own to the database.
    public static let filterListTimes = 100
    /// Longest pattern of LIKE and ILIKE in bytes.
    public static let filterPatternBytes = 1_024
    /// Bytes of all patterns of a filter together: a text of 100,000 bytes may have to be looked at
    /// once for each of them before a search can be stopped.
    public static let filterPatternsBytes = 4_096
    /// Most keys in the order of a list.
    public static let sortKeys = 8
    /// How long one search may keep the database busy. `limits.search_seconds` is another.
    public static let searchTime = Duration.seconds(10)

    /// Longest path inside a tree in bytes.
    public static let pathBytes = 1_024
    /// Most entries of one tree.
    public static let treeEntries = 10_000_000
    /// Longest content of one file in bytes (512 GiB): its recipe has about 260 MB
    /// at the mean chunk of 74 KiB, within the bound of 512 MiB.
    public static let fileBytes: UInt64 = 512 << 30
    /// Longest content of one of many files that are put together, in bytes; longer ones are put alone.
    public static let smallFileBytes = 128 << 10
    /// Bytes of such files that are put in one go.
    public static let smallFilesBatchBytes = 1 << 20
    /// Streams that gather so many, of all connections; of others each frame is put by itself.
    public static let smallFilesBatches = 32
    /// Longest target of a symbolic link in bytes.
    public static let linkTargetBytes = 4_096
    /// Most ingest sessions open at once.
    public static let ingestSessions = 4_096
    /// Seconds of silence after which an ingest session is dropped.
    public static let ingestLease = Duration.seconds(3_600)

    /// How long content that nothing needs stays and can be had back. `artifacts.gc_grace` is another.
    public static let collectionGrace = Duration.seconds(7 * 86_400)
    /// How often it is collected. `artifacts.gc_interval` is another.
    public static let collectionInterval = Duration.seconds(86_400)
    /// How long a tree that was put and belongs to nothing is kept before it is collected.
    public static let treeLease = Duration.seconds(86_400)
    /// How long a tree that somebody looks at is kept for whoever downloads its files.
    public static let downloadLease = Duration.seconds(3_600)
    /// Most trees that are kept so; of more, those that were looked at last.
    public static let downloadLeases = 4_096
    /// How often every stored byte is read. `artifacts.scrub_interval` is another.
    public static let scrubInterval = Duration.seconds(30 * 86_400)
    /// Bytes a second that this reads at most. `artifacts.scrub_bytes_per_second` is another.
    public static let scrubRate = 8 << 20
    /// Pushes, pulls and comparisons with remotes at a time.
    public static let remoteExchanges = 4
    /// Most trees that are held by name.
    public static let holds = 100_000
    /// Most retention policies.
    public static let retentionPolicies = 1_000
    /// Most checkpoints or versions that one policy looks at.
    public static let retentionItems = 50_000

    /// How long an idempotency key is remembered.
    public static let idempotencyWindow = Duration.seconds(24 * 3_600)
    /// Silence after which a run with a heartbeat lease is STALLED, when the client does not say.
    public static let heartbeatTimeout = Duration.seconds(600)
    /// Most lines of a process's standard error that are kept with its run.
    public static let lastErrorLines = 64
    /// Most bytes of them, as UTF-8: a byte that is no text becomes three.
    public static let lastErrorBytes = 48 << 10
    /// Most steps back in a lineage.
    public static let lineageDepth = 32
    /// Most nodes of a lineage graph.
    public static let lineageNodes = 10_000

    /// Files of a backup that one message names.
    public static let backupFilesPerMessage = 1_000
    /// How long an open backup may go unread: until it is over no garbage is collected.
    public static let backupIdle = Duration.seconds(3_600)
    /// Longest manifest of a backup in bytes: some ten million packs.
    public static let backupManifestBytes = 1 << 30
    /// Objects of a bundle.
    public static let bundleObjects = 10_000
    /// Bytes of all objects of a bundle together.
    public static let bundleObjectBytes = 64 << 20
    /// Content of one record of a bundle in bytes.
    public static let bundleRecordBytes = 512 << 20
}
