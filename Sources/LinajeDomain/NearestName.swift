/// Which of the names that exist somebody may have meant.
package enum NearestName {
    /// Longer ones are not compared: nobody mistypes them, and it would take long.
    private static let longest = 64

    /// The name that differs least, in at most two letters and fewer than half of them; the first of
    /// those that are as near; `nil`: none is near.
    package static func of(_ wanted: String, among names: some Sequence<String>) -> String? {
        let letters = Array(wanted.utf8)
        guard letters.count <= longest else { return nil }
        var best: (name: String, distance: Int)?
        for name in names {
            let other = Array(name.utf8)
            guard other.count <= longest else { continue }
            let distance = distance(letters, other)
            guard distance <= 2, distance * 2 < letters.count, distance < best?.distance ?? .max
            else { continue }
            best = (name, distance)
        }
        return best?.name
    }

    /// Letters that are to be added, removed, replaced or exchanged with the next to make one of the
    /// other.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var before: [Int] = []
        var row = Array(0...right.count)
        for (line, letter) in left.enumerated() {
            var next = [line + 1]
            for (column, other) in right.enumerated() {
                var least = min(
                    row[column] + (letter == other ? 0 : 1), row[column + 1] + 1, next[column] + 1)
                if line > 0, column > 0, letter == right[column - 1], other == left[line - 1] {
                    least = min(least, before[column - 1] + 1)
                }
                next.append(least)
            }
            (before, row) = (row, next)
        }
        return row[right.count]
    }
}
