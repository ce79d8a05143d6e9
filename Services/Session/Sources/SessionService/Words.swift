import Glibc

/// Times for people, as refusals and verbs write them.
package enum Words {
    /// A moment in UTC, e.g. `2027-01-15T08:00:00Z`.
    /// - Parameter unixMilliseconds: since 1970.
    package static func time(_ unixMilliseconds: Int64) -> String {
        var seconds = time_t(unixMilliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer in
            guard let text = buffer.baseAddress else { return "" }
            let length = strftime(text, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
            return String(decoding: UnsafeRawBufferPointer(buffer)[..<length], as: UTF8.self)
        }
    }

    /// A duration as it is written in the configuration, in the largest unit that says it exactly: `1d`, `90s`.
    package static func duration(_ milliseconds: Int64) -> String {
        let units: [(name: String, length: Int64)] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)]
        guard let unit = units.first(where: { milliseconds > 0 && milliseconds % $0.length == 0 }) else {
            return "\(milliseconds)ms"
        }
        return "\(milliseconds / unit.length)\(unit.name)"
    }
}
