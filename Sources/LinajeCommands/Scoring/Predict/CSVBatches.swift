import LinajeDomain

/// Makes batches of the rows of a CSV file whose first row has the names of its columns.
struct CSVBatches {
    /// Rows of a batch, and values of one that is numbers.
    static let batchRows = 50_000
    static let batchValues = 1 << 20

    private let engine: any ScoringEngine
    private var cutter = CSVCutter()
    private var width = 0
    private(set) var plan: ColumnPlan?
    /// Most rows that may wait.
    private var mostRows: Int
    /// Rows that were taken, without the first.
    private(set) var rows = 0
    /// Rows that wait to be scored.
    private(set) var waiting = 0
    private var numbers: [Double] = []
    private var cells: [[JSONNode]] = []

    init(_ engine: any ScoringEngine) {
        self.engine = engine
        mostRows = engine.mostRows
    }

    /// Whether enough rows wait for a batch: half of those that may, as more come with the next piece.
    var isFull: Bool {
        waiting >= min(Self.batchRows, mostRows / 2) || numbers.count >= Self.batchValues
    }

    /// Most bytes that may be taken in at once while it is not full, so that never more rows wait than
    /// the engine takes: a row has two at least. Before the names are known, few.
    var pieceBytes: Int { plan == nil ? 256 : max(1, min(1 << 20, mostRows)) }

    /// Takes in bytes of the file; the first with its names.
    ///
    /// - Throws: `invalidArgument` naming column and row; `limitExceeded` when more rows wait than the
    ///   engine takes.
    mutating func take(_ bytes: some Collection<UInt8>) throws {
        // Apart while it works, as it calls back.
        var cutter = self.cutter
        self.cutter = CSVCutter()
        defer { self.cutter = cutter }
        try cutter.take(bytes) { try add($0) }
    }

    /// The file is over.
    mutating func finish() throws {
        var cutter = self.cutter
        self.cutter = CSVCutter()
        try cutter.finish { try add($0) }
        guard plan != nil else {
            throw LinajeError(
                .invalidArgument, "the CSV file is empty; its first line must name the columns")
        }
    }

    /// The rows that wait.
    mutating func next() -> ScoringBatch {
        defer {
            waiting = 0
            numbers = []
            cells = []
        }
        guard !engine.takesNumbers, let plan else { return .numbers(numbers) }
        return .table(
            ScoringTable(columns: plan.names, rows: cells),
            types: plan.sources.map { $0?.rule.type ?? .unknown })
    }

    private mutating func add(_ row: borrowing CSVCutter.Row) throws {
        guard let plan else {
            let names = try (0..<row.count).map { try row.text($0) }
            width = names.count
            plan = try engine.plan(columns: names, count: names.count)
            mostRows = plan.map { engine.mostRows($0) } ?? mostRows
            return
        }
        rows += 1
        waiting += 1
        guard row.count == width else {
            throw LinajeError(
                .invalidArgument,
                "CSV line \(row.line), row \(rows), has \(row.count) fields where the first line has "
                    + "\(width)")
        }
        if waiting > mostRows { try engine.check(rows: waiting, plan) }
        if engine.takesNumbers {
            for source in plan.sources {
                guard let source else {
                    numbers.append(.nan)
                    continue
                }
                numbers.append(try source.rule.number(of: row[source.place], row: rows))
            }
        } else {
            let number = rows
            var values: [JSONNode] = []
            values.reserveCapacity(plan.sources.count)
            for source in plan.sources {
                guard let source else {
                    values.append(.null)
                    continue
                }
                values.append(
                    try source.rule.checked(field: row[source.place], row: number))
            }
            cells.append(values)
        }
    }
}
