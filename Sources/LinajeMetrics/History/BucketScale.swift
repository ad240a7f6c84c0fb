/// Which bucket a step or time is in: `count` buckets of equal width over a range of whole numbers.
struct BucketScale: Sendable {
    /// What is divided.
    let range: ClosedRange<Int64>
    private let count: UInt64

    init(_ range: ClosedRange<Int64>, count: Int) {
        self.range = range
        self.count = UInt64(max(1, count))
    }

    /// Numbers in the range; 0 stands for all 2^64.
    private var span: UInt64 {
        UInt64(bitPattern: range.upperBound &- range.lowerBound) &+ 1
    }

    /// The bucket of a number of the range.
    subscript(number: Int64) -> Int {
        precondition(range.contains(number), "number \(number) is outside of \(range)")
        let offset = UInt64(bitPattern: number &- range.lowerBound)
        let product = offset.multipliedFullWidth(by: count)
        if span == 0 { return Int(product.high) }
        return Int(span.dividingFullWidth(product).quotient)
    }

    /// The numbers of a bucket that has any.
    func numbers(of bucket: Int) -> ClosedRange<Int64> {
        let first = start(of: UInt64(bucket))
        let next = UInt64(bucket) + 1
        return first...(next >= count ? range.upperBound : start(of: next) &- 1)
    }

    /// The lowest number whose bucket is `bucket` or a later one.
    private func start(of bucket: UInt64) -> Int64 {
        let product =
            span == 0 ? (high: bucket, low: 0) : bucket.multipliedFullWidth(by: span)
        let (quotient, remainder) = count.dividingFullWidth(product)
        let offset = quotient &+ (remainder == 0 ? 0 : 1)
        return range.lowerBound &+ Int64(bitPattern: offset)
    }
}
