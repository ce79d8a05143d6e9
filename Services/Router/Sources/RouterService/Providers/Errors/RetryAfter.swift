import BulkheadAPI
import BulkheadCore
import Glibc

/// When a provider says to come again: `retry-after-ms`, else `retry-after` in seconds or as an HTTP date (RFC 9110, 10.2.3).
package enum RetryAfter {
    /// Longer waits are as good as never and are cut to this.
    private static let longest: Double = 7 * 86_400

    /// - Parameter now: seconds since 1970, for dates.
    package static func parse(_ headers: [CredentialsAPI.Header], now: Int = time(nil)) -> Duration? {
        if let text = value("retry-after-ms", headers), let milliseconds = Double(text), let wait = wait(milliseconds / 1000) {
            return wait
        }
        guard let text = value("retry-after", headers) else { return nil }
        if let seconds = Double(text) { return wait(seconds) }
        return date(text).flatMap { wait(Double(max(0, $0 - now))) }
    }

    private static func value(_ name: String, _ headers: [CredentialsAPI.Header]) -> String? {
        headers.first { $0.name.lowercased() == name }?.value
    }

    private static func wait(_ seconds: Double) -> Duration? {
        seconds.isFinite && seconds >= 0 ? .milliseconds(Int64(min(seconds, longest) * 1000)) : nil
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// Seconds since 1970 of an IMF-fixdate such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    private static func date(_ text: String) -> Int? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let day = Int32(words[1]), let year = Int32(words[3]),
            let month = months.firstIndex(of: String(words[2]))
        else { return nil }
        let clock = words[4].split(separator: ":").compactMap { Int32($0) }
        guard clock.count == 3, (1 ... 31).contains(day), (1970 ... 9999).contains(year) else { return nil }
        var parts = tm()
        (parts.tm_mday, parts.tm_mon, parts.tm_year) = (day, Int32(month), year - 1900)
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (clock[0], clock[1], clock[2])
        return timegm(&parts)
    }
}
