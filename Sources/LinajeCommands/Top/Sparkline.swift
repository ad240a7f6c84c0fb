/// Numbers as a line of little bars.
enum Sparkline {
    private static let bars = Array("▁▂▃▄▅▆▇█")

    /// The last `width` values, one character each. The highest of them fills its character; a zero
    /// is the lowest bar, so that it can be told from no value.
    static func text(_ values: [Double], width: Int) -> String {
        let shown = values.suffix(max(0, width))
        let top = shown.max() ?? 0
        return String(
            shown.map { value in
                guard top > 0, value > 0 else { return bars[0] }
                let level = Int((value / top * Double(bars.count)).rounded(.up)) - 1
                return bars[min(max(level, 0), bars.count - 1)]
            })
    }
}
