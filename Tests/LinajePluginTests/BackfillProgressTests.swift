import LinajePluginKit
import Testing

@Suite("Progress of a backfill")
struct BackfillProgressTests {
    @Test(
        "is 0 to 99 whatever numbers a damaged database gives, and 100 only at the end",
        arguments: [
            (0, 0, 0), (0, 10, 0), (5, 10, 50), (10, 10, 99), (UInt64.max, 1, 99),
            (1, UInt64.max, 0),
        ] as [(UInt64, UInt64, Int)])
    func percent(done: UInt64, total: UInt64, percent: Int) {
        var progress = SQLBackfillProgress(
            namespace: "catalog", name: "1", done: done, total: total, isFinished: false)
        #expect(progress.percent == percent)
        progress.isFinished = true
        #expect(progress.percent == 100)
    }
}
