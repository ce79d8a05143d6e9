import Glibc

/// A moment as protocols write it, in UTC.
struct UTCTime {
    private let parts: tm
    /// Whole seconds since 1970.
    let seconds: Int64

    init(milliseconds: Int64) {
        seconds = milliseconds / 1000
        var (time, parts) = (time_t(seconds), tm())
        gmtime_r(&time, &parts)
        self.parts = parts
    }

    /// `20150830T123600Z` (ISO 8601, basic form).
    var compact: String {
        let day = Self.digits(parts.tm_year + 1900, 4) + Self.digits(parts.tm_mon + 1, 2) + Self.digits(parts.tm_mday, 2)
        return "\(day)T" + Self.digits(parts.tm_hour, 2) + Self.digits(parts.tm_min, 2) + Self.digits(parts.tm_sec, 2) + "Z"
    }

    private static func digits(_ number: Int32, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}
