package import LinajeDomain

/// Times as HTTP's Date header has them (RFC 9110, IMF-fixdate).
package enum HTTPDate {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// "Wed, 21 Oct 2015 07:28:00 GMT"; `nil` for anything else.
    package static func parse(_ text: String) -> Timestamp? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT",
            let month = months.firstIndex(where: { $0 == parts[2] })
        else { return nil }
        let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        return Timestamp(text: "\(parts[3])-\(number)-\(parts[1])T\(parts[4])Z")
    }
}
